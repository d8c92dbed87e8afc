"""The write gate: a small learned module that decides what each candidate fact does to the graph.

    candidate + what the graph holds near it -> numbers -> probabilities of {skip, add, update, retire} -> one Edit

The module is learned; around it stand rules that no training can move: what is only asked or rumoured writes nothing,
a source that is trusted less than a held fact neither overwrites nor ends it, and a relation that is only guessed at
overwrites nothing.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.core.errors import WeightsMismatch
from graphmem.reading.candidates import CandidateFact
from graphmem.writing.entity_linking import FEATURES as NAME_FEATURES
from graphmem.writing.entity_linking import NameMatcher
from graphmem.writing.gate_features import ACTIONS, FEATURES, GraphContext, gate_features
from graphmem.writing.gate_rules import rule_based_probabilities


class WriteGate(nn.Module):
    """Probabilities of the four actions.

    Args:
        features: W, width of the reader's view of a pair.
        text_width: K of the text encoder.
        width: hidden width.
    """

    def __init__(self, features: int = 256, text_width: int = 384, width: int = 64) -> None:
        super().__init__()
        self.sizes = {"features": features, "text_width": text_width, "width": width}
        self.view = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, 16), nn.Tanh())
        self.layers = nn.Sequential(nn.Linear(len(FEATURES) + 16, width), nn.GELU(), nn.Linear(width, len(ACTIONS)))
        self.priors = nn.Linear(text_width, 2)
        self.temperature: Tensor
        self.names: Tensor
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("names", torch.zeros(len(NAME_FEATURES)))

    def forward(self, numbers: Tensor, features: Tensor) -> Tensor:
        """Logits [n, 4] of ``ACTIONS`` from numbers [n, 32] and the reader's views [n, W]."""
        return self.layers(torch.cat([numbers, self.view(features)], dim=-1)) / self.temperature

    @torch.no_grad()
    def relation_priors(self, vectors: np.ndarray) -> np.ndarray:
        """How functional and how changeable relations sound, float32 [n, 2], from their text vectors [n, K]."""
        return self.priors(torch.from_numpy(np.asarray(vectors, dtype=np.float32))).sigmoid().numpy()

    @property
    def matcher(self) -> NameMatcher:
        """The learned judge of similar names."""
        return NameMatcher(self.names.double().numpy())

    @torch.no_grad()
    def probabilities(self, candidate: CandidateFact, near: GraphContext, trust: float) -> np.ndarray:
        """Calibrated probabilities of ``ACTIONS`` before any rule, float32 [4].

        Of a reader that shows no view of the pair (a plug-in) the word is taken: see ``rule_based_probabilities``.
        """
        if candidate.features is None:
            return rule_based_probabilities(candidate, near)
        numbers = torch.from_numpy(gate_features(candidate, near, trust))
        features = torch.from_numpy(np.asarray(candidate.features, np.float32))
        return self(numbers[None], features[None])[0].softmax(-1).numpy()


def save_gate(gate: WriteGate, path: str | Path) -> None:
    """Write weights and sizes to one safetensors file."""
    from safetensors.torch import save_file

    metadata = {"kind": "graphmem-write-gate", "sizes": json.dumps(gate.sizes), "numbers": json.dumps(FEATURES)}
    save_file({name: tensor.contiguous() for name, tensor in gate.state_dict().items()}, str(path), metadata=metadata)


@lru_cache(maxsize=4)
def load_gate(folder: str | Path) -> WriteGate:
    """Read ``gate.safetensors`` of a folder, in evaluation mode.

    Raises:
        WeightsMismatch: it holds no gate, or one that saw other numbers.
    """
    from safetensors import safe_open

    path = Path(folder) / "gate.safetensors"
    with safe_open(str(path), "pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("kind") != "graphmem-write-gate" or json.loads(metadata["numbers"]) != list(FEATURES):
            raise WeightsMismatch(
                f"{path} holds no gate of this version; train one: python -m graphmem.training.gate.train"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    gate = WriteGate(**json.loads(metadata["sizes"]))
    gate.load_state_dict(tensors)
    return gate.eval()
