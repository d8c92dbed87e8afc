"""Percentile bootstrap intervals (Efron 1979), calibration, and precision, recall and F1 of sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphmem.core.names import normalise

RESAMPLES = 10_000
BINS = 15
"""Bins of equal count of the calibration error."""

_CHUNK = 1_000_000
"""Values drawn at once."""


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; nan for no values."""
    return sum(values) / len(values) if len(values) else float("nan")


def resampled_means(values: ArrayLike, seed: int = 0) -> np.ndarray:
    """Means over resampled rows, float64 [RESAMPLES, ...], of one row a question, [n] or [n, k], n at least 1."""
    rows, rng = np.asarray(values, dtype=np.float64), np.random.default_rng(seed)
    step = max(1, _CHUNK // max(1, rows.size))
    sizes = [min(step, RESAMPLES - start) for start in range(0, RESAMPLES, step)]
    return np.concatenate([rows[rng.integers(0, len(rows), (size, len(rows)))].mean(1) for size in sizes])


def percentile_interval(draws: np.ndarray) -> tuple[float, float]:
    """The central interval that holds 95 % of the draws [n]."""
    low, high = np.quantile(draws, [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return float(low), float(high)


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean over resampled values, one a question; (nan, nan) for no values."""
    return percentile_interval(resampled_means(values, seed)) if len(values) else (float("nan"), float("nan"))


def paired_interval(first: Sequence[float], second: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Interval of the mean difference first - second over the same questions."""
    return bootstrap_interval([a - b for a, b in zip(first, second, strict=True)], seed)


def ratio_interval(parts: Sequence[tuple[float, float]], seed: int = 0) -> tuple[float, float, float]:
    """Sum of the first over sum of the second, with the interval over resampled parts; nan where that sum is 0.

    For figures per token: tokens of one text are not independent, so whole texts are resampled.
    """
    rows = np.asarray(parts, dtype=np.float64).reshape(-1, 2)
    total = rows.sum(0)
    if not total[1]:
        return float("nan"), float("nan"), float("nan")
    means = resampled_means(rows, seed)
    means = means[means[:, 1] > 0]
    return float(total[0] / total[1]), *percentile_interval(means[:, 0] / means[:, 1])


def calibration_error(pairs: Sequence[tuple[float, float]], seed: int = 0) -> tuple[float, float, float]:
    """Expected calibration error, with its 95 % interval, of pairs of a confidence and whether it was right.

    15 bins of equal count (1706.04599, with the bins of 1904.01685). Errors of resampled pairs are larger than the
    error itself, so their interval is moved until their median is the error. All are nan for no pairs.
    """
    rows = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    if not len(rows):
        return float("nan"), float("nan"), float("nan")
    rng, error = np.random.default_rng(seed), float(_calibration_errors(rows[None])[0])
    step = max(1, _CHUNK // rows.size)
    sizes = [min(step, RESAMPLES - start) for start in range(0, RESAMPLES, step)]
    draws = [_calibration_errors(rows[rng.integers(0, len(rows), (size, len(rows)))]) for size in sizes]
    errors = np.concatenate(draws)
    low, high = percentile_interval(errors + error - np.median(errors))
    return error, max(0.0, low), min(1.0, high)


def _calibration_errors(rows: np.ndarray) -> np.ndarray:
    """Errors float64 [S] of samples [S, n, 2]."""
    order = np.argsort(rows[..., 0], axis=1, kind="stable")
    gaps = np.take_along_axis(rows[..., 0] - rows[..., 1], order, axis=1)
    n = gaps.shape[1]
    starts = np.unique(np.arange(BINS) * n // BINS)
    return np.abs(np.add.reduceat(gaps, starts, axis=1)).sum(1) / n


def set_scores(predicted: Sequence[str], gold: Sequence[str]) -> tuple[float, float, float, float, float, float]:
    """Precision, recall, F1, exact match, first name right, and number of gold names; of one question."""
    have, want = {normalise(name) for name in predicted}, {normalise(name) for name in gold}
    hits = len(have & want)
    f1 = 2 * hits / max(1, len(have) + len(want))
    first = float(bool(predicted) and normalise(predicted[0]) in want)
    return hits / max(1, len(have)), hits / max(1, len(want)), f1, float(have == want), first, float(len(want))


@dataclass(slots=True)
class Tally:
    """Counts of hits, predictions and gold items."""

    hits: int = 0
    predicted: int = 0
    gold: int = 0

    def add(self, predicted: Iterable[Any], gold: Iterable[Any]) -> None:
        """Compare two collections, each item counting once for every time it occurs."""
        have, want = Counter(predicted), Counter(gold)
        self.hits += sum((have & want).values())
        self.predicted += sum(have.values())
        self.gold += sum(want.values())

    @property
    def f1(self) -> float:
        """Micro F1."""
        return 2 * self.hits / max(1, self.predicted + self.gold)

    def row(self) -> dict[str, float]:
        """F1, precision and recall."""
        precision, recall = self.hits / max(1, self.predicted), self.hits / max(1, self.gold)
        return {"f1": round(self.f1, 4), "precision": round(precision, 4), "recall": round(recall, 4)}
