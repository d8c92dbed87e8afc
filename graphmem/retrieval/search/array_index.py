"""Graph index over arrays in memory, for triples that are in no store."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from graphmem.core.names import normalise
from graphmem.core.types import Arcs
from graphmem.retrieval.search.frontier import ranges


class ArrayIndex:
    """``GraphIndex`` of triples. Node ids are positions in ``names``; fact ids the triples' positions.

    Names that differ only in case or spacing are one node.
    """

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        self.ids: dict[str, int] = {}
        self.names: list[str] = []
        relations: dict[str, int] = {}
        facts = [
            (self._id(subject), relations.setdefault(relation, len(relations)), self._id(object_))
            for subject, relation, object_ in triples
        ]
        self.relations = tuple(relations)
        source, relation, target = np.asarray(facts, np.int64).reshape(-1, 3).T  # [F] each
        origin = np.concatenate([source, target])
        order = np.argsort(origin, kind="stable")
        self.size = len(self.names)
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(origin, minlength=self.size))])
        self._target = np.concatenate([target, source])[order]
        self._code = np.concatenate([2 * relation, 2 * relation + 1])[order]
        self._edge = np.tile(np.arange(len(source)), 2)[order]

    def _id(self, name: str) -> int:
        key = normalise(name)
        if key not in self.ids:
            self.ids[key] = len(self.names)
            self.names.append(name)
        return self.ids[key]

    def degree(self, nodes: np.ndarray) -> np.ndarray:
        """Number of arcs out of each node, both directions, int64 [N]."""
        return np.asarray(self._starts[nodes + 1] - self._starts[nodes], np.int64)

    def expand(self, nodes: np.ndarray, limit: int | None = None) -> Arcs:
        """Arcs out of ``nodes``, at most ``limit`` of each."""
        counts = self.degree(nodes) if limit is None else np.minimum(self.degree(nodes), limit)
        origin, at = ranges(self._starts[np.asarray(nodes, np.int64)], counts)
        return Arcs(origin, self._target[at], self._code[at], self._edge[at])
