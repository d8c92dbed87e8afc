"""The trained rankers: activation through learned gates, and a GNN over what it activated."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmem.core.types import Subgraph
from graphmem.retrieval.fact_text_scores import text_bonus
from graphmem.retrieval.rankers import Ranked, Search
from graphmem.retrieval.relation_scorer import RelationScorer, RelationScores, eased
from graphmem.retrieval.search.spreading_activation import ActivatedSubgraph, spread

LOOKED_AT = 128
"""Most active nodes that the GNN looks at; what it settles are near ties among the first."""


class ActivationRanker:
    """Ranks by learned spreading activation alone: the probability that the answer lies where a path ends."""

    def __init__(self, reader: RelationScorer) -> None:
        self.reader = reader

    def activate(self, search: Search) -> tuple[RelationScores, ActivatedSubgraph] | None:
        """Read the question and spread from the seeds of a search; None when there are none or nothing is reached."""
        seeds, index = search.seeds, search.index
        if not len(seeds.nodes) or not len(index.relations):
            return None
        roots, weights = roots_of(search)
        read = self.reader.read(seeds.asked, index.relations)
        opinion = self.reader.opinion(read, index.relations)
        lengths = read.lengths if opinion is None else eased(read.lengths)
        found = spread(index, roots, weights, read.steps, lengths, search.budget, opinion)
        return (read, found) if len(found.nodes) else None

    def rank(self, search: Search) -> Ranked:
        """Rank what is activated, the most active first."""
        activated = self.activate(search)
        if activated is None:
            return Ranked(Subgraph.empty())
        read, found = activated
        relevance = np.log(np.maximum(found.activation, 1e-9)) + self.texts(search, found, read)
        return Ranked(as_subgraph(search, found, relevance), found)

    def texts(self, search: Search, found: ActivatedSubgraph, read: RelationScores) -> np.ndarray:
        """What facts' own texts add to relevance, in nats [N]."""
        return text_bonus(search, found, read.question.numpy(), self.reader.vectors)


class GNNRanker:
    """Activation first, then a GNN over what it reached, which gives states and breaks ties."""

    def __init__(self, reader: RelationScorer, gnn: Any) -> None:
        self.activation, self.gnn = ActivationRanker(reader), gnn

    def rank(self, search: Search) -> Ranked:
        """Rank what is activated by the GNN's logits."""
        import torch

        activated = self.activation.activate(search)
        if activated is None:
            return Ranked(Subgraph.empty())
        read, found = activated
        near = found.first(LOOKED_AT, search.seeds.nodes)
        seeds = _others(search.seeds.nodes, near.nodes)
        inputs = gnn_inputs(self.activation.reader, read, near, search.index, seeds)
        with torch.inference_mode():
            states, logits = self.gnn(*inputs)
        count, every = len(near.nodes), np.zeros((len(found.nodes), states.shape[1]), np.float32)
        every[:count] = states[:count].numpy()
        relevance = np.log(np.maximum(found.activation, 1e-9))
        relevance[:count] = logits[:count].numpy()
        relevance += self.activation.texts(search, found, read)
        return Ranked(as_subgraph(search, found, relevance, every), found)


def gnn_inputs(
    reader: RelationScorer, read: RelationScores, found: ActivatedSubgraph, index: Any, seeds: np.ndarray
) -> tuple[Any, ...]:
    """What the GNN takes: node features, question, relations, arcs both ways with their codes, gates.

    Args:
        reader: as read with.
        read: the question.
        found: what it activated.
        index: the graph.
        seeds: int64 [S], seeds that are not among the activated nodes; they come last.
    """
    import torch

    from graphmem.retrieval.nn.gnn import node_features

    nodes = np.concatenate([found.nodes, seeds])
    place = np.argsort(nodes, kind="stable")
    source, target, codes, _ = found.arcs
    ends = place[np.searchsorted(nodes[place], np.stack([source, target]))]  # [2, E]
    both = torch.from_numpy(np.concatenate([ends, ends[::-1]], 1))
    codes = torch.from_numpy(np.concatenate([codes, codes ^ 1]))
    features = node_features(found, index.degree(nodes), len(seeds))
    return features, read.question, read.relations, both, codes, torch.from_numpy(read.steps)


def roots_of(search: Search) -> tuple[list[np.ndarray], np.ndarray]:
    """The nodes of each mention and its weight; without mentions every seed by itself."""
    seeds = search.seeds
    if not seeds.mentions:
        return [seeds.nodes[i : i + 1] for i in range(len(seeds.nodes))], seeds.weights
    allowed, best = set(seeds.nodes.tolist()), seeds.mentions[0].score
    roots = [(np.asarray([n for n in m.nodes if n in allowed], np.int64), m.score / best) for m in seeds.mentions]
    roots = [(nodes, weight) for nodes, weight in roots if len(nodes)]
    return [nodes for nodes, _ in roots], np.asarray([weight for _, weight in roots])


def _others(few: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Those of a few ids that are not among many, ascending."""
    return np.unique(few[~(few[:, None] == many).any(axis=1)])


def as_subgraph(
    search: Search, found: ActivatedSubgraph, relevance: np.ndarray, states: np.ndarray | None = None
) -> Subgraph:
    """What was activated as a Subgraph, most relevant first; seeds that answer nothing come last."""
    extra = _others(search.seeds.nodes, found.nodes)
    order = np.argsort(-relevance, kind="stable")
    nodes = np.concatenate([found.nodes[order], extra])
    low = min(float(relevance.min(initial=0.0)), 0.0) - 2.0
    place = np.argsort(nodes, kind="stable")
    source, target, codes, edges = found.arcs
    ends = place[np.searchsorted(nodes[place], np.stack([source, target]))]  # [2, E]
    if states is not None:
        states = np.concatenate([states[order], np.zeros((len(extra), states.shape[1]), np.float32)])
    return Subgraph(
        node_ids=nodes, relevance=np.concatenate([relevance[order], np.full(len(extra), low)]).astype(np.float32),
        activation=np.concatenate([found.activation[order], np.zeros(len(extra), np.float32)]),
        edge_index=ends.astype(np.int64), relations=codes, edge_ids=edges, seeds=search.seeds.pairs(),
        left_out=found.left_out, states=states, answerable=1.0 - found.none,
    )  # fmt: skip
