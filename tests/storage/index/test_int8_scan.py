"""The scan over codes finds what the full vectors would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.storage.index import int8_scan as scan


def unit(rows: int, width: int = 48, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_codes_are_close_to_their_vectors() -> None:
    vectors = np.concatenate([unit(300), np.zeros((1, 48), np.float32), 100 * unit(3, seed=1)])
    codes, scales = scan.quantise(vectors)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    assert (np.abs(codes * scales[:, None] - vectors) <= 0.51 * largest / 127).all()
    assert codes.dtype == np.int8 and not codes[300].any()


def test_the_best_ten_are_among_fifty_candidates() -> None:
    vectors, queries = unit(6000), unit(20, seed=1)
    codes, scales = scan.quantise(vectors)
    for query in queries:
        rows, scores = scan.best_codes(codes, scales, query, 50)
        assert set(np.argsort(-(vectors @ query))[:10]) <= set(rows.tolist())
        assert (np.diff(scores) <= 0).all() and np.abs(scores - vectors[rows] @ query).max() < 0.02


def test_compiled_and_plain_code_agree() -> None:
    pytest.importorskip("numba")
    assert scan.compiled.ready()
    codes, scales = scan.quantise(unit(5000))
    scales[::7] = np.nan
    query = unit(1, seed=2)[0]
    for count in (1, 50, 6000):
        compiled = scan.best_codes(codes, scales, query, count)
        asked, scale = scan.quantise(query[None])
        plain = scan.by_numpy(codes, scales, asked[0], count)
        np.testing.assert_array_equal(compiled[0], plain[0])
        np.testing.assert_allclose(compiled[1], plain[1] * scale[0], rtol=1e-6)
        assert not (compiled[0] % 7 == 0).any()


@given(st.lists(st.one_of(st.floats(-1, 1, width=32), st.just(float("nan"))), max_size=30), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_top_leaves_out_what_is_no_number(scores: list[float], count: int) -> None:
    rows, best = scan.top(np.asarray(scores, np.float32), count)
    known = sorted((value for value in scores if value == value), reverse=True)
    assert best.tolist() == known[:count] and len(rows) == len(best)


def test_nothing_to_scan() -> None:
    rows, scores = scan.best_codes(np.zeros((0, 8), np.int8), np.zeros(0, np.float32), np.ones(8), 5)
    assert not len(rows) and not len(scores)
