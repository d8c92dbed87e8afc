"""Expected answer type of a question: yes or no, or something else; linear, on the text encoder's token states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.paths import WEIGHTS

KIND, SHIPPED = "answer-type", WEIGHTS / "answer_type.safetensors"
TYPES = ("other", "verdict")
"""``verdict``: the question is answered by yes or no."""


def type_features(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean and maximum of the token states of texts, float32 [n, 2 K]; states are [n, T, K], the mask [n, T]."""
    weights = mask[..., None].astype(np.float32)
    mean = (states * weights).sum(1) / np.maximum(weights.sum(1), 1.0)
    return np.concatenate([mean, np.where(weights > 0, states, -1e4).max(1)], axis=1).astype(np.float32)


class AnswerTypeClassifier:
    """Classifier of questions; ``weight`` [2 K], ``bias`` [] and the mean and scale of its features are given."""

    def __init__(self, weight: np.ndarray, bias: float, mean: np.ndarray, scale: np.ndarray) -> None:
        self.weight, self.bias, self.mean, self.scale = weight, bias, mean, scale

    @classmethod
    def load(cls, fingerprint: str, path: Path = SHIPPED) -> AnswerTypeClassifier:
        """The classifier of a file that was trained with the text encoder of this fingerprint.

        Raises:
            WeightsMismatch: no such file, or another encoder.
        """
        found = load_module(path, kind=KIND, fingerprint=fingerprint).tensors
        weight, mean, scale = (found[name].float().numpy() for name in ("weight", "mean", "scale"))
        return cls(weight, float(found["bias"][0]), mean, scale)

    def save(self, path: Path, fingerprint: str, **notes: Any) -> Path:
        """Write the classifier."""
        import torch

        tensors = {"weight": self.weight, "bias": np.array([self.bias]), "mean": self.mean, "scale": self.scale}
        made = {name: torch.as_tensor(np.asarray(value, np.float32)) for name, value in tensors.items()}
        return save_module(path, made, kind=KIND, fingerprint=fingerprint, **notes)

    def verdict(self, encoder: Any, questions: list[str]) -> np.ndarray:
        """Probability that each question is answered by yes or no, float64 [n]."""
        states, mask = encoder.encode_both(questions)[1:]
        features = (type_features(states, mask) - self.mean) / self.scale
        return np.asarray(1 / (1 + np.exp(-np.clip(features @ self.weight + self.bias, -30, 30))))
