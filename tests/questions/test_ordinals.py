"""Ordinals of a question."""

from __future__ import annotations

import pytest

from graphmem.questions.ordinals import ordinal, rank_of


@pytest.mark.parametrize(
    ("question", "rank"),
    [
        ("What was the second film of Ann Berg?", 2),
        ("name her 3rd tallest tower", 3),
        ("Which was the twenty-first race?", 21),
        ("Who came first?", 1),
        ("Which is the tallest of the two towers?", 1),
        ("How many seconds does it take?", 1),
        ("", 1),
    ],
)
def test_a_question_has_a_place_on_a_scale(question: str, rank: int) -> None:
    assert rank_of(question) == rank


def test_an_ordinal_in_a_name_is_none() -> None:
    question = "Who starred in Second Chance, the third film?"
    assert rank_of(question) == 2 and rank_of(question, [(15, 28)]) == 3


def test_other_words_are_no_ordinals() -> None:
    words = ("two", "three", "last", "0th", "4th", "2ndary", "1966")
    assert [ordinal(word) for word in words] == [None, None, None, 0, 4, None, None]
