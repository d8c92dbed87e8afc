"""Answers compared with the gold answers, by names and by words."""

from __future__ import annotations

import pytest

from graphmem.text.answer_matching import contains, exact_match, is_right, token_f1


@pytest.mark.parametrize(
    ("text", "answers", "f1", "exact"),
    [
        ("the Eiffel Tower", ["Eiffel Tower"], 1.0, True),
        ("Eiffel-Tower!", ["eiffel tower"], 0.0, False),
        ("in July and August", ["July, August, and September", "May"], 0.75, False),
        ("", ["Rome"], 0.0, False),
        ("a", ["the"], 1.0, True),
        ("It’s “20–30”.", ["its 20-30"], 1.0, True),
        ("Rome Rome Rome", ["Rome"], 0.5, False),
        ("Rome", [], 0.0, False),
    ],
)
def test_words_are_compared_as_squad_does(text: str, answers: list[str], f1: float, exact: bool) -> None:
    assert token_f1(text, answers) == pytest.approx(f1) and exact_match(text, answers) is exact


def test_a_name_at_the_start_is_right_and_one_anywhere_is_contained() -> None:
    assert is_right("Rome, in Italy", ["rome"]) and not is_right("It is Rome", ["Rome"])
    assert contains("It is Rome.", ["Rome"]) and not contains("It is Romeo", ["Rome"])
