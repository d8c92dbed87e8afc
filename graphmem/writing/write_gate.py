"""Write gate: a small network that decides what each candidate fact does to the graph.

    candidate + graph context -> features -> probabilities of {skip, add, update, retire} -> one Edit

The rules around it (``gate_rules``) are fixed: questions and hearsay write nothing, a source that is trusted less than
a held fact neither replaces nor ends it, and an improbable relation replaces nothing.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.reading.candidates import CandidateFact
from graphmem.writing.entity_linking import FEATURES as NAME_FEATURES
from graphmem.writing.entity_linking import NameMatcher
from graphmem.writing.gate_features import ACTIONS, FEATURES, GraphContext, gate_features
from graphmem.writing.gate_rules import rule_based_probabilities

FILE: Final = "gate.safetensors"
_KIND: Final = "write-gate"
_LEGACY_FEATURES: Final = {  # names in the headers of older weights
    "stated": "asserted", "denied": "negated", "doubted": "uncertain", "once held": "previously held",
    "says old is over": "superseded in text", "reader": "confidence", "named": "is known relation",
    "relation": "relation probability", "spotted": "span probability", "contested": "competition", "turned": "inverted",
    "apart": "distance", "casts": "role agreement",
}  # fmt: skip


class WriteGate(nn.Module):
    """Probabilities of the four actions. ``features``: W of the extractor; ``text_width``: K of the encoder."""

    def __init__(self, features: int = 256, text_width: int = 384, width: int = 64) -> None:
        super().__init__()
        self.config = {"features": features, "text_width": text_width, "width": width}
        self.view = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, 16), nn.Tanh())
        self.layers = nn.Sequential(nn.Linear(len(FEATURES) + 16, width), nn.GELU(), nn.Linear(width, len(ACTIONS)))
        self.priors = nn.Linear(text_width, 2)
        self.temperature: Tensor
        self.names: Tensor
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("names", torch.zeros(len(NAME_FEATURES)))

    def forward(self, numbers: Tensor, features: Tensor) -> Tensor:
        """Logits [n, 4] of ``ACTIONS`` from gate features [n, 32] and the extractor's features [n, W]."""
        return self.layers(torch.cat([numbers, self.view(features)], dim=-1)) / self.temperature

    @torch.no_grad()
    def relation_priors(self, vectors: np.ndarray) -> np.ndarray:
        """How functional and how changeable relations are, float32 [n, 2], from their text vectors [n, K]."""
        return self.priors(torch.from_numpy(np.asarray(vectors, dtype=np.float32))).sigmoid().numpy()

    @property
    def matcher(self) -> NameMatcher:
        """The learned matcher of similar names."""
        return NameMatcher(self.names.double().numpy())

    @torch.no_grad()
    def probabilities(self, candidate: CandidateFact, near: GraphContext, trust: float) -> np.ndarray:
        """Calibrated probabilities of ``ACTIONS`` before any rule, float32 [4].

        Candidates without features (of other extractors) get ``rule_based_probabilities``.
        """
        if candidate.features is None:
            return rule_based_probabilities(candidate, near)
        numbers = torch.from_numpy(gate_features(candidate, near, trust))
        features = torch.from_numpy(np.asarray(candidate.features, np.float32))
        return self(numbers[None], features[None])[0].softmax(-1).numpy()


def save_gate(gate: WriteGate, path: str | Path) -> Path:
    """Write the weights (float32) with their sizes and the names of the features."""
    return save_module(path, gate, kind=_KIND, dtype=torch.float32, config=gate.config, features=FEATURES)


@lru_cache(maxsize=4)
def load_gate(folder: str | Path) -> WriteGate:
    """The gate of a folder, in evaluation mode.

    Raises:
        WeightsMismatch: weights of another kind, or trained with other features.
    """
    checkpoint = load_module(Path(folder) / FILE, kind=_KIND)
    features = [_LEGACY_FEATURES.get(name, name) for name in checkpoint.meta["features"]]
    if features != list(FEATURES):
        raise WeightsMismatch(f"{checkpoint.path} has other features; run: graphmem train write-gate")
    gate: WriteGate = checkpoint.load_into(WriteGate(**checkpoint.meta["config"]))
    return gate
