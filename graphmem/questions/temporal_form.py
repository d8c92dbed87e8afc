"""Temporal form of a question: which of its words set a time, and whether a date or a duration is asked for.

Two classifiers on the text encoder's token states: a perceptron for each token with its neighbours, a linear one for
the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.core.checkpoints import load_module, save_arrays
from graphmem.core.paths import WEIGHTS

KIND, SHIPPED = "temporal-form", WEIGHTS / "temporal_form.safetensors"

TAGS = ("none", "at", "before", "after", "until", "since")
"""What a token's phrase says: nothing of a time, or how the time asked about lies to the time that it names."""

WANTED = ("other", "date", "duration")
"""What answers a question: a time, a length of time (an age too), or something else."""


_WORD = re.compile(r"[^\W_]+(?:[-'’.,:][^\W_]+)*")


MIN_WANTED = 0.7
"""Probability from which on a date or a duration is taken to be asked for."""


def type_features(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean and maximum of the token states of texts, float32 [n, 2 K]; states are [n, T, K], the mask [n, T]."""
    weights = mask[..., None].astype(np.float32)
    mean = (states * weights).sum(1) / np.maximum(weights.sum(1), 1.0)
    return np.concatenate([mean, np.where(weights > 0, states, -1e4).max(1)], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TemporalPhrase:
    """Characters ``start`` to ``end`` set a time by ``relation``, one of ``TAGS``; ``probability`` of its tokens."""

    start: int
    end: int
    relation: str
    probability: float


@dataclass(frozen=True, slots=True)
class TemporalForm:
    """Phrases of a question that set a time, in their order, and the probabilities of ``WANTED``."""

    phrases: tuple[TemporalPhrase, ...] = ()
    wanted: tuple[float, ...] = (1.0, 0.0, 0.0)

    @property
    def asks(self) -> str:
        """The likeliest of ``WANTED``; ``other`` where it is unsure."""
        best = int(np.argmax(self.wanted))
        return WANTED[best] if self.wanted[best] >= MIN_WANTED else WANTED[0]


def token_features(states: np.ndarray) -> np.ndarray:
    """States of each token, its predecessor and its successor, float32 [T, 3 K]; states are [T, K]."""
    empty = np.zeros((1, states.shape[1]), states.dtype)
    return np.concatenate([states, np.concatenate([empty, states[:-1]]), np.concatenate([states[1:], empty])], axis=1)


class TemporalClassifier:
    """Classifier of questions and their tokens.

    Args:
        tensors: ``hidden_weight`` [3 K, W], ``hidden_bias`` [W], ``tag_weight`` [W, 6], ``tag_bias`` [6],
            ``wanted_weight`` [2 K, 3], ``wanted_bias`` [3].
    """

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors

    @classmethod
    def load(cls, fingerprint: str, path: Path = SHIPPED) -> TemporalClassifier:
        """The classifier of a file that was trained with the text encoder of this fingerprint.

        Raises:
            WeightsMismatch: no such file, or another encoder.
        """
        return cls(load_module(path, kind=KIND, fingerprint=fingerprint).arrays())

    def save(self, path: Path, fingerprint: str, **notes: Any) -> Path:
        """Write the classifier."""
        return save_arrays(path, self.tensors, kind=KIND, fingerprint=fingerprint, **notes)

    def forms(self, encoder: Any, questions: Sequence[str]) -> list[TemporalForm]:
        """The temporal form of each question."""
        states, mask = encoder.encode_both(list(questions))[1:]
        wanted = _softmax(type_features(states, mask) @ self.tensors["wanted_weight"] + self.tensors["wanted_bias"])
        made = []
        for row, spans in enumerate(encoder.offsets(list(questions))):
            length = min(len(spans), int(mask[row].sum()))
            phrases = _phrases(questions[row], self.tags(states[row, :length]), spans)
            made.append(TemporalForm(phrases, tuple(wanted[row].tolist())))
        return made

    def tags(self, states: np.ndarray) -> np.ndarray:
        """Probabilities of ``TAGS`` for each token of a text, float [T, 6]; states are [T, K]."""
        hidden = token_features(states) @ self.tensors["hidden_weight"] + self.tensors["hidden_bias"]
        return _softmax(np.maximum(hidden, 0) @ self.tensors["tag_weight"] + self.tensors["tag_bias"])


def _phrases(text: str, tags: np.ndarray, spans: Sequence[tuple[int, int]]) -> tuple[TemporalPhrase, ...]:
    """Runs of words that set a time, each with the relation that is the likeliest for all of them."""
    words = []
    for match in _WORD.finditer(text):
        at = [k for k in range(len(tags)) if spans[k][0] < match.end() and match.start() < spans[k][1]]
        if at:
            words.append((match.span(), tags[at].mean(0)))
    marks = [bool(tag[0] < 0.5) for _, tag in words]
    marks = [mark or (0 < k < len(marks) - 1 and marks[k - 1] and marks[k + 1]) for k, mark in enumerate(marks)]
    found = []
    for marked, run in groupby(zip(marks, words, strict=True), key=lambda pair: pair[0]):
        if marked:
            rows = [word for _, word in run]
            probabilities = np.array([tag for _, tag in rows])
            best = TAGS[1 + int(np.log(probabilities[:, 1:] + 1e-3).sum(0).argmax())]
            found.append(TemporalPhrase(rows[0][0][0], rows[-1][0][1], best, float(1 - probabilities[:, 0].mean())))
    return tuple(found)


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))
