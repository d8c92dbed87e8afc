"""Results of a retrieval: scored nodes, facts, paths and passages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphmem.core.names import normalise
from graphmem.core.types import Fact, Subgraph
from graphmem.retrieval.search.spreading_activation import ActivatedSubgraph
from graphmem.retrieval.seeds import Seeds

if TYPE_CHECKING:
    from graphmem.retrieval.passages.search import ScoredPassage


@dataclass(frozen=True, slots=True)
class ScoredNode:
    """A retrieved node. ``score`` is comparable within one retrieval."""

    id: int
    name: str
    score: float
    kind: str = "entity"


@dataclass(frozen=True, slots=True)
class AnswerPath:
    """The chain of facts from a seed to a retrieved node.

    ``nodes`` are the ids on the way, one more than ``facts``; only the node itself where it is a seed, or was found by
    its text. Their order gives the direction of the facts.
    """

    node: ScoredNode
    nodes: tuple[int, ...]
    facts: tuple[Fact, ...]

    def __str__(self) -> str:
        return f"{self.node.name}: " + "; ".join(map(str, self.facts))


@dataclass(frozen=True)
class Retrieval:
    """Result of a query.

    Attributes:
        nodes: the most relevant nodes, best first; at most ``top_k``.
        subgraph: all activated nodes, most relevant first.
        seeds: the seed nodes, with the names in the query that match them.
        activated: details of the activation, where the ranker spreads any.
    """

    query: str
    nodes: tuple[ScoredNode, ...]
    subgraph: Subgraph
    seeds: Seeds
    ranker: str
    store: Any = field(repr=False, compare=False)
    max_facts: int = 100
    activated: ActivatedSubgraph | None = field(default=None, repr=False, compare=False)
    find_passages: Callable[[], tuple[ScoredPassage, ...]] = field(default=tuple, repr=False, compare=False)

    @property
    def answerable(self) -> float:
        """Probability that something here answers the query; 0 when nothing was found."""
        if not len(self.subgraph.node_ids):
            return 0.0
        return 1.0 if self.subgraph.answerable is None else float(self.subgraph.answerable)

    @property
    def unclear(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Names in the query that may mean several nodes, each with the names of these."""
        return self.seeds.unclear

    @cached_property
    def facts(self) -> list[Fact]:
        """Facts of the subgraph: first the chains to the best nodes, then by the relevance of their ends."""
        graph = self.subgraph
        if not len(graph.edge_ids):
            return []
        best = np.argsort(-graph.relevance[graph.edge_index].max(0), kind="stable")
        chains = [edge for node in self.nodes for edge in self._chain_to(node.id)]
        ids = list(dict.fromkeys([*chains, *graph.edge_ids[best].tolist()]))[: self.max_facts]
        return list(self.store.facts_by_id(ids))

    @cached_property
    def passages(self) -> tuple[ScoredPassage, ...]:
        """Passages about the query, best first, at most ``top_k``; searched on first use."""
        return self.find_passages()

    @cached_property
    def paths(self) -> list[AnswerPath]:
        """The strongest chain of facts from a seed to each of ``nodes``, in their order."""
        return [self._path(node) for node in self.nodes]

    def _path(self, end: ScoredNode) -> AnswerPath:
        edges, nodes = self._chain_to(end.id), [end.id]
        for number in reversed(edges):
            edge = self.store.edge(number)
            nodes.append(edge.src if edge.dst == nodes[-1] else edge.dst)
        facts = {fact.id: fact for fact in self.store.facts_by_id(edges)} if edges else {}
        return AnswerPath(end, tuple(nodes[::-1]), tuple(facts[number] for number in edges))

    def path_to(self, name: str) -> list[Fact]:
        """The chain of facts from a seed to the node of a name; empty where none was reached."""
        wanted = set(self.store.resolve_many([normalise(name)]).get(normalise(name), ()))
        ends = [node for node in self.subgraph.node_ids.tolist() if node in wanted]
        edges = self._chain_to(ends[0]) if ends else []
        return list(self.store.facts_by_id(edges)) if edges else []

    def _chain_to(self, node: int) -> list[int]:
        if self.activated is not None:
            at = np.flatnonzero(self.activated.nodes == node)
            return self.activated.chain(int(at[0])) if len(at) else []
        at = np.flatnonzero(self.subgraph.node_ids == node)
        return _chain(self.subgraph, int(at[0])) if len(at) else []


def _chain(graph: Subgraph, end: int) -> list[int]:
    """Fact ids of a shortest chain from any seed to position ``end``; ties go to the more relevant nodes."""
    seeds = {node for node, _ in graph.seeds}
    position = {node: i for i, node in enumerate(graph.node_ids.tolist())}
    starts = [position[node] for node in seeds if node in position]
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for a, b, edge in zip(*graph.edge_index.tolist(), graph.edge_ids.tolist(), strict=True):
        neighbours.setdefault(a, []).append((b, edge))
        neighbours.setdefault(b, []).append((a, edge))
    parents: dict[int, tuple[int, int]] = {start: (-1, -1) for start in starts}
    queue = deque(starts)
    while queue and end not in parents:
        here = queue.popleft()
        for there, edge in sorted(neighbours.get(here, ())):
            if there not in parents:
                parents[there] = (here, edge)
                queue.append(there)
    chain: list[int] = []
    while end in parents and parents[end][0] >= 0:
        end, edge = parents[end]
        chain.append(edge)
    return chain[::-1]
