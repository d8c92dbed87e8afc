"""Splits by hash: a row's part is fixed by its key alone."""

from __future__ import annotations

from hashlib import sha256

import pytest

from graphmem.core.splits import data_split, held

KEYS = [f"question {number}" for number in range(4000)]


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_one_of_the_parts_is_held_out_by_hash(parts: int) -> None:
    share = sum(held(key, parts) for key in KEYS) / len(KEYS)
    assert abs(share - 1 / parts) < 0.03
    assert all(held(key, parts) == (int(sha256(key.encode()).hexdigest(), 16) % parts == 0) for key in KEYS[:50])


def test_articles_of_squad_that_stay_held_out() -> None:
    titles = ("Dog", "Genome", "Arnold_Schwarzenegger", "University_of_Notre_Dame", "Beyoncé")
    assert [held(title) for title in titles] == [True, True, True, False, False]


def test_names_of_any_spelling_stand_in_the_same_split() -> None:
    assert {data_split("Ada Lovelace"), data_split("  ada lovelace ")} == {data_split("ADA LOVELACE")}
    assert {data_split(key) for key in KEYS} == {"train", "dev", "test"}
