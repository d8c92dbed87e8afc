"""Sets of nodes with the facts that make each node a member; union, intersection and difference are exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

MAX_MEMBERS = 100_000
"""Facts of a node that are looked at; a set of more says that it may not be complete."""

MAX_ARCS = 1_000_000
"""Facts of all nodes of a set together that are looked at."""


def expand(index: Any, nodes: np.ndarray) -> tuple[Any, bool]:
    """Arcs out of nodes, int64 [n], and whether they are all: at most ``MAX_MEMBERS`` a node, ``MAX_ARCS`` together.

    ``origin`` of the arcs are positions in ``nodes``.
    """
    degrees = np.asarray(index.degree(nodes), np.int64)
    kept = np.cumsum(np.minimum(degrees, MAX_MEMBERS)) <= MAX_ARCS
    complete = bool(kept.all()) and int(degrees.max(initial=0)) <= MAX_MEMBERS
    return index.expand(nodes[kept], MAX_MEMBERS), complete


@dataclass(frozen=True, slots=True)
class MemberSet:
    """A set of nodes.

    Attributes:
        nodes: int64 [n], sorted, each once.
        edges: int64 [n, k], ids of facts that make a node a member; -1 for none.
        complete: whether every member was looked at.
    """

    nodes: np.ndarray
    edges: np.ndarray
    complete: bool = True

    @classmethod
    def of(cls, nodes: np.ndarray, edges: np.ndarray, complete: bool = True) -> MemberSet:
        """A set from nodes in any order, int64 [n], with their facts, int64 [n, k]; of a node twice, the first."""
        found, first = np.unique(np.asarray(nodes, np.int64), return_index=True)
        return cls(found, np.asarray(edges, np.int64).reshape(len(nodes), -1)[first], complete)

    @classmethod
    def without_facts(cls, nodes: Sequence[int]) -> MemberSet:
        """A set of given nodes."""
        found = np.unique(np.asarray(list(nodes), np.int64))
        return cls(found, np.zeros((len(found), 0), np.int64))

    def __len__(self) -> int:
        return len(self.nodes)

    def __and__(self, other: MemberSet) -> MemberSet:
        nodes, own, others = np.intersect1d(self.nodes, other.nodes, assume_unique=True, return_indices=True)
        edges = np.concatenate([self.edges[own], other.edges[others]], axis=1)
        return MemberSet(nodes, edges, self.complete and other.complete)

    def __sub__(self, other: MemberSet) -> MemberSet:
        kept = ~np.isin(self.nodes, other.nodes, assume_unique=True)
        return MemberSet(self.nodes[kept], self.edges[kept], self.complete and other.complete)

    def __or__(self, other: MemberSet) -> MemberSet:
        width = max(self.edges.shape[1], other.edges.shape[1])
        padded = [np.pad(s.edges, ((0, 0), (0, width - s.edges.shape[1])), constant_values=-1) for s in (self, other)]
        nodes = np.concatenate([self.nodes, other.nodes])
        return MemberSet.of(nodes, np.concatenate(padded), self.complete and other.complete)

    def without(self, nodes: Sequence[int]) -> MemberSet:
        """The set less some nodes."""
        return self - MemberSet.without_facts(nodes) if len(nodes) else self

    def only(self, kept: np.ndarray) -> MemberSet:
        """The members at which ``kept``, bool [n], is true."""
        return replace(self, nodes=self.nodes[kept], edges=self.edges[kept])

    def facts_of(self, node: int) -> list[int]:
        """Ids of the facts that make a node a member; none for another node."""
        at = int(np.searchsorted(self.nodes, node))
        if at == len(self.nodes) or self.nodes[at] != node:
            return []
        return [int(edge) for edge in dict.fromkeys(self.edges[at].tolist()) if edge >= 0]
