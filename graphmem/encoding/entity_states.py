"""NodeStates: a learned state vector of each node that moves as texts speak of it, and tells namesakes apart.

    s' = GRU(s, W m)            m: mean hidden state of the sentence that names the node, [F]; s starts at zero, [G]
    fit(s, m) = scale * cos(P s, Q W m)        how well a sentence suits what was read of a node before

Trained by ``training.node_states``: which of many things does a sentence speak of when its name does not tell? (GRU:
Cho et al. 2014, arXiv:1406.1078; contrast in the batch: van den Oord et al. 2018, arXiv:1807.03748)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.core.edits import UpdateNode, WriteDecision
from graphmem.core.errors import WeightsMismatch
from graphmem.core.protocols import GraphStore
from graphmem.core.types import Node

if TYPE_CHECKING:
    from graphmem.reading.candidates import CandidateFact

FILE = "node_states.safetensors"


class EntityStates(nn.Module):
    """The recurrence and the judge of fit. Alphabet: B nodes, F = 2D (two layers of the frozen model), G state width.

    Args:
        hidden: F.
        width: G.
    """

    def __init__(self, hidden: int = 1152, width: int = 48) -> None:
        super().__init__()
        self.sizes = {"hidden": hidden, "width": width}
        self.inward = nn.Linear(hidden, width)
        self.cell = nn.GRUCell(width, width)
        self.held, self.heard = nn.Linear(width, width), nn.Linear(width, width)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def move(self, state: Tensor, mention: Tensor) -> Tensor:
        """The state [B, G] after sentences [B, F] that speak of the nodes."""
        return self.cell(torch.tanh(self.inward(mention)), state)

    def fit(self, states: Tensor, mentions: Tensor) -> Tensor:
        """How well each sentence [B, F] suits each state [C, G]: logits [B, C]."""
        heard = F.normalize(self.heard(torch.tanh(self.inward(mentions))), dim=-1)
        return self.scale.exp() * heard @ F.normalize(self.held(states), dim=-1).T

    @torch.no_grad()
    def moved(self, state: np.ndarray | None, mention: np.ndarray) -> np.ndarray:
        """One node's state, float32 [G], after one sentence [F]; None: it has none yet."""
        before = torch.zeros(1, self.sizes["width"]) if state is None else torch.from_numpy(state)[None]
        return np.asarray(self.move(before, torch.from_numpy(np.float32(mention))[None])[0].numpy())

    @torch.no_grad()
    def shares(self, states: Sequence[np.ndarray], mention: np.ndarray) -> np.ndarray:
        """Probability of each of a few nodes that a sentence [F] speaks of it, given that it speaks of one: [C]."""
        logits = self.fit(torch.from_numpy(np.stack(states)), torch.from_numpy(np.float32(mention))[None])[0]
        return np.asarray(logits.softmax(-1).numpy())


class EntityDisambiguator:
    """Tells by a sentence which of several nodes it speaks of.

    Args:
        store: holds the nodes' states.
        network: trained.
        least: share of the best node below which nothing is said.
    """

    def __init__(self, store: GraphStore, network: EntityStates, least: float = 0.6) -> None:
        self._store, self._network, self._least = store, network, least

    def meant(self, nodes: Sequence[Node], sentence: np.ndarray) -> tuple[Node | None, float]:
        """The node that a sentence [F] speaks of and its share; None where fewer than two have a state, or in doubt."""
        known = [(node, state) for node in nodes if (state := self._store.state(node.id)) is not None]
        if len(known) < 2 or len(known) < len(nodes):
            return None, 0.0
        shares = self._network.shares([state for _, state in known], sentence)
        best = int(shares.argmax())
        return (known[best][0], float(shares[best])) if shares[best] >= self._least else (None, float(shares[best]))


def state_updates(
    network: EntityStates, store: GraphStore, candidates: Sequence[CandidateFact], decisions: Sequence[WriteDecision]
) -> Iterator[UpdateNode]:
    """New states of the nodes that written or repeated facts speak of, once for each of their sentences."""
    told = {
        (d.fact.subject, d.fact.object) for d in decisions if d.action in ("add", "update") or "repeats" in d.evidence
    }
    said: dict[str, dict[str, np.ndarray]] = {}
    for candidate in candidates:
        if candidate.sentence is not None and (candidate.fact.subject, candidate.fact.object) in told:
            names = [candidate.fact.subject, *([candidate.fact.object] if candidate.object_kind == "entity" else [])]
            for name in names:
                said.setdefault(name, {})[candidate.fact.text] = candidate.sentence
    for name, sentences in said.items():
        node = store.resolve(name)
        state = store.state(node.id) if node is not None else None
        for mention in sentences.values():
            state = network.moved(state, mention)
        yield UpdateNode(name, state=state)


def save_entity_states(network: EntityStates, path: str | Path, scores: dict[str, Any]) -> None:
    """Write weights as fp16 safetensors with their sizes and the scores they got."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().half().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {"kind": "graphmem-node-states", "sizes": json.dumps(network.sizes), "scores": json.dumps(scores)}
    save_file(tensors, str(path), metadata)


@lru_cache(maxsize=4)
def load_entity_states(folder: str | Path) -> EntityStates | None:
    """The weights in a base's folder, in evaluation mode; None where none were trained.

    Raises:
        WeightsMismatch: the file is there and holds something else.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(folder) / FILE
    if not path.exists():
        return None
    try:
        with safe_open(str(path), "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsMismatch(f"{path} cannot be read as weights of node states: {error}") from error
    if header.get("kind") != "graphmem-node-states":
        raise WeightsMismatch(f"{path} holds no node states; train some: python -m graphmem.training.entity_states")
    network = EntityStates(**json.loads(header["sizes"]))
    network.load_state_dict(tensors)
    return network.eval()
