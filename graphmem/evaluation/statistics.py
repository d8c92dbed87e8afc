"""Percentile bootstrap intervals (Efron 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 10_000
_CHUNK = 1_000_000
"""Values drawn at once."""


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; nan for no values."""
    return sum(values) / len(values) if len(values) else float("nan")


def resampled_means(values: ArrayLike, seed: int = 0) -> np.ndarray:
    """Means over resampled rows, float64 [RESAMPLES, ...]; equal seeds give equal draws.

    Args:
        values: one row a question, [n] or [n, k], n at least 1.
        seed: of the draws.
    """
    rows, rng = np.asarray(values, dtype=np.float64), np.random.default_rng(seed)
    step = max(1, _CHUNK // max(1, rows.size))
    sizes = [min(step, RESAMPLES - start) for start in range(0, RESAMPLES, step)]
    return np.concatenate([rows[rng.integers(0, len(rows), (size, len(rows)))].mean(1) for size in sizes])


def percentile_interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The central interval that holds a share ``level`` of the draws [n]."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(values: Sequence[float], seed: int = 0, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean over resampled values; (nan, nan) for no values.

    Args:
        values: one figure a question; paired differences give the paired interval.
        seed: of the draws.
        level: share of resampled means inside.
    """
    return percentile_interval(resampled_means(values, seed), level) if len(values) else (float("nan"), float("nan"))


def paired_interval(first: Sequence[float], second: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Interval of the mean difference first - second over the same questions."""
    return bootstrap_interval([a - b for a, b in zip(first, second, strict=True)], seed)


def ratio_interval(
    parts: Sequence[tuple[float, float]], seed: int = 0, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Sum of the first over sum of the second, with the interval over resampled parts; nan where that sum is 0.

    For figures per token: tokens of one text are not independent, so whole texts are resampled.
    """
    rows = np.asarray(parts, dtype=np.float64).reshape(-1, 2)
    total = rows.sum(0)
    if not total[1]:
        return float("nan"), float("nan"), float("nan")
    means = resampled_means(rows, seed)
    means = means[means[:, 1] > 0]
    return float(total[0] / total[1]), *percentile_interval(means[:, 0] / means[:, 1], level)
