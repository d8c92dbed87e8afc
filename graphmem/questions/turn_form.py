"""Form of a turn of a conversation: whether it asks, needs former turns, or corrects one.

A perceptron on the mean and the maximum of the text encoder's token states and on the states of the first tokens, with
one output for each of ``FORMS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from graphmem.core.checkpoints import load_module, save_arrays
from graphmem.core.paths import WEIGHTS
from graphmem.questions.temporal_form import type_features

KIND, SHIPPED = "turn-form", WEIGHTS / "turn_form.safetensors"

FORMS: Final = ("asks", "refers", "corrects", "lacks")
"""Outputs of the classifier, see ``TurnForm``."""


FIRST = 4
"""First tokens, the start of the text included, whose states are features."""


def turn_features(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Features of texts, float32 [n, 6 K]; states are [n, T, K], the mask [n, T]."""
    first = np.zeros((len(states), FIRST, states.shape[2]), np.float32)
    first[:, : states.shape[1]] = (states * mask[..., None])[:, :FIRST]
    return np.concatenate([type_features(states, mask), first.reshape(len(states), -1)], axis=1)


class TurnForm(NamedTuple):
    """Probabilities of one sentence.

    Attributes:
        asks: that it asks something.
        refers: of a question, that it cannot be understood without what was said before.
        corrects: that it corrects what was said before.
        lacks: of a question, that it says only of whom something is asked ("and Bob?").
    """

    asks: float
    refers: float
    corrects: float
    lacks: float


class TurnClassifier:
    """Classifier of sentences in conversations.

    Args:
        tensors: ``hidden_weight`` [6 K, W], ``hidden_bias`` [W], ``form_weight`` [W, 4], ``form_bias`` [4].
    """

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors

    @classmethod
    def load(cls, fingerprint: str, path: Path = SHIPPED) -> TurnClassifier:
        """The classifier of a file that was trained with the text encoder of this fingerprint.

        Raises:
            WeightsMismatch: no such file, another encoder, or other forms.
        """
        found = load_module(path, kind=KIND, fingerprint=fingerprint)
        found.require(forms=list(FORMS))
        return cls(found.arrays())

    def save(self, path: Path, fingerprint: str, **notes: Any) -> Path:
        """Write the classifier."""
        return save_arrays(path, self.tensors, kind=KIND, fingerprint=fingerprint, forms=list(FORMS), **notes)

    def forms(self, encoder: Any, texts: Sequence[str]) -> list[TurnForm]:
        """The form of each text; ``encoder`` is the text encoder that the classifier was trained with."""
        if not texts:
            return []
        states, mask = encoder.encode_both(list(texts))[1:]
        hidden = turn_features(np.asarray(states, np.float32), mask) @ self.tensors["hidden_weight"]
        hidden = np.maximum(hidden + self.tensors["hidden_bias"], 0)
        logits = hidden @ self.tensors["form_weight"] + self.tensors["form_bias"]
        return [TurnForm(*row) for row in (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).tolist()]
