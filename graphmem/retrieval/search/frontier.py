"""One hop of spreading activation: the open arcs of a frontier, and the relation paths that they extend.

A frontier of a few hundred nodes has tens of thousands of arcs, and few of them lie on a good path. Compiled kernels
(numba, the extra ``fast``) visit each arc once and write only the open ones; the numpy fallback makes arrays of all.
Both give the same arrays in the same order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from graphmem.core.kernels import KernelLoader

compiled = KernelLoader("graphmem.retrieval.search.frontier_kernels")


class Spans(NamedTuple):
    """Arcs out of N nodes: ``counts[i]`` of them from ``starts[i]`` on, of ``target``, ``code`` and ``edge``."""

    starts: np.ndarray
    counts: np.ndarray
    target: np.ndarray
    code: np.ndarray
    edge: np.ndarray


def spans_of(index: Any, nodes: np.ndarray, limit: int) -> Spans:
    """Arcs out of ``nodes``, at most ``limit`` of each; without a copy where the index has them in one piece."""
    packed = getattr(index, "spans", None)
    spans = packed(nodes, limit) if packed is not None else None
    if spans is not None:
        return Spans(*spans)
    arcs = index.expand(nodes, limit)
    counts = np.bincount(arcs.origin, minlength=len(nodes))
    return Spans(np.cumsum(counts) - counts, counts, arcs.target, arcs.relation, arcs.edge)


class Hop(NamedTuple):
    """A frontier of M entries and the arcs out of it.

    Attributes:
        where: int64 [M], position of each entry's node in ``spans``.
        path: int64 [M], the relation path of each entry.
        scores: float [P], score of each path, in nats.
        gates: float [A], gate of each arc code, in nats.
    """

    where: np.ndarray
    path: np.ndarray
    spans: Spans
    scores: np.ndarray
    gates: np.ndarray

    def best_score(self) -> float:
        """Highest score of any one-arc extension, in nats; minus infinity where there is no arc."""
        best, kernels = self.node_scores(), compiled.get()
        if kernels is not None:
            return float(kernels.best_score(best, self.spans.starts, self.spans.counts, self.spans.code, self.gates))
        origin, arc = ranges(self.spans.starts, self.spans.counts)
        return float((best[origin] + self.gates[self.spans.code[arc]]).max(initial=-np.inf))

    def node_scores(self) -> np.ndarray:
        """Best path score of each node in ``spans``, float [N]."""
        best = np.full(len(self.spans.starts), -np.inf)
        np.maximum.at(best, self.where, self.scores[self.path])
        return best

    def extensions(self, floor: float) -> np.ndarray:
        """Paths that are one arc longer and score at least ``floor``: ascending ``path * A + code``, int64 [Q]."""
        kernels, width = compiled.get(), len(self.gates)
        if kernels is not None:
            found = np.zeros(len(self.scores) * width, np.bool_)
            kernels.mark_extensions(*self._inputs(), floor, found)
            return np.flatnonzero(found)
        entry, arc = self._open_arcs(floor)
        return np.unique(self.path[entry] * width + self.spans.code[arc])

    def crossings(self, floor: float, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Entry, arc and path number, int64 [J] each, of every open arc on a numbered path.

        ``numbers`` int64 [P * A] holds the number of the longer path ``path * A + code``; -1 leaves it out.
        """
        kernels = compiled.get()
        if kernels is not None:
            none = np.zeros(0, np.int64)
            count = kernels.list_crossings(*self._inputs(), floor, numbers, none, none, none)
            entry, arc, number = (np.empty(count, np.int64) for _ in range(3))
            kernels.list_crossings(*self._inputs(), floor, numbers, entry, arc, number)
            return entry, arc, number
        entry, arc = self._open_arcs(floor)
        number = numbers[self.path[entry] * len(self.gates) + self.spans.code[arc]]
        kept = number >= 0
        return entry[kept], arc[kept], number[kept]

    def _inputs(self) -> tuple[np.ndarray, ...]:
        """Arguments that the kernels share."""
        return self.where, self.path, self.spans.starts, self.spans.counts, self.spans.code, self.scores, self.gates

    def _open_arcs(self, floor: float) -> tuple[np.ndarray, np.ndarray]:
        """Every pair of an entry and an open arc out of its node: entry and arc numbers, int64 [J] each."""
        origin, arc = ranges(self.spans.starts, self.spans.counts)
        gates = self.gates[self.spans.code[arc]]
        some = np.flatnonzero(self.node_scores()[origin] + gates >= floor)
        origin, arc, gates = origin[some], arc[some], gates[some]
        counts = np.bincount(origin, minlength=len(self.spans.starts))
        entry, at = ranges((np.cumsum(counts) - counts)[self.where], counts[self.where])
        kept = self.scores[self.path[entry]] + gates[at] >= floor
        return entry[kept], arc[at[kept]]


def ranges(starts: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row i and value of the ranges ``starts[i] .. starts[i] + counts[i] - 1``, int64 [sum of counts] each."""
    row = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return row, starts[row] + rank
