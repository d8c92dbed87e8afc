"""Relevance GNN: query-conditioned node states and one relevance logit a node, over an activated subgraph.

Relations enter as the relation vectors of the gates, so the network applies to relations and graphs it was not trained
on. The logit is a bounded correction to the log of the activation, zero before training: it decides ties and near ties.
Without the bound it overfits training graphs and does worse than activation alone on held-out relations. The layer is
of the NBFNet family (Zhu et al. 2021): messages are sender states times query-conditioned relation vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graphmem.core.validation import require_counts

MAX_CORRECTION = 0.1
"""Maximum change of a node's logit, in nats."""

FEATURES = 10
"""Input features of a node; see ``node_features``."""


@dataclass(frozen=True, slots=True)
class GNNConfig:
    """Sizes of the GNN: whole numbers of at least 1, or InvalidValue is raised.

    Attributes:
        dim: K, width of relation and question vectors.
        width: G, width of node states.
        layers: rounds of message passing.
    """

    dim: int = 384
    width: int = 64
    layers: int = 2

    def __post_init__(self) -> None:
        require_counts(self)


class QueryConv(nn.Module):
    r"""One round: :math:`h_v' = h_v + \phi(h_v, \sum_u \mathrm{relu}(W h_u \odot r_{uv}) / \sqrt{1 + d_v})`.

    Shapes: states [N, G], edge_index [2, E], relation vectors [E, G] -> [N, G].
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.send = nn.Linear(width, width)
        self.update_ = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, states: Tensor, edge_index: Tensor, relation: Tensor) -> Tensor:
        """One round of messages; see the class."""
        degree = torch.bincount(edge_index[1], minlength=len(states)).to(states.dtype)
        sent = self.send(states)
        messages = sent.index_select(0, edge_index[0]).mul_(relation).relu_()
        summed = torch.zeros_like(sent).index_add_(0, edge_index[1], messages) * (1 + degree).rsqrt()[:, None]
        return self.norm(states + self.update_(torch.cat([states, summed], -1)))


class RelevanceGNN(nn.Module):
    """States [N, G] and relevance logits [N] of an activated subgraph."""

    def __init__(self, config: GNNConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GNNConfig()
        self.node = nn.Linear(FEATURES, config.width)
        self.question = nn.Linear(config.dim, config.width)
        self.relation = nn.Linear(config.dim, config.width)
        self.step = nn.Linear(config.dim, config.width)
        self.convs = nn.ModuleList(QueryConv(config.width) for _ in range(config.layers))
        self.score = nn.Linear(config.width, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(
        self, features: Tensor, question: Tensor, relations: Tensor, edge_index: Tensor, codes: Tensor,
        gates: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Pass messages and score the nodes.

        Args:
            features: [N, FEATURES]; the first is the log of the activation.
            question: [K] vector of the question.
            relations: [A, K] relation vectors by arc code.
            edge_index: int64 [2, E], arcs in both directions.
            codes: int64 [E], their arc codes.
            gates: [hops, A] gate of every arc code at every hop, in nats.

        Returns:
            states [N, G] and relevance logits [N].
        """
        openness = torch.sigmoid(gates - gates.amax(1, keepdim=True) + 4.0).sum(0)  # [A]
        gated = (self.relation(relations) + self.step(question)) * (0.1 + openness[:, None])  # [A, G]
        states = torch.relu(self.node(features) + self.question(question))
        relation = gated.index_select(0, codes)  # [E, G]
        for conv in self.convs:
            states = conv(states, edge_index, relation)
        return states, features[:, 0] + MAX_CORRECTION * torch.tanh(self.score(states)[:, 0])


def node_features(found: Any, degree: Any, seeds: int) -> Tensor:
    """Input features of the nodes, float32 [N + seeds, FEATURES]; rows of seeds come last and only have their flag.

    Log activation, share of the highest, length of the best path (three columns), log number of arcs into the node on
    it, log degree, log number of nodes with the same activation, seed flag, and one. ``found`` is an
    ``ActivatedSubgraph``, ``degree`` int64 [N + seeds]; ``seeds`` are those that are not among the activated nodes.
    """
    activation = torch.from_numpy(found.activation).clamp(min=1e-9)
    count = len(activation)
    features = torch.zeros(count + seeds, FEATURES)
    features[:, 0] = -21.0
    features[:count, 0] = activation.log()
    features[:count, 1] = activation / activation.max()
    hops = torch.from_numpy(found.best[:, 0]).clamp(max=3)
    features[torch.arange(count), 1 + hops] = 1.0  # 2, 3, 4
    features[:count, 5] = torch.from_numpy(found.path_counts).log1p()
    features[:, 6] = torch.from_numpy(degree).float().log1p()
    _, ties = torch.unique_consecutive(activation, return_counts=True)  # the most active come first
    features[:count, 7] = ties.float().log1p().repeat_interleave(ties)
    features[count:, 8] = 1.0
    features[:, 9] = 1.0
    return features
