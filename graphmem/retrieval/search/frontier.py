"""One hop of spreading activation: which arcs out of a frontier are open, and on which relation paths they lie.

A frontier of a few hundred nodes has tens of thousands of arcs, nearly all of which no good path crosses. Compiled code
(numba, the extra ``fast``) looks at each of them once and writes down only the open ones; numpy, without it, makes
arrays of all. Both give the same arrays in the same order.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, NamedTuple

import numpy as np


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
    """A frontier and what may leave it.

    Attributes:
        where: int64 [M], of each entry the place of its node in ``spans``.
        path: int64 [M], the relation path that it lies on.
        spans: the arcs.
        scores: float [P], of each path, in nats.
        gates: float [A], of each arc code, in nats.
    """

    where: np.ndarray
    path: np.ndarray
    spans: Spans
    scores: np.ndarray
    gates: np.ndarray

    def reach(self) -> float:
        """The best score with which any arc may be crossed; minus infinity where there is none."""
        best = np.full(len(self.spans.starts), -np.inf)
        np.maximum.at(best, self.where, self.scores[self.path])
        kernels = _kernels()
        if kernels is not None:
            return float(kernels.reach(best, self.spans.starts, self.spans.counts, self.spans.code, self.gates))
        origin, arc = _every(self.spans)
        return float((best[origin] + self.gates[self.spans.code[arc]]).max(initial=-np.inf))

    def extensions(self, floor: float) -> np.ndarray:
        """Paths that are one arc longer and score at least ``floor``: ascending ``path * A + code``, int64 [Q]."""
        kernels, width = _kernels(), len(self.gates)
        if kernels is not None:
            spans, met = self.spans, np.zeros(len(self.scores) * width, np.bool_)
            kernels.meet(
                self.where, self.path, spans.starts, spans.counts, spans.code, self.scores, self.gates, floor, met
            )
            return np.flatnonzero(met)
        entry, arc = _open(self, floor)
        return np.unique(self.path[entry] * width + self.spans.code[arc])

    def crossings(self, floor: float, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Entry, arc and number, int64 [J] each, of every open arc on a path that has a number.

        Args:
            floor: as in ``extensions``.
            numbers: int64 [P * A], number of the longer path ``path * A + code``; -1 leaves it out.
        """
        kernels, spans = _kernels(), self.spans
        if kernels is not None:
            given = (
                self.where,
                self.path,
                spans.starts,
                spans.counts,
                spans.code,
                self.scores,
                self.gates,
                floor,
                numbers,
            )
            nothing = np.zeros(0, np.int64)
            count = kernels.cross(*given, nothing, nothing, nothing)
            entry, arc, number = (np.empty(count, np.int64) for _ in range(3))
            kernels.cross(*given, entry, arc, number)
            return entry, arc, number
        entry, arc = _open(self, floor)
        number = numbers[self.path[entry] * len(self.gates) + spans.code[arc]]
        kept = number >= 0
        return entry[kept], arc[kept], number[kept]


def _every(spans: Spans) -> tuple[np.ndarray, np.ndarray]:
    """Place of the node and number of every arc, int64 [E] each."""
    origin = np.repeat(np.arange(len(spans.counts)), spans.counts)
    rank = np.arange(len(origin)) - np.repeat(np.cumsum(spans.counts) - spans.counts, spans.counts)
    return origin, spans.starts[origin] + rank


def _open(hop: Hop, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Pair every entry with the arcs out of its node that it may cross: entry and arc numbers, int64 [J] each."""
    spans = hop.spans
    origin, arc = _every(spans)
    gates = hop.gates[spans.code[arc]]
    best = np.full(len(spans.starts), -np.inf)
    np.maximum.at(best, hop.where, hop.scores[hop.path])
    some = np.flatnonzero(best[origin] + gates >= floor)
    origin, arc, gates = origin[some], arc[some], gates[some]
    counts = np.bincount(origin, minlength=len(spans.starts))
    taken = counts[hop.where]
    entry = np.repeat(np.arange(len(hop.where)), taken)
    rank = np.arange(len(entry)) - np.repeat(np.cumsum(taken) - taken, taken)
    at = (np.cumsum(counts) - counts)[hop.where][entry] + rank
    kept = hop.scores[hop.path[entry]] + gates[at] >= floor
    return entry[kept], arc[at[kept]]


# ---------------------------------------------------------------- compiled code


class _Loader:
    """Imports the compiled kernels in the background, so that no query waits for the compiler."""

    def __init__(self) -> None:
        self.kernels: Any = None
        self.thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> threading.Thread:
        with self._lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self._load, name="graphmem-frontier", daemon=True)
                self.thread.start()
            return self.thread

    def _load(self) -> None:
        try:
            from graphmem.retrieval.search import frontier_kernels as frontier_compiled
        except Exception:  # numba is missing, or has no code for this machine: numpy goes on doing the work
            return
        self.kernels = frontier_compiled


_loader = _Loader()


def _kernels() -> Any:
    """The compiled kernels, or None while they are not there (yet)."""
    if _loader.kernels is None and _loader.thread is None:
        _loader.start()
    return _loader.kernels


def ready(seconds: float | None = None) -> bool:
    """Wait for the compiled kernels; says whether there are any. For benchmarks and services that warm up."""
    _loader.start().join(seconds)
    return _loader.kernels is not None and "numba" in sys.modules
