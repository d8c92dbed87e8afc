"""How surprised a model is by each token of a text, in nats, with its memory on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from graphmem.core.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Surprise:
    """Negative log-likelihood of a text's tokens given those before; the first token is given.

    Attributes:
        tokens: their texts.
        nats: of each; 0 for the first.
        spans: characters of the text that each token covers, where the tokenizer tells.
    """

    tokens: tuple[str, ...]
    nats: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def mean(self) -> float:
        """Nats per token; 0 for a text of one token."""
        return sum(self.nats[1:]) / max(1, len(self.nats) - 1)

    def of(self, start: int, stop: int) -> float:
        """Mean nats of the tokens that touch characters ``start`` to ``stop``.

        Raises:
            InvalidValue: no token after the first lies there.
        """
        touched = [n for n, (a, b) in zip(self.nats[1:], self.spans[1:], strict=True) if a < stop and b > start]
        if not touched:
            raise InvalidValue(f"no token after the first covers characters {start} to {stop} of the text")
        return sum(touched) / len(touched)


@torch.no_grad()
def surprise(model: Any, text: str, *, retrieval: Any = None, prompt: str = "") -> Surprise:
    """Nats of each token of a text.

    Args:
        model: a ``GraphMemoryModel``.
        text: is scored.
        retrieval: what the model reads; None asks the memory with the text itself.
        prompt: stands before the text and is not scored.

    Raises:
        InvalidValue: the text has no tokens.
    """
    encoded = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    before = model.tokenizer(prompt, add_special_tokens=False)["input_ids"] if prompt else []
    ids: Sequence[int] = encoded["input_ids"]
    if not ids:
        raise InvalidValue(f"text must hold at least one token, not {text!r}")
    row = torch.tensor([[*before, *ids]], device=model.base.device)
    logits = model(row, retrieval=retrieval).logits[0].float()
    nats = F.cross_entropy(logits[:-1], row[0, 1:], reduction="none").tolist()
    scored = [0.0, *nats][len(before) :] if not before else nats[len(before) - 1 :]
    tokens = tuple(model.tokenizer.convert_ids_to_tokens(list(ids)))
    return Surprise(tokens, tuple(scored), tuple((int(a), int(b)) for a, b in encoded["offset_mapping"]))
