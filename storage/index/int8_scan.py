"""Nearest vectors by exact scan over int8 codes: a quarter of the bytes, and bytes are what a scan costs.

A vector is kept as whole numbers of -127..127 and one scale. The codes choose more candidates than are requested,
and these are scored again by their full vectors. With numba (the extra ``fast``) a million vectors of width 384 take
about 13 ms on one core, close to what reading their bytes takes; numpy alone needs five times that.
"""

from __future__ import annotations

import numpy as np

from graphmem.core.kernels import KernelLoader

BLOCK = 2048  # rows that numpy turns to floats at a time
COMPILED_FROM = 4096  # rows from which compiled code is worth its loading

compiled = KernelLoader("graphmem.storage.index.int8_kernels")

Best = tuple[np.ndarray, np.ndarray]  # rows int64 [m] and their scores float32 [m], best first


def quantise(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes int8 [n, K] and scales float32 [n], such that ``codes * scales`` is close to the vectors [n, K]."""
    codes, scales = np.empty(vectors.shape, np.int8), np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = np.asarray(vectors[start : start + BLOCK], np.float32)
        largest = np.abs(block).max(axis=1, initial=0.0)
        scales[start : start + BLOCK] = largest / 127
        codes[start : start + BLOCK] = np.rint(block * (127 / np.maximum(largest, 1e-30))[:, None])
    return codes, scales


def best_codes(codes: np.ndarray, scales: np.ndarray, query: np.ndarray, count: int) -> Best:
    """The ``count`` rows whose codes, int8 [n, K], are most like a vector [K]; a scale of [n] that is NaN is no row."""
    query_code, scale = quantise(np.asarray(query, np.float32)[None])
    kernels = compiled.get() if len(codes) >= COMPILED_FROM else None
    if kernels is None:
        rows, scores = by_numpy(codes, scales, query_code[0], count)
    else:
        rows, scores = np.empty(min(count, len(codes)), np.int64), np.empty(min(count, len(codes)), np.float32)
        kernels.best(codes, scales, query_code[0], rows, scores)
        rows, scores = rows[rows >= 0], scores[rows >= 0]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order] * scale[0]


def dots(codes: np.ndarray, scales: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Scores float32 [n] of all rows: ``codes * scales @ query``."""
    query, out = np.asarray(query, np.float32), np.empty(len(codes), np.float32)
    for start in range(0, len(codes), BLOCK):
        out[start : start + BLOCK] = codes[start : start + BLOCK].astype(np.float32) @ query
    return out * scales


def top(scores: np.ndarray, count: int) -> Best:
    """The ``count`` highest of some scores, those that are NaN left out."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    rows = np.argpartition(known, len(known) - count)[len(known) - count :] if count < len(known) else None
    rows = np.arange(len(known)) if rows is None else rows
    rows = rows[known[rows] > -np.inf].astype(np.int64)
    order = np.lexsort((rows, -known[rows]))
    return rows[order], known[rows[order]].astype(np.float32)


def by_numpy(codes: np.ndarray, scales: np.ndarray, query: np.ndarray, count: int) -> Best:
    return top(dots(codes, scales, query.astype(np.float32)), count)
