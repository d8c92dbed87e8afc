"""Competition between candidates of one sentence."""

from dataclasses import replace

import pytest

from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact, mark_competition

SENTENCE = "Ada lives in London, near Surrey."


def candidate(subject: str, relation: str, value: str, probability: float, text: str = SENTENCE) -> CandidateFact:
    places = [(max(0, text.find(name)), max(0, text.find(name)) + len(name)) for name in (subject, value)]
    return CandidateFact(
        Fact(subject, relation, value, text, confidence=0.5), relation_probability=probability,
        subject_span=places[0], object_span=places[1],
    )  # fmt: skip


def test_rivals_join_the_same_names_or_one_of_them_by_the_same_relation() -> None:
    home, other, way_round = (
        candidate("Ada", "lives in", "London", 0.9), candidate("Ada", "lives in", "Surrey", 0.4),
        candidate("London", "capital of", "Ada", 0.2),
    )  # fmt: skip
    alone = candidate("London", "near", "Surrey", 0.8)
    competition = [c.competition for c in mark_competition([home, other, way_round, alone])]
    assert competition == pytest.approx([0.0, 0.25, 0.35, 0.0])


def test_things_of_a_list_are_no_rivals() -> None:
    music = [candidate("Ada", "musical genre", genre, 0.9) for genre in ("hip hop", "jazz")]
    assert [c.competition for c in mark_competition(music)] == [0.0, 0.0]


def test_parts_of_a_torn_name_are_rivals() -> None:
    parts = [
        replace(candidate(name, "plays sport", "chess", 0.8), subject_span=span, object_span=(20, 25))
        for name, span in (("Hi", (0, 2)), ("Yean", (3, 7)), ("Jo", (9, 11)))
    ]
    assert [c.competition for c in mark_competition(parts)] == pytest.approx([0.4, 0.4, 0.0])


def test_other_sentences_and_other_factuality_are_no_rivals() -> None:
    home = candidate("Ada", "lives in", "London", 0.9)
    later = candidate("Ada", "lives in", "Surrey", 0.9, "She then moved.")
    over = replace(candidate("Ada", "lives in", "Rome", 0.9), factuality="ended")
    assert [c.competition for c in mark_competition([home, later, over])] == [0.0, 0.0, 0.0]
