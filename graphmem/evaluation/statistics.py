"""95 % intervals by the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRAWS = 2000


def bootstrap_interval(values: Sequence[float], seed: int = 0, *, level: float = 0.95) -> tuple[float, float]:
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


def ratio_interval(
    parts: Sequence[tuple[float, float]], seed: int = 0, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Sum of the first over sum of the second, with the percentile interval over resampled parts.

    For figures a token of texts: tokens of one text are not independent, so whole texts are drawn.
    """
    sums = np.asarray(parts, dtype=np.float64).reshape(-1, 2)
    if not len(sums) or not sums[:, 1].sum():
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = np.stack([sums[rng.integers(0, len(sums), len(sums))].sum(0) for _ in range(DRAWS)])  # [DRAWS, 2]
    drawn = drawn[drawn[:, 1] > 0]
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)


def paired_interval(first: Sequence[float], second: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean difference first - second over the same questions, with its 95 % bootstrap interval."""
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    return (sum(gaps) / len(gaps) if gaps else float("nan"), *bootstrap_interval(gaps, seed))
