"""State network: five heads over the vectors of a frozen text encoder, and its checkpoint."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from torch import nn

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.core.paths import WEIGHTS

CHANGES: Final = ("none", "placed", "taken", "left")
"""Changes between X and Y: none; X is in Y now; X carries Y now; X carries Y no more."""
QUESTIONS: Final = ("where", "before", "whether", "count", "list")
"""Where is X; where was X before Y; is X in Y; how many things does X carry; which."""
SHIPPED = WEIGHTS / "states.safetensors"
CONTEXT = 2
"""Sentences before its own in which a pronoun may have its antecedent."""
_KIND: Final = "state-changes"


class StateNetwork(nn.Module):
    """Five small heads over vectors of width K (``text_width``).

    ``threshold`` is the minimum probability of a change, 0..1, calibrated on ordinary text, which has none.
    """

    def __init__(self, text_width: int = 384, width: int = 32, threshold: float = 0.5) -> None:
        super().__init__()
        self.config, self.threshold = {"text_width": text_width, "width": width}, threshold

        def head(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, outputs))

        self.tells, self.names = head(text_width, 1), head(text_width, 1)  # is it a change, is it a name
        self.change, self.question = head(2 * text_width, len(CHANGES)), head(text_width, len(QUESTIONS))
        self.means = head(2 * text_width + CONTEXT + 1, 1)  # is it the pronoun's antecedent


def save_states(network: StateNetwork, path: str | Path, fingerprint: str) -> Path:
    """Write the weights (float16) with their sizes, threshold and the encoder's fingerprint."""
    return save_module(
        path, network, kind=_KIND, dtype=torch.float16, config=network.config, fingerprint=fingerprint,
        heads=[CHANGES, QUESTIONS], threshold=network.threshold,
    )  # fmt: skip


@lru_cache(maxsize=4)
def load_states(path: str | Path, fingerprint: str | None = None) -> StateNetwork:
    """The network of a weights file, in evaluation mode.

    Raises:
        WeightsMismatch: no such file, other heads, or trained with another encoder than ``fingerprint``.
    """
    checkpoint = load_module(path, kind=_KIND, fingerprint=fingerprint)
    meta = checkpoint.meta
    if meta.get("heads") != [list(CHANGES), list(QUESTIONS)]:
        raise WeightsMismatch(f"{path} has other heads; train a network: graphmem train state-tracking")
    threshold = float(meta.get("threshold", meta.get("least", 0.5)))  # "least" in older weights
    network: StateNetwork = checkpoint.load_into(StateNetwork(**meta["config"], threshold=threshold))
    return network
