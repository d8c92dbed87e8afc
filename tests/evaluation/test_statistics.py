"""Bootstrap intervals."""

from __future__ import annotations

import math

import numpy as np

from graphmem.evaluation.statistics import (
    BINS,
    RESAMPLES,
    bootstrap_interval,
    calibration_error,
    ratio_interval,
    resampled_means,
)


def test_the_interval_holds_the_mean_and_is_the_same_for_the_same_seed() -> None:
    values = [1.0] * 60 + [0.0] * 40
    low, high = bootstrap_interval(values, 3)
    assert low < 0.6 < high and 0.45 < low and high < 0.75
    assert bootstrap_interval(values, 3) == (low, high)
    assert bootstrap_interval([1.0] * 9) == (1.0, 1.0)
    assert all(math.isnan(bound) for bound in bootstrap_interval([]))


def test_a_paired_difference_is_narrower_than_its_sides() -> None:
    low, high = bootstrap_interval([0.1 + float(i % 7) - float(i % 7) for i in range(70)])
    assert math.isclose(low, 0.1) and math.isclose(high, 0.1)


def test_the_interval_of_a_ratio_is_over_passages() -> None:
    value, low, high = ratio_interval([(2.0, 1), (4.0, 2), (6.0, 3)] * 5)
    assert value == low == high == 2.0
    value, low, high = ratio_interval([(1.0, 1), (9.0, 1)] * 10, 3)
    assert low < value == 5.0 < high and all(map(math.isnan, ratio_interval([])))


def test_draws_do_not_depend_on_how_many_are_made_at_once() -> None:
    values = np.arange(400, dtype=float)
    rng = np.random.default_rng(2)
    expected = [values[rng.integers(0, 400, 400)].mean() for _ in range(RESAMPLES)]
    np.testing.assert_allclose(resampled_means(values, 2), expected)


def test_calibration_compares_confidence_with_the_share_right() -> None:
    sure = [(0.8, float(i % 5 > 0)) for i in range(300)]
    assert calibration_error(sure)[0] < 0.01
    error, low, high = calibration_error([(0.9, float(i % 2)) for i in range(300)], 1)
    assert math.isclose(error, 0.4) and low < error < high and high - low < 0.15
    assert calibration_error([(0.9, float(i % 2)) for i in range(300)], 1) == (error, low, high)


def test_bins_hold_the_same_number_of_pairs_in_the_order_of_confidence() -> None:
    confidences = np.linspace(0, 1, 60)
    pairs = [(float(c), float(c > 0.5)) for c in confidences]
    bins = np.array_split(np.asarray(pairs), BINS)
    by_hand = sum(len(rows) * abs(rows[:, 0].mean() - rows[:, 1].mean()) for rows in bins) / 60
    assert math.isclose(calibration_error(pairs[::-1])[0], by_hand)
    assert calibration_error([(1.0, 0.0)]) == (1.0, 1.0, 1.0)
    assert all(math.isnan(value) for value in calibration_error([]))
