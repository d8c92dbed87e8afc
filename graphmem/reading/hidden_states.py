"""Token states of a frozen model: hidden states and surprise of a text, from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from graphmem.reading.network import join_layers


@dataclass(frozen=True, slots=True)
class TokenStates:
    """Hidden states of one text's tokens; the first token is a begin marker that is no part of the text.

    Attributes:
        hidden: float32 [T, 2D], two layers, layer-normed and concatenated.
        offsets: start and end of each token in the text, in characters; (0, 0) for the begin marker.
        surprise: float32 [T], negative log-likelihood of each token in nats; 0 for the begin marker; None where it was
            not computed.
    """

    hidden: Tensor
    offsets: tuple[tuple[int, int], ...]
    surprise: Tensor | None = None

    def token_span(self, start: int, end: int) -> tuple[int, int]:
        """First and last token of characters ``start`` to ``end``."""
        inside = [i for i, (a, b) in enumerate(self.offsets) if i and a < end and b > start and b > a]
        return (inside[0], inside[-1]) if inside else (0, 0)


def begin_token(tokenizer: Any) -> int:
    """Id of the begin marker, which takes the attention that the first position attracts."""
    ids = (tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return next((int(candidate) for candidate in ids if candidate is not None), 0)


def tokenise(tokenizer: Any, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids and character offsets of a text, the begin marker first."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return [begin_token(tokenizer), *encoded["input_ids"]], [(0, 0), *(tuple(o) for o in encoded["offset_mapping"])]


@torch.no_grad()
def token_states(
    model: Any, tokenizer: Any, texts: Sequence[str], layers: tuple[int, int], *, surprise: bool = True
) -> list[TokenStates]:
    """Run ``model`` once over a batch of texts of similar length; keep two entries of its ``hidden_states``.

    With ``surprise``, the surprise of each token is computed too, with the memory if one is attached. That costs the
    layers above those that are kept, and the output layer; without it the run ends at the last layer kept.
    """
    rows = [tokenise(tokenizer, text) for text in texts]
    tokens = [torch.tensor(ids) for ids, _ in rows]
    ids = pad_sequence(tokens, batch_first=True, padding_value=begin_token(tokenizer))
    mask = pad_sequence([torch.ones_like(row) for row in tokens], batch_first=True)
    if surprise:
        output = model(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
        kept, nats = [output.hidden_states[layer] for layer in layers], _surprise(output.logits, ids)
    else:
        kept, nats = _lower_layers(getattr(model, "base_model", model), ids, mask, layers), None
    hidden = join_layers(*kept)  # [B, T, 2D]
    return [
        TokenStates(hidden[row, : len(own)], tuple(offsets), None if nats is None else nats[row, : len(own)])
        for row, (own, offsets) in enumerate(rows)
    ]


class _EarlyExit(Exception):
    """Raised by the hook on the last layer that is needed, to leave the model there."""


def _lower_layers(body: Any, ids: Tensor, mask: Tensor, layers: Sequence[int]) -> list[Tensor]:
    """Entries of ``hidden_states``, [B, T, D] each, without running the layers above the last of them if possible.

    Entry k is the output of layer k - 1; entry 0 and the last one (which a final norm follows) take a whole run.
    """
    stack = _decoder_layers(body)
    if stack is None or not all(0 < layer < len(stack) for layer in layers):
        output = body(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
        return [output.hidden_states[layer] for layer in layers]
    found: dict[int, Tensor] = {}
    last, own = max(layers), get_ident()

    def keep(layer: int, output: Any) -> None:
        if get_ident() != own:  # another thread runs the same model
            return
        found[layer] = output[0] if isinstance(output, tuple) else output
        if layer == last:
            raise _EarlyExit

    hooks = [stack[k - 1].register_forward_hook(lambda _, __, out, k=k: keep(k, out)) for k in set(layers)]
    try:
        with suppress(_EarlyExit):
            body(input_ids=ids, attention_mask=mask, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return [found[layer] for layer in layers]


def _decoder_layers(body: Any) -> nn.ModuleList | None:
    """The layers of a decoder, by their number; None where there is not exactly one such list."""
    depth = getattr(getattr(body, "config", None), "num_hidden_layers", None)
    if not isinstance(body, nn.Module):
        return None
    lists = [m for m in body.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    return lists[0] if len(lists) == 1 else None


def _surprise(logits: Tensor, ids: Tensor) -> Tensor:
    """Nats of each token given those before it, [B, T]; a few positions at a time, to stay within the CPU cache."""
    nats, width = torch.zeros(ids.shape), 8
    for row in range(len(ids)):
        for start in range(0, ids.shape[1] - 1, width):
            scores = logits[row, start : min(start + width, ids.shape[1] - 1)].float()
            stop = start + 1 + len(scores)
            nats[row, start + 1 : stop] = F.cross_entropy(scores, ids[row, start + 1 : stop], reduction="none")
    return nats
