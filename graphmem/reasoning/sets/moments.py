"""Adjacency of the facts that held at some moment of an interval: what a set held "in 2010"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphmem.core.types import Arcs
from graphmem.questions.time_expressions import DAY


def moments_of(first: int, after: int) -> tuple[int, ...]:
    """Moments by which an interval is looked at, microseconds: its first and last, and the middle of more than a day.

    ``after`` is exclusive. A fact that began and ended between two of them is not seen.
    """
    if after - first <= DAY:
        return (first,)
    return tuple(dict.fromkeys((first, (first + after) // 2, after - 1)))


def index_of(store: Any, moments: Sequence[int]) -> Any:
    """Adjacency of the facts that held at one of some moments, in microseconds; of the present where there are none."""
    if len(moments) < 2:
        return store.index(*moments)
    return StackedIndex([store.index(moment) for moment in moments])


class StackedIndex:
    """Several views of one memory's adjacency as one; each fact counts once."""

    def __init__(self, views: Sequence[Any]) -> None:
        self.views, self.relations = list(views), views[0].relations

    def degree(self, nodes: np.ndarray) -> np.ndarray:
        """Arcs of each node, at most: a fact of several views is counted in each."""
        return np.sum([view.degree(nodes) for view in self.views], axis=0)

    def expand(self, nodes: np.ndarray, limit: int | None = None) -> Arcs:
        """Arcs out of nodes, at most ``limit`` of each node and view."""
        found = [view.expand(nodes, limit) for view in self.views]
        fields = ("origin", "target", "relation", "edge")
        joined = Arcs(*(np.concatenate([getattr(arcs, name) for arcs in found]) for name in fields))
        keys = np.stack([joined.origin, joined.relation, joined.edge], axis=1)
        return joined.take(np.sort(np.unique(keys, axis=0, return_index=True)[1]))

    def facts_of(self, relation: int, limit: int) -> np.ndarray:
        """Ids of facts of a relation, at most ``limit``."""
        return np.unique(np.concatenate([view.facts_of(relation, limit) for view in self.views]))[:limit]

    def facts_only(self) -> Any:
        """The same without passages; itself where there are none."""
        views = [view.facts_only() for view in self.views]
        return self if all(one is other for one, other in zip(views, self.views, strict=True)) else StackedIndex(views)
