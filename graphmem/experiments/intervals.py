"""95 % intervals by the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWS = 2000


def bootstrap(values: Sequence[float], seed: int = 0, *, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean over resampled values (Efron 1979); (nan, nan) for no values.

    Args:
        values: one figure a question.
        seed: of the draws; equal seeds give equal intervals.
        level: share of resampled means inside.
    """
    figures = np.asarray(values, dtype=np.float64)
    if not len(figures):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = np.array([figures[rng.integers(0, len(figures), len(figures))].mean() for _ in range(DRAWS)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired(first: Sequence[float], second: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean difference first - second over the same questions, with its 95 % bootstrap interval."""
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    return (sum(gaps) / len(gaps) if gaps else float("nan"), *bootstrap(gaps, seed))
