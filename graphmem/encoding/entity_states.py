"""Entity states: a learned state vector of each node, updated by the texts that mention it, for disambiguation.

    s' = GRU(s, W m)            m: mean hidden state of a sentence that mentions the node, [F]; s starts at zero, [G]
    fit(s, m) = scale * cos(P s, Q W m)

Trained by ``training.entity_states``: which of many entities is a sentence about when its name does not tell? (GRU: Cho
et al. 2014, arXiv:1406.1078; contrast within the batch: van den Oord et al. 2018, arXiv:1807.03748)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.edits import UpdateNode
from graphmem.core.protocols import GraphStore

FILE: Final = "node_states.safetensors"
_KIND: Final = "entity-states"
_LEGACY_LAYERS: Final = {"held": "key", "heard": "query"}  # names of layers in older weights


class EntityStates(nn.Module):
    """The recurrence and the score of fit. B nodes, F = 2D (two layers of the frozen model), G state width."""

    def __init__(self, hidden: int = 1152, width: int = 48) -> None:
        super().__init__()
        self.config = {"hidden": hidden, "width": width}
        self.inward = nn.Linear(hidden, width)
        self.cell = nn.GRUCell(width, width)
        self.key, self.query = nn.Linear(width, width), nn.Linear(width, width)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, state: Tensor, mention: Tensor) -> Tensor:
        """The state [B, G] after sentences [B, F] that mention the nodes."""
        return self.cell(torch.tanh(self.inward(mention)), state)

    def fit(self, states: Tensor, mentions: Tensor) -> Tensor:
        """How well each sentence [B, F] fits each state [C, G]: logits [B, C]."""
        query = F.normalize(self.query(torch.tanh(self.inward(mentions))), dim=-1)
        return self.scale.exp() * query @ F.normalize(self.key(states), dim=-1).T

    @torch.no_grad()
    def updated(self, state: np.ndarray | None, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """One node's state, float32 [G], after sentences [F]; None: it has no state yet."""
        current = torch.zeros(1, self.config["width"]) if state is None else torch.from_numpy(state)[None]
        for mention in sentences:
            current = self(current, torch.from_numpy(np.float32(mention))[None])
        return np.asarray(current[0].numpy())

    @torch.no_grad()
    def shares(self, states: Sequence[np.ndarray], sentence: np.ndarray) -> np.ndarray:
        """Probability of each of a few nodes that a sentence [F] is about it, given that it is about one: [C]."""
        logits = self.fit(torch.from_numpy(np.stack(states)), torch.from_numpy(np.float32(sentence))[None])[0]
        return np.asarray(logits.softmax(-1).numpy())


def state_updates(
    network: EntityStates, store: GraphStore, sentences: Mapping[str, Sequence[np.ndarray]]
) -> Iterator[UpdateNode]:
    """New states of nodes, by name, after sentences [F] that mention them."""
    for name, mentions in sentences.items():
        node = store.resolve(name)
        yield UpdateNode(name, state=network.updated(store.state(node.id) if node is not None else None, mentions))


def save_entity_states(network: EntityStates, path: str | Path, scores: dict[str, Any]) -> Path:
    """Write the weights (float16) with their sizes and scores."""
    return save_module(path, network, kind=_KIND, dtype=torch.float16, config=network.config, scores=scores)


@lru_cache(maxsize=4)
def load_entity_states(folder: str | Path) -> EntityStates | None:
    """The weights of a base's folder, in evaluation mode; None where there are none.

    Raises:
        WeightsMismatch: the file holds other weights, or none.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    checkpoint = load_module(path, kind=_KIND)
    tensors = {".".join(_LEGACY_LAYERS.get(p, p) for p in k.split(".")): v for k, v in checkpoint.tensors.items()}
    network: EntityStates = replace(checkpoint, tensors=tensors).load_into(EntityStates(**checkpoint.meta["config"]))
    return network
