"""Votes on a damaged name."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from graphmem.storage.maintenance.votes import Words, candidates, elected, recased


@pytest.mark.parametrize(
    ("name", "norms", "words", "winner"),
    [
        ("Pevson 33", ["person 33", "person 33"], ["person", "33"], ("Person 33", "person 33")),
        ("Person 33", ["pevson 33", "person 33"], ["person", "33"], ("Person 33", "person 33")),
        ("Pevson 33", ["person 33", "person 33"], [], ("Person 33", "person 33")),
        ("Pevson 33", ["person 33"], [], None),
        ("Pevson 33", ["person 33", "other"], [], None),
        (b"\xff", ["person 33", "person 33"], [], ("person 33", "person 33")),
        ("Zed", ["zed", "zed"], ["person", "33"], ("Zed", "zed")),
    ],
)
def test_the_majority_wins_and_a_tie_decides_nothing(name, norms, words, winner):
    with closing(sqlite3.connect(":memory:")) as raw:
        assert elected(name, norms, words, Words(raw)) == winner


def test_capitals_come_from_the_damaged_name():
    assert recased("VaN qer Berg", "van der berg") == "VaN der Berg"
    assert recased("Person", "person 33") == "person 33"
    assert ("Person 33", "person 33") in candidates(None, ["person 33"], [])
    assert ("Person 33", "person 33") in candidates("Nobody", ["nobody"], ["person", "33"])
