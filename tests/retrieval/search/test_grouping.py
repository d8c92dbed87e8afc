from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.retrieval.search.grouping import grouped


@given(st.lists(st.integers(0, 30), max_size=60), st.sampled_from([0, 1 << 61]))
def test_groups_are_those_of_numpy(values: list[int], shift: int) -> None:
    keys = np.asarray(values, np.int64) + shift
    expected = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    found = grouped(keys)
    for one, other in zip((found.keys, found.first, found.inverse, found.counts), expected, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("shift", [0, 1 << 60])
def test_the_first_of_a_group_is_that_of_lowest_rank(shift: int) -> None:
    keys = np.asarray([5, 5, 2, 5, 2]) + shift
    found = grouped(keys, np.asarray([1, 0, 1, 0, 1]), 2)
    assert found.first.tolist() == [2, 1] and found.counts.tolist() == [2, 3]
