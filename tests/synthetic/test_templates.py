"""Grammar of templates: slots, articles, agreement."""

from __future__ import annotations

from random import Random

import pytest

from graphmem.synthetic.templates import agree, fill, framed, leading_time, pronoun, split_slots


def test_fill_adapts_articles() -> None:
    text = fill("{s} is a {o} and was an {old}.", {"s": "Ana", "o": "engineer", "old": "cook"})
    assert text == "Ana is an engineer and was a cook."


def test_slots_are_split_from_words() -> None:
    assert split_slots("{s} was born on {date of birth}.") == ["{s}", " was born on ", "{date of birth}", "."]


def test_a_frame_takes_a_statement_without_its_full_stop() -> None:
    assert framed("Is it true that {x}?", "The home of {s} is {o}.") == "Is it true that the home of {s} is {o}?"
    assert framed("{x}, some say.", "{s} lives in {o}.") == "{s} lives in {o}, some say."


@pytest.mark.parametrize(
    ("rest", "plural"),
    [(" is here.", " are here."), (" studies law.", " study law."), (" watches it.", " watch it."), (" now is.", None)],
)
def test_verbs_agree_with_they(rest: str, plural: str | None) -> None:
    assert agree(rest) == plural


def test_phrases_of_time_suit_the_verb() -> None:
    assert leading_time(Random(0), " lives in {o}.").startswith(("As of ", "From "))
    assert leading_time(Random(0), " moved to {o}.").startswith(("In ", "On "))
    assert leading_time(Random(0), ", who left, sings.") == ""


def test_things_are_it_and_a_person_keeps_its_pronoun() -> None:
    assert pronoun("Oslo", "city") == "it"
    assert pronoun("Ada", "person") == pronoun("Ada", "person") != "it"
