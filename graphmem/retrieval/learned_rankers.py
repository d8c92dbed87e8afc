"""Trained rankers: spreading activation through learned gates, and a GNN over the activated subgraph."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmem.core.types import Subgraph
from graphmem.retrieval.fact_text_scores import text_bonus
from graphmem.retrieval.rankers import Ranked, Search
from graphmem.retrieval.relation_scorer import RelationScorer, RelationScores, widened_lengths
from graphmem.retrieval.search.spreading_activation import ActivatedSubgraph, spread

MAX_GNN_NODES = 128
"""Most active nodes that the GNN rescores; it decides near ties among the first."""


class ActivationRanker:
    """Ranker by learned spreading activation: the probability that the answer is the end of a path."""

    def __init__(self, scorer: RelationScorer) -> None:
        self.scorer = scorer

    def activate(self, search: Search) -> tuple[RelationScores, ActivatedSubgraph] | None:
        """Relation scores and activated nodes of a search; None without seeds or where nothing is reached."""
        seeds, index = search.seeds, search.index
        if not len(seeds.nodes) or not len(index.relations):
            return None
        roots, weights = roots_of(search)
        scores = self.scorer.score(seeds.masked_query, index.relations)
        rescorer = self.scorer.rescorer(scores, index.relations)
        lengths = scores.lengths if rescorer is None else widened_lengths(scores.lengths)
        found = spread(index, roots, weights, scores.steps, lengths, search.budget, rescorer)
        return (scores, found) if len(found.nodes) else None

    def rank(self, search: Search) -> Ranked:
        """Rank the activated nodes by the log of their activation."""
        activated = self.activate(search)
        if activated is None:
            return Ranked(Subgraph.empty())
        scores, found = activated
        relevance = log_activation(found) + self.text_bonus(search, found, scores)
        return Ranked(as_subgraph(search, found, relevance), found)

    def text_bonus(self, search: Search, found: ActivatedSubgraph, scores: RelationScores) -> np.ndarray:
        """Relevance from the facts' own texts, in nats [N]."""
        return text_bonus(search, found, scores.question.numpy(), self.scorer.vectors)


class GNNRanker:
    """Ranker by activation and a GNN over the activated subgraph, which gives node states and decides near ties."""

    def __init__(self, scorer: RelationScorer, gnn: Any) -> None:
        self.activation, self.gnn = ActivationRanker(scorer), gnn

    def rank(self, search: Search) -> Ranked:
        """Rank the activated nodes by the logits of the GNN."""
        import torch

        activated = self.activation.activate(search)
        if activated is None:
            return Ranked(Subgraph.empty())
        scores, found = activated
        top = found.top(MAX_GNN_NODES, search.seeds.nodes)
        inputs = gnn_inputs(scores, top, search.index, _difference(search.seeds.nodes, top.nodes))
        with torch.inference_mode():
            states, logits = self.gnn(*inputs)
        count, all_states = len(top.nodes), np.zeros((len(found.nodes), states.shape[1]), np.float32)
        all_states[:count] = states[:count].numpy()
        relevance = log_activation(found)
        relevance[:count] = logits[:count].numpy()
        relevance += self.activation.text_bonus(search, found, scores)
        return Ranked(as_subgraph(search, found, relevance, all_states), found)


def log_activation(found: ActivatedSubgraph) -> np.ndarray:
    """Relevance in nats, float32 [N]: the log of the activation, at least 1e-9."""
    return np.asarray(np.log(np.maximum(found.activation, 1e-9)))


def gnn_inputs(scores: RelationScores, found: ActivatedSubgraph, index: Any, seeds: np.ndarray) -> tuple[Any, ...]:
    """Inputs of ``RelevanceGNN``: node features, question, relations, arcs both ways with their codes, gates.

    Args:
        scores: relation scores of the question.
        found: the activated nodes.
        index: the graph.
        seeds: int64 [S], seeds that are not among the activated nodes; they come last.
    """
    import torch

    from graphmem.retrieval.nn.gnn import node_features

    nodes = np.concatenate([found.nodes, seeds])
    codes = found.arcs[2]
    ends = _arc_ends(nodes, found)
    both = torch.from_numpy(np.concatenate([ends, ends[::-1]], 1))
    codes = torch.from_numpy(np.concatenate([codes, codes ^ 1]))
    features = node_features(found, index.degree(nodes), len(seeds))
    return features, scores.question, scores.relations, both, codes, torch.from_numpy(scores.steps)


def _arc_ends(nodes: np.ndarray, found: ActivatedSubgraph) -> np.ndarray:
    """Positions in ``nodes`` of the ends of all arcs, int64 [2, E]."""
    order = np.argsort(nodes, kind="stable")
    return np.asarray(order[np.searchsorted(nodes[order], found.arcs[:2])], np.int64)


def roots_of(search: Search) -> tuple[list[np.ndarray], np.ndarray]:
    """The nodes of each name in the query and its weight; without names every seed by itself."""
    seeds = search.seeds
    if not seeds.mentions:
        return [seeds.nodes[i : i + 1] for i in range(len(seeds.nodes))], seeds.weights
    allowed, best = set(seeds.nodes.tolist()), seeds.mentions[0].score
    roots = [(np.asarray([n for n in m.nodes if n in allowed], np.int64), m.score / best) for m in seeds.mentions]
    roots = [(nodes, weight) for nodes, weight in roots if len(nodes)]
    return [nodes for nodes, _ in roots], np.asarray([weight for _, weight in roots])


def _difference(few: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Ids of ``few`` that are not in ``many``, ascending; faster than ``numpy.setdiff1d``, which sorts both."""
    return np.unique(few[~(few[:, None] == many).any(axis=1)])


def as_subgraph(
    search: Search, found: ActivatedSubgraph, relevance: np.ndarray, states: np.ndarray | None = None
) -> Subgraph:
    """The activated nodes as a Subgraph, most relevant first; seeds that are not among them come last."""
    extra = _difference(search.seeds.nodes, found.nodes)
    order = np.argsort(-relevance, kind="stable")
    nodes = np.concatenate([found.nodes[order], extra])
    low = min(float(relevance.min(initial=0.0)), 0.0) - 2.0
    if states is not None:
        states = np.concatenate([states[order], np.zeros((len(extra), states.shape[1]), np.float32)])
    return Subgraph(
        node_ids=nodes, relevance=np.concatenate([relevance[order], np.full(len(extra), low)]).astype(np.float32),
        activation=np.concatenate([found.activation[order], np.zeros(len(extra), np.float32)]),
        edge_index=_arc_ends(nodes, found), relations=found.arcs[2], edge_ids=found.arcs[3], seeds=search.seeds.pairs(),
        truncated_mass=found.truncated_mass, states=states, answerable=1.0 - found.no_answer,
    )  # fmt: skip
