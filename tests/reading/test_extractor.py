"""Candidates that stand against each other in one sentence."""

from dataclasses import replace

import pytest

from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact, mark_competition

SENTENCE = "Ada lives in London, near Surrey."


def read(subject: str, relation: str, value: str, sure: float, text: str = SENTENCE) -> CandidateFact:
    places = [(max(0, text.find(name)), max(0, text.find(name)) + len(name)) for name in (subject, value)]
    return CandidateFact(
        Fact(subject, relation, value, text, confidence=0.5), sure=sure, subject_span=places[0], object_span=places[1]
    )


def test_rivals_join_the_same_names_or_one_of_them_by_the_same_relation() -> None:
    home, other, way_round = (
        read("Ada", "lives in", "London", 0.9), read("Ada", "lives in", "Surrey", 0.4),
        read("London", "capital of", "Ada", 0.2),
    )  # fmt: skip
    alone = read("London", "near", "Surrey", 0.8)
    contested = [c.contested for c in mark_competition([home, other, way_round, alone])]
    assert contested == pytest.approx([0.0, 0.25, 0.35, 0.0])


def test_things_of_a_list_are_no_rivals() -> None:
    music = [read("Ada", "musical genre", genre, 0.9) for genre in ("hip hop", "jazz")]
    assert [c.contested for c in mark_competition(music)] == [0.0, 0.0]


def test_parts_of_a_torn_name_are_rivals() -> None:
    parts = [
        replace(read(name, "plays sport", "chess", 0.8), subject_span=span, object_span=(20, 25))
        for name, span in (("Hi", (0, 2)), ("Yean", (3, 7)), ("Jo", (9, 11)))
    ]
    assert [c.contested for c in mark_competition(parts)] == pytest.approx([0.4, 0.4, 0.0])


def test_other_sentences_and_other_moods_are_no_rivals() -> None:
    home = read("Ada", "lives in", "London", 0.9)
    later = read("Ada", "lives in", "Surrey", 0.9, "She then moved.")
    over = replace(read("Ada", "lives in", "Rome", 0.9), mood="ended")
    assert [c.contested for c in mark_competition([home, later, over])] == [0.0, 0.0, 0.0]
