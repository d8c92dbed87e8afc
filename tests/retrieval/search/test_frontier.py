from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.retrieval.search import frontier
from graphmem.retrieval.search.array_index import ArrayIndex
from graphmem.retrieval.search.frontier import Hop, spans_of
from graphmem.storage.index.adjacency import CSRIndex, Packed

FACTS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 7)), min_size=1, max_size=40)


def indexed(facts: list[tuple[int, int, int]]) -> CSRIndex:
    src, relation, dst = (np.asarray(column, np.int64) for column in zip(*facts, strict=True))
    return CSRIndex(Packed.build(8, src, relation, dst, np.arange(len(facts))), list("abcd"))


def hop_of(index: Any, seed: int) -> Hop:
    rng = np.random.default_rng(seed)
    entries = rng.integers(8, size=12)
    nodes, where = np.unique(entries, return_inverse=True)
    path = np.sort(rng.integers(3, size=12))
    return Hop(where, path, spans_of(index, nodes, 100), rng.normal(size=3), rng.normal(size=8))


def results(hop: Hop) -> list[Any]:
    floor = hop.best_score() - 1.5
    found = hop.extensions(floor)
    numbers = np.full(len(hop.scores) * len(hop.gates), -1)
    numbers[found[::2]] = np.arange(len(found[::2]))
    return [hop.best_score(), found, *hop.crossings(floor, numbers)]


@settings(max_examples=60, deadline=None)
@given(FACTS, st.integers(0, 2**32 - 1))
def test_compiled_loops_and_arrays_find_the_same_arcs_in_the_same_order(facts: Any, seed: int) -> None:
    assert frontier.compiled.ready()
    hop = hop_of(indexed(facts), seed)
    compiled = results(hop)
    kernels, frontier.compiled.kernels = frontier.compiled.kernels, None
    try:
        plain = results(hop)
    finally:
        frontier.compiled.kernels = kernels
    assert all(np.array_equal(one, other) for one, other in zip(compiled, plain, strict=True))


@settings(max_examples=40, deadline=None)
@given(FACTS, st.integers(0, 2**32 - 1))
def test_arcs_in_one_piece_and_arcs_with_changes_over_them_are_the_same(facts: Any, seed: int) -> None:
    whole, half = indexed(facts), len(facts) // 2
    none = [np.zeros(0, np.int64)] * 4
    part = indexed(facts[:half]) if half else CSRIndex(Packed.build(8, *none), list("abcd"))
    rest = np.asarray(facts[half:], np.int64).T
    patched = part.patched([], (rest[0], rest[1], rest[2], np.arange(half, len(facts))), list("abcd"), 8)
    assert patched.spans(np.asarray([0]), 100) is None
    one, other = results(hop_of(whole, seed)), results(hop_of(patched, seed))
    assert one[0] == pytest.approx(other[0]) and np.array_equal(one[1], other[1])
    assert sorted(zip(one[2], one[4], strict=True)) == sorted(zip(other[2], other[4], strict=True))


def test_a_hub_beyond_the_limit_is_thinned_out() -> None:
    index = indexed([(0, 0, at % 7 + 1) for at in range(50)])
    assert index.spans(np.asarray([0]), 10) is None and spans_of(index, np.asarray([0]), 10).counts.tolist() == [10]


def test_an_index_of_arrays_needs_no_spans() -> None:
    index = ArrayIndex([("a", "likes", "b"), ("b", "likes", "c")])
    spans = spans_of(index, np.asarray([0, 1]), 10)
    assert spans.counts.tolist() == [1, 2] and len(spans.target) == 3
