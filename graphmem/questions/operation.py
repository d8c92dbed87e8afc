"""Operation that a question wants: a lookup, a verdict, a count, a sum, a list, a place on a scale, what things share.

A small network over the token states of the text encoder: attention pooling with learned queries, a maximum, and a
layer before its heads. Two further heads give the end of the scale that a comparison asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.paths import WEIGHTS

KIND, SHIPPED = "operation", WEIGHTS / "operation.safetensors"

OPERATIONS: Final = (
    "lookup", "verify", "count", "list", "superlative", "intersect", "except", "sum", "difference",
)  # fmt: skip
"""``superlative``: the first or last of a scale among two or more, or the second or a further one; ``verify``: yes or
no; ``except``: a set less another; ``difference``: of two values."""

BATCH = 256
"""Questions of one forward pass."""


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """Operation of one question.

    Attributes:
        operation: the most probable one of ``OPERATIONS``.
        probabilities: of each of ``OPERATIONS``.
        larger_number: probability that the larger value wins where the values compared are numbers: "most expensive" 1,
            "cheapest" 0. Of use where the question compares.
        later_date: probability that the later value wins where they are dates: "older" and "first" 0, "newest" 1.
    """

    operation: str
    probabilities: tuple[float, ...]
    larger_number: float
    later_date: float


class OperationNetwork(nn.Module):
    """The network.

    Args:
        width: of the encoder's token states.
        inner: width of what is pooled.
        heads: attention queries.
        hidden: width of the layer before the outputs.
    """

    def __init__(self, width: int, inner: int = 128, heads: int = 8, hidden: int = 128) -> None:
        super().__init__()
        self.sizes = {"width": width, "inner": inner, "heads": heads, "hidden": hidden}
        self.reduce = nn.Linear(width, inner)
        self.attend = nn.Linear(width, heads)
        self.mix = nn.Linear(inner * (heads + 1), hidden)
        self.out = nn.Linear(hidden, len(OPERATIONS) + 2)
        self.dropout = nn.Dropout(0.1)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Logits [n, 11] of ``OPERATIONS``, "larger number" and "later date"; states are [n, T, K], the mask [n, T].

        A text without tokens is read as if its first place were one.
        """
        kept = mask.bool()
        kept = kept | ((torch.arange(mask.shape[1]) == 0) & ~kept.any(1, keepdim=True))
        reduced = nn.functional.gelu(self.reduce(self.dropout(states)))
        weights = self.attend(states).masked_fill(~kept[..., None], float("-inf")).softmax(1)
        pooled = torch.einsum("nth,ntk->nhk", weights, reduced).flatten(1)
        highest = reduced.masked_fill(~kept[..., None], float("-inf")).amax(1)
        mixed = nn.functional.gelu(self.mix(self.dropout(torch.cat([pooled, highest], 1))))
        return torch.as_tensor(self.out(self.dropout(mixed)))


class OperationClassifier:
    """Classifier of questions by the operation that they want."""

    def __init__(self, network: OperationNetwork) -> None:
        self.network = network.eval()

    @classmethod
    def load(cls, fingerprint: str, path: Path = SHIPPED) -> OperationClassifier:
        """The classifier of a file that was trained with the text encoder of this fingerprint.

        Raises:
            WeightsMismatch: no such file, another encoder, or other operations.
        """
        found = load_module(path, kind=KIND, fingerprint=fingerprint)
        return cls(found.build(OperationNetwork, operations=list(OPERATIONS)))

    def save(self, path: Path, fingerprint: str, **notes: Any) -> Path:
        """Write the classifier."""
        notes |= {"config": self.network.sizes, "operations": list(OPERATIONS)}
        return save_module(path, self.network, kind=KIND, fingerprint=fingerprint, **notes)

    @torch.inference_mode()
    def forms(self, encoder: Any, questions: list[str]) -> list[QuestionForm]:
        """The operation of each question; ``encoder`` is the text encoder that the classifier was trained with."""
        made: list[QuestionForm] = []
        for start in range(0, len(questions), BATCH):
            states, mask = encoder.encode_both(questions[start : start + BATCH])[1:]
            logits = self.network(torch.as_tensor(np.asarray(states, np.float32)), torch.as_tensor(np.asarray(mask)))
            made += forms_of(logits)
        return made


def forms_of(logits: Tensor) -> list[QuestionForm]:
    """What logits [n, 11] of the network say of each question."""
    chances = logits[:, : len(OPERATIONS)].double().softmax(1).tolist()
    ends = logits[:, len(OPERATIONS) :].double().sigmoid().tolist()
    return [
        QuestionForm(OPERATIONS[int(np.argmax(row))], tuple(row), larger, later)
        for row, (larger, later) in zip(chances, ends, strict=True)
    ]
