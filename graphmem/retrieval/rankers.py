"""Ranker interface, and the untrained baselines: personalised PageRank, dense, BM25 and their fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graphmem.core.protocols import GraphIndex, TextEncoder
from graphmem.core.types import Subgraph
from graphmem.retrieval.search.pagerank import push
from graphmem.retrieval.search.spreading_activation import ActivatedSubgraph, Budget
from graphmem.retrieval.seeds import Seeds, encode_missing, fuse


@dataclass(frozen=True, slots=True)
class Search:
    """Input of a ranker: a query, its seeds, and the memory that is searched."""

    query: str
    seeds: Seeds
    index: GraphIndex
    store: Any
    encoder: TextEncoder
    budget: Budget


@dataclass(frozen=True, slots=True)
class Ranked:
    """Output of a ranker: the subgraph, and for learned rankers the details of the activation."""

    graph: Subgraph
    activated: ActivatedSubgraph | None = None


class Ranker(Protocol):
    """Ranks nodes of a memory for a query, most relevant first."""

    def rank(self, search: Search) -> Ranked: ...


class PageRankRanker:
    """Personalised PageRank from the seeds alone. Named seeds themselves rank last."""

    def __init__(self, damping: float = 0.5) -> None:
        self.damping = damping

    def rank(self, search: Search) -> Ranked:
        """Rank by the mass that reaches a node."""
        seeds = search.seeds
        if not len(seeds.nodes):
            return Ranked(Subgraph.empty())
        settings: dict[str, Any] = {"damping": self.damping, "budget": search.budget}
        nodes, mass, truncated_mass = push(search.index, seeds.nodes, seeds.weights, **settings)
        if seeds.mentions:
            mass = np.where(np.isin(nodes, seeds.nodes), mass * 1e-6, mass).astype(np.float32)
        return assemble(search, nodes, np.log(np.maximum(mass, 1e-30)), mass, truncated_mass)


class DenseRanker:
    """Nodes nearest to the query by vector; no graph."""

    def rank(self, search: Search) -> Ranked:
        if not search.query.strip():
            return Ranked(Subgraph.empty())
        encode_missing(search.store, search.encoder)
        query, limit = search.encoder.encode([search.query])[0], min(search.budget.nodes, 100)
        nodes, cosines = search.store.nearest(query, search.encoder.fingerprint, limit)
        return assemble(search, nodes, 20 * (cosines - 0.5), np.maximum(cosines, 0), 0.0)


class BM25Ranker:
    """Nodes by BM25 of their text; no graph."""

    def rank(self, search: Search) -> Ranked:
        found = search.store.search_text(search.query, limit=min(search.budget.nodes, 100))
        if not found:
            return Ranked(Subgraph.empty())
        nodes, scores = np.asarray(found).T
        scores = scores.astype(np.float32)
        return assemble(search, nodes.astype(np.int64), scores, scores / scores.max(), 0.0)


class HybridRanker:
    """Reciprocal-rank fusion of ``DenseRanker`` and ``BM25Ranker``; no graph."""

    def rank(self, search: Search) -> Ranked:
        rankings = [ranker.rank(search).graph.node_ids.tolist() for ranker in (DenseRanker(), BM25Ranker())]
        if not any(rankings):
            return Ranked(Subgraph.empty())
        nodes, scores = fuse([(1.0, ranking) for ranking in rankings], search.budget.nodes)
        return assemble(search, nodes, scores, scores, 0.0)


def assemble(
    search: Search, nodes: np.ndarray, relevance: np.ndarray, activation: np.ndarray, truncated_mass: float
) -> Ranked:
    """Nodes as a Subgraph with the arcs among them, most relevant first."""
    order = np.argsort(-relevance, kind="stable")
    nodes, relevance, activation = nodes[order], relevance[order], activation[order]
    edge_index, relations, edges = arcs_among(search.index, nodes, search.budget)
    graph = Subgraph(
        node_ids=nodes.astype(np.int64), relevance=relevance.astype(np.float32),
        activation=np.clip(activation, 0, 1).astype(np.float32), edge_index=edge_index, relations=relations,
        edge_ids=edges, seeds=search.seeds.pairs(), truncated_mass=truncated_mass,
    )  # fmt: skip
    return Ranked(graph)


def arcs_among(index: GraphIndex, nodes: np.ndarray, budget: Budget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Facts with both ends among ``nodes``: positions int64 [2, E], arc codes and fact ids, int64 [E]."""
    if not len(nodes):
        return np.zeros((2, 0), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    expanded = np.cumsum(np.minimum(index.degree(nodes), budget.hub)) <= budget.arcs
    arcs = index.expand(nodes[expanded], budget.hub)
    order = np.argsort(nodes, kind="stable")
    position = np.minimum(np.searchsorted(nodes[order], arcs.target), len(nodes) - 1)
    inside = nodes[order][position] == arcs.target
    _, first = np.unique(arcs.edge[inside], return_index=True)
    kept = np.flatnonzero(inside)[first]
    edge_index = np.stack([np.flatnonzero(expanded)[arcs.origin[kept]], order[position[kept]]])  # [2, E]
    return edge_index.astype(np.int64), arcs.relation[kept].astype(np.int64), arcs.edge[kept].astype(np.int64)
