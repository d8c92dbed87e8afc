"""Token states of a frozen model: what the reader reads, and how surprised the model was, from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from graphmem.reader import join_layers


@dataclass(frozen=True, slots=True)
class TokenStates:
    """One text's tokens as a frozen model saw them; the first token is a begin marker that is no part of the text.

    Attributes:
        hidden: float32 [T, 2D], the reader's two layers, layer-normed, side by side.
        offsets: start and end of each token in the text, in characters; (0, 0) for the begin marker.
        surprise: float32 [T], negative log-likelihood of each token in nats; 0 for the begin marker. None where it
            was not asked for.
    """

    hidden: Tensor
    offsets: tuple[tuple[int, int], ...]
    surprise: Tensor | None = None

    def token_span(self, start: int, end: int) -> tuple[int, int]:
        """First and last token that hold characters ``start`` to ``end``."""
        inside = [i for i, (a, b) in enumerate(self.offsets) if i and a < end and b > start and b > a]
        return (inside[0], inside[-1]) if inside else (0, 0)


def begin_token(tokenizer: Any) -> int:
    """Id of the token put before every text: the first position soaks up attention and says nothing itself."""
    for candidate in (tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id):
        if candidate is not None:
            return int(candidate)
    return 0


def tokenise(tokenizer: Any, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids and character offsets of a text, the begin marker first."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return [begin_token(tokenizer), *encoded["input_ids"]], [(0, 0), *(tuple(o) for o in encoded["offset_mapping"])]


@torch.no_grad()
def token_states(
    model: Any, tokenizer: Any, texts: Sequence[str], layers: tuple[int, int], *, surprise: bool = True
) -> list[TokenStates]:
    """Run ``model`` once over a batch of texts.

    Args:
        model: a causal language model whose forward takes ``input_ids``, ``attention_mask``, ``output_hidden_states``.
        tokenizer: a fast tokenizer of that model.
        texts: texts of like length; they are padded to the longest.
        layers: entries of ``hidden_states`` to keep.
        surprise: compute the surprise of each token too; costs the output layer.
    """
    rows = [tokenise(tokenizer, text) for text in texts]
    longest = max((len(ids) for ids, _ in rows), default=0)
    ids = torch.full((len(rows), longest), begin_token(tokenizer))
    mask = torch.zeros_like(ids)
    for row, (tokens, _) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    body = model if surprise else getattr(model, "base_model", model)
    output = body(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
    hidden = join_layers(output.hidden_states[layers[0]], output.hidden_states[layers[1]])  # [B, T, 2D]
    nats = _surprise(output.logits, ids) if surprise else None
    return [
        TokenStates(hidden[row, : len(tokens)], tuple(offsets), None if nats is None else nats[row, : len(tokens)])
        for row, (tokens, offsets) in enumerate(rows)
    ]


def _surprise(logits: Tensor, ids: Tensor) -> Tensor:
    """Nats of each token given those before it, [B, T]; row by row, so that no float32 copy of all logits is made."""
    nats = torch.zeros(ids.shape)
    for row in range(len(ids)):
        nats[row, 1:] = F.cross_entropy(logits[row, :-1].float(), ids[row, 1:], reduction="none")
    return nats
