"""Phrases in answers."""

from __future__ import annotations

import pytest

from graphmem.text.phrases import contains_phrase, is_acceptable, is_similar, plain, wanted_strings


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("It is the Café Royal.", "cafe royal", True), ("twelve of them", "12", True), ("costs €55 now", "55", True),
        ("costs 55 now", "£55", False), ("Bathsheba", "Bath", False), ("anything", "", False),
    ],
)  # fmt: skip
def test_phrases_are_found_as_whole_words(text: str, phrase: str, found: bool) -> None:
    assert contains_phrase(text, phrase) is found


def test_only_the_first_words_count_and_yes_must_begin() -> None:
    assert not is_acceptable(" ".join(["word"] * 40) + " Rome", ["Rome"])
    assert is_acceptable("Yes, it is.", ["yes"]) and not is_acceptable("I think yes.", ["yes"])


def test_phrases_are_similar_by_at_least_half_of_their_words() -> None:
    assert is_similar("the city of Bath", "of Bath") and is_similar("€55", "55") and not is_similar("", "Bath")
    assert not is_similar("a noise like a goose", "goose noise")


def test_alternatives_name_their_strings() -> None:
    assert wanted_strings(["Rome", {"all": ["Ada", ["Bo", "Mr Ek"]]}]) == ["Rome", "Ada", "Bo", "Mr Ek"]
    assert plain("The Café’s “Øre”, 5 %") == "cafe s ore 5 %"
