"""Checksums of mapped arrays, compared when rows are used."""

from __future__ import annotations

import numpy as np
import pytest

from graphmem.storage.index.proof import SHIFT, Doubt, Proof, sums

STEP = 1 << SHIFT


def test_only_blocks_that_are_used_are_compared():
    ids, halves = np.arange(2 * STEP + 5), np.arange(2 * STEP + 5, dtype=np.int16)
    expected = [sums(ids), sums(halves)]
    assert [len(found) for found in expected] == [3, 3]
    halves[STEP + 7] ^= 1
    proof = Proof([ids, halves], expected)
    proof.touch(np.array([], np.int64))
    proof.touch(np.array([0, STEP - 1, 2 * STEP + 4]))
    with pytest.raises(Doubt):
        proof.touch(np.array([5, STEP]))
    with pytest.raises(Doubt):
        proof.touch_all()
    halves[STEP + 7] ^= 1
    proof.touch_all()
    halves[3] ^= 1
    proof.touch(np.arange(10))  # compared once


def test_lengths_and_counts_must_fit():
    ids = np.arange(10)
    with pytest.raises(Doubt):
        Proof([ids], [[]])
    with pytest.raises(Doubt):
        Proof([ids, ids[:5]], [sums(ids), sums(ids)])
    Proof([ids[:0]], [[]]).touch_all()
