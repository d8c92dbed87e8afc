"""Node vectors for search: packed ones, a small overlay of later changes, and the nodes without a vector.

Up to ``PLAIN`` vectors are kept as floats. More are kept as int8 codes (``int8_scan``), which choose candidates; the
caller rescores these with their full vectors from the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from graphmem.storage.index.int8_scan import best_codes, dots, quantise, top

PLAIN = 4096  # maximum number of vectors that are kept as floats; a scan of codes is faster beyond
OVERLAY = 4096  # changed vectors in the overlay before everything is repacked


@dataclass(frozen=True, slots=True)
class Plain:
    """Vectors as they are: ids int64 [n], ascending, and vectors float32 [n, K]."""

    ids: np.ndarray
    vectors: np.ndarray

    def best(self, query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the ``count`` highest scores, best first, and the scores."""
        return top(self.vectors @ query, count)

    def scores(self, rows: np.ndarray, query: np.ndarray) -> np.ndarray:
        """Scores of some rows."""
        return np.asarray(self.vectors[rows] @ query, np.float32)

    def without(self, rows: np.ndarray) -> Plain:
        """The same without some rows."""
        return Plain(np.delete(self.ids, rows), np.delete(self.vectors, rows, axis=0))


@dataclass(frozen=True, slots=True)
class Coded:
    """Vectors as codes: ids int64 [n], ascending, codes int8 [n, K], scales float32 [n], NaN for a removed row."""

    ids: np.ndarray
    codes: np.ndarray
    scales: np.ndarray

    def best(self, query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of about the ``count`` highest scores, best first, and the scores, a few thousandths off."""
        return best_codes(self.codes, self.scales, query, count)

    def scores(self, rows: np.ndarray, query: np.ndarray) -> np.ndarray:
        """Scores of some rows, a few thousandths off; NaN for removed rows."""
        return dots(self.codes[rows], self.scales[rows], query)

    def without(self, rows: np.ndarray) -> Coded:
        """The same without some rows; the codes are shared."""
        scales = self.scales.copy()
        scales[rows] = np.nan
        return replace(self, scales=scales)


def no_vectors(width: int = 0) -> Plain:
    """Empty overlay."""
    return Plain(np.zeros(0, np.int64), np.zeros((0, width), np.float32))


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """The vectors of the live nodes of one moment. Immutable: ``patched`` makes a new one that shares the codes.

    Attributes:
        base: the packed vectors.
        extra: later vectors.
        pending: int64 [P], ascending: live nodes that have no vector yet.
    """

    base: Plain | Coded
    extra: Plain
    pending: np.ndarray

    @property
    def empty(self) -> bool:
        """Whether no node was ever encoded."""
        return not len(self.base.ids) and not len(self.extra.ids)

    @property
    def exact(self) -> bool:
        """Whether scores are those of the vectors, not of codes."""
        return isinstance(self.base, Plain)

    def candidates(self, query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` best: ids int64 [n] and scores float32 [n], best first."""
        found = [(part.ids[rows], scores) for part in self._parts() for rows, scores in [part.best(query, count)]]
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        ids, scores = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((ids, -scores))[:count]
        return ids[order], scores[order]

    def similarity(self, query: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Scores float32 [N] of some nodes, a few thousandths off; NaN where a node has no vector."""
        out = np.full(len(nodes), np.nan, np.float32)
        for part in self._parts():
            rows = np.minimum(np.searchsorted(part.ids, nodes), len(part.ids) - 1)
            known = np.flatnonzero(part.ids[rows] == nodes)
            scores = part.scores(rows[known], query)
            out[known[~np.isnan(scores)]] = scores[~np.isnan(scores)]
        return out

    def patched(self, changed: np.ndarray, ids: np.ndarray, vectors: np.ndarray, pending: np.ndarray) -> VectorIndex:
        """Index in which the ``changed`` nodes have the vectors given here, or none.

        Args:
            changed: int64 [C].
            ids: int64 [m], those of them that have a vector, ascending.
            vectors: float32 [m, K].
            pending: int64 [P], ascending: all live nodes without a vector.
        """
        rows = _rows_of(self.base, changed)
        base = self.base.without(rows) if len(rows) else self.base
        extra = self.extra.without(_rows_of(self.extra, changed))
        if len(ids):
            merged = np.concatenate([extra.ids, ids])
            order = np.argsort(merged)
            extra = Plain(merged[order], np.concatenate([extra.vectors.reshape(-1, vectors.shape[1]), vectors])[order])
        view = VectorIndex(base, extra, pending)
        return view if len(extra.ids) <= max(OVERLAY, len(base.ids) // 16) else view.repacked()

    def repacked(self) -> VectorIndex:
        """The same index without an overlay."""
        ids = np.concatenate([self.base.ids, self.extra.ids])
        order = np.argsort(ids)
        if isinstance(self.base, Plain) and len(ids) <= PLAIN:
            vectors = np.concatenate([self.base.vectors.reshape(-1, self.extra.vectors.shape[1]), self.extra.vectors])
            return VectorIndex(Plain(ids[order], vectors[order]), no_vectors(vectors.shape[1]), self.pending)
        parts = [  # without empty ones, which have no width
            part if isinstance(part, Coded) else Coded(part.ids, *quantise(part.vectors)) for part in self._parts()
        ]
        scales = np.concatenate([part.scales for part in parts])[order]
        order, scales = order[~np.isnan(scales)], scales[~np.isnan(scales)]
        codes = np.concatenate([part.codes for part in parts])[order]
        return VectorIndex(Coded(ids[order], codes, scales), no_vectors(codes.shape[1]), self.pending)

    def _parts(self) -> Iterable[Plain | Coded]:
        return [part for part in (self.base, self.extra) if len(part.ids)]


def _rows_of(part: Plain | Coded, nodes: np.ndarray) -> np.ndarray:
    """Rows of those of the nodes that a part holds."""
    if not len(part.ids):
        return np.zeros(0, np.int64)
    rows = np.minimum(np.searchsorted(part.ids, nodes), len(part.ids) - 1)
    return np.asarray(rows[part.ids[rows] == nodes])
