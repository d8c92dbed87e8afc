"""Graph network over the evidence of a question: weighs supports by what meets at their answers and topics.

Rounds of message passing (Gilmer et al., 1704.01212) between supports and nodes: a node takes the maximum and the mean
of its supports' messages, a support takes what its nodes hold and a summary of the question. The output is added to
the weight that reading alone gives, so an untrained network changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.core.paths import WEIGHTS
from graphmem.reasoning.evidence_graph import FEATURES, EvidenceGraph

KIND = "graph-network"
SHIPPED = WEIGHTS / "graph_network.safetensors"


class GraphBatch:
    """Graphs of several questions side by side.

    Attributes:
        features: float32 [S, F]; ``base``: float32 [S].
        edges: int64 [3, E]; ``nodes``: number of nodes of all.
        question_of: int64 [S]; ``answer_of``: int64 [S], answers counted over all questions.
        question_of_answer: int64 [A].
    """

    def __init__(self, graphs: Sequence[EvidenceGraph]) -> None:
        self.features = torch.from_numpy(np.concatenate([g.features for g in graphs]))
        self.base = torch.from_numpy(np.concatenate([g.base for g in graphs]))
        rows = np.cumsum([0, *(len(g.base) for g in graphs)])
        firsts = np.cumsum([0, *(g.nodes for g in graphs)])
        answers = np.cumsum([0, *(g.answers for g in graphs)])
        offsets = [np.array([[row], [first], [0]]) for row, first in zip(rows, firsts, strict=True)]
        self.edges = torch.from_numpy(np.concatenate([g.edges + o for g, o in zip(graphs, offsets, strict=False)], 1))
        self.nodes, self.questions = int(firsts[-1]), len(graphs)
        self.question_of = torch.from_numpy(np.repeat(np.arange(len(graphs)), np.diff(rows)))
        self.answer_of = torch.from_numpy(
            np.concatenate([g.answer_of + a for g, a in zip(graphs, answers, strict=False)])
        )
        self.question_of_answer = torch.from_numpy(np.repeat(np.arange(len(graphs)), np.diff(answers)))


class GraphNetwork(nn.Module):
    """The network; ``width``: of the states, ``rounds``: of message passing."""

    def __init__(self, width: int = 32, rounds: int = 2, features: int = len(FEATURES)) -> None:
        super().__init__()
        self.config = {"width": width, "rounds": rounds, "features": features}
        self.embed = nn.Sequential(nn.Linear(features, width), nn.GELU(), nn.Linear(width, width))
        self.rounds = nn.ModuleList(_Round(width) for _ in range(rounds))
        self.linear, last = nn.Linear(features, 1), nn.Linear(width, 1)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), last)
        for layer in (self.linear, last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Weights of the supports [S] in nats; 0 is as likely as that none of them answers."""
        states = self.embed(batch.features)
        for layer in self.rounds:
            states = layer(states, batch)
        added: Tensor = self.linear(batch.features) + self.out(states)
        return batch.base + added[:, 0]


class _Round(nn.Module):
    """One round: supports to nodes and to the question, and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.node = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(2))
        self.update = nn.Sequential(nn.LayerNorm(5 * width), nn.Linear(5 * width, width), nn.GELU())

    def forward(self, states: Tensor, batch: GraphBatch) -> Tensor:
        """States of the supports [S, K] after the round."""
        parts = [states]
        for kind in range(2):
            support, node, _ = batch.edges[:, batch.edges[2] == kind]
            held = torch.relu(self.node[kind](aggregate(self.message[kind](states)[support], node, batch.nodes)))
            back = states.new_zeros(states.shape).index_add(0, support, held[node])
            count = states.new_zeros(len(states)).index_add(0, support, torch.ones_like(support, dtype=states.dtype))
            parts.append(back / count.clamp(min=1.0)[:, None])
        whole = aggregate(states, batch.question_of, batch.questions)
        parts.append(whole[batch.question_of])
        updated: Tensor = self.update(torch.cat(parts, 1))
        return states + updated


def aggregate(messages: Tensor, to: Tensor, count: int) -> Tensor:
    """Maximum and mean of the messages [E, K] to each of ``count`` places, [count, 2 K]; 0 where there are none."""
    index = to[:, None].expand_as(messages)
    zeros = messages.new_zeros(count, messages.shape[1])
    highest = zeros.scatter_reduce(0, index, messages, "amax", include_self=False)
    mean = zeros.scatter_reduce(0, index, messages, "mean", include_self=False)
    return torch.cat([highest, mean], 1)


def log_sum_exp(values: Tensor, to: Tensor, count: int) -> Tensor:
    """Log of the sum of exponentials of the values [S] at each of ``count`` places; -inf where there are none."""
    top = values.new_full((count,), float("-inf")).scatter_reduce(0, to, values.detach(), "amax")
    safe = torch.where(torch.isfinite(top), top, torch.zeros_like(top))
    return values.new_zeros(count).index_add(0, to, (values - safe[to]).exp()).log() + safe


@torch.inference_mode()
def weights_of(network: GraphNetwork, graph: EvidenceGraph) -> list[float]:
    """Weights of the supports of one question, in nats."""
    return network(GraphBatch([graph])).tolist()  # type: ignore[no-any-return]


def save_graph_network(path: str | Path, network: GraphNetwork, fingerprint: str, **notes: Any) -> Path:
    """Write the network with the fingerprint of the text encoder whose cosines it weighs; return the file."""
    notes |= {"config": network.config, "columns": list(FEATURES)}
    return save_module(path, network, kind=KIND, fingerprint=fingerprint, **notes)


def load_graph_network(fingerprint: str, path: str | Path = SHIPPED) -> GraphNetwork:
    """The network of a file that was trained with the text encoder of this fingerprint.

    Raises:
        WeightsMismatch: no such file, another encoder, or other features.
    """
    found = load_module(path, kind=KIND, fingerprint=fingerprint)
    config, columns = found.meta.get("config"), found.meta.get("columns")
    if not isinstance(config, dict) or columns != list(FEATURES):
        raise WeightsMismatch(f"{path} weighs other features ({columns}); train it again")
    network: GraphNetwork = found.load_into(GraphNetwork(**config))
    return network
