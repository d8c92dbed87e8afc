"""Kernels of the scan over int8 codes, compiled by numba; ``int8_scan`` imports them in the background."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from graphmem.core.kernels import compiled

BLOCK = 1024  # rows whose scores are made in one plain loop, which is what the compiler turns into vector instructions


_CODES = types.Array(types.int8, 2, "C", readonly=True)
_SCALES = types.Array(types.float32, 1, "C", readonly=True)
_QUERY, _DOTS = types.Array(types.int8, 1, "C"), types.Array(types.int32, 1, "C")
_ROWS, _SCORES = types.Array(types.int64, 1, "C"), types.Array(types.float32, 1, "C")


@compiled(types.void(_CODES, _QUERY, types.int64, types.int64, _DOTS))
def _dots(codes: Any, query: Any, start: int, stop: int, out: Any) -> None:
    for row in range(start, stop):
        total = np.int32(0)
        for k in range(codes.shape[1]):
            total += np.int32(codes[row, k]) * np.int32(query[k])
        out[row - start] = total


@compiled(types.void(_ROWS, _SCORES, types.int64, types.int64, types.float32))
def _sink(rows: Any, scores: Any, count: int, row: int, score: float) -> None:
    """Put a row in the place of the heap's root, the worst, and let it sink to where it belongs."""
    at = 0
    while 2 * at + 1 < count:
        child = 2 * at + 1
        if child + 1 < count and scores[child + 1] < scores[child]:
            child += 1
        if scores[child] >= score:
            break
        scores[at], rows[at] = scores[child], rows[child]
        at = child
    scores[at], rows[at] = score, row


@compiled(types.void(_CODES, _SCALES, _QUERY, _ROWS, _SCORES))
def best(codes: Any, scales: Any, query: Any, rows: Any, scores: Any) -> None:
    """Fill ``rows`` and ``scores`` with the best, in no order; places that stay free hold row -1 and minus infinity.

    Codes int8 [n, K], scales float32 [n] (NaN takes a row out), query int8 [K], rows int64 [m], scores float32 [m].
    """
    rows[:] = -1
    scores[:] = -np.inf
    dots = np.empty(BLOCK, np.int32)
    for start in range(0, len(codes), BLOCK):
        stop = min(start + BLOCK, len(codes))
        _dots(codes, query, start, stop, dots)
        for row in range(start, stop):
            score = np.float32(dots[row - start]) * scales[row]
            if score > scores[0]:
                _sink(rows, scores, len(rows), row, score)
