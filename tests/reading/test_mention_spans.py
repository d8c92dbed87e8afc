import pytest

from graphmem.reading.mention_spans import MentionSpan, candidate_pairs
from graphmem.reading.network import Span
from graphmem.text.word_classes import is_name, is_pronoun

NOWHERE = Span(0, 0, "entity")


def mentions(text: str, *names: str) -> list[MentionSpan]:
    found, start = [], 0
    for name in names:
        start = text.index(name, start)
        found.append(MentionSpan(start, start + len(name), "pronoun" if is_pronoun(name) else "entity", NOWHERE))
        start += len(name)
    return found


def named(text: str, *names: str) -> set[tuple[str, str]]:
    return {(text[a.start : a.end], text[b.start : b.end]) for a, b in candidate_pairs(text, mentions(text, *names))}


def test_one_sentence_and_its_neighbour_are_linked() -> None:
    text = "Ada met Bob. Cleo left. Dora stayed. Eve came."
    found = named(text, "Ada", "Bob", "Cleo", "Dora", "Eve")
    assert {("Ada", "Bob"), ("Bob", "Cleo"), ("Cleo", "Dora")} <= found
    assert ("Bob", "Dora") not in found


def test_the_topic_is_linked_to_all() -> None:
    assert ("Ada", "Eve") in named("Ada met Bob. Cleo left. Dora stayed. Eve came.", "Ada", "Bob", "Eve")


def test_no_mentions_no_pairs() -> None:
    assert candidate_pairs("Nothing here.", []) == []


def test_pronouns() -> None:
    assert is_pronoun("She")
    assert not is_pronoun("the company")


@pytest.mark.parametrize(
    "words", ["11th Mississippi Infantry Monument", "1634: The Ram Rebellion", "20 Fenchurch Street"]
)
def test_a_name_may_hold_a_number(words: str) -> None:
    assert is_name(words)


@pytest.mark.parametrize("words", ["1984", "2 May 1908", "3800 metres", "July 4th, 1776", "$5 Million", "late 1990s"])
def test_numbers_and_dates_are_no_names(words: str) -> None:
    assert not is_name(words)
