"""Patterns around topics: their members, exact and bounded, and measures of a set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.memory import GraphMemory
from graphmem.reasoning.measures import MeasureSearch
from graphmem.reasoning.patterns import LEAST_SPAN, PatternSearch, span_logit
from graphmem.reasoning.topics import Topic
from graphmem.retrieval.facts_only import facts_only


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([(f"Person {at}", "works at", "Acme") for at in range(300)])
        opened.add_many([("Person 7", "speaks", "German"), ("Acme", "also known as", "ACM"), ("Acme", "seat", "Oslo")])
        opened.add("Person 900", "works at", "Acme", valid_from="1990", valid_to="1999")
        opened.add_many([("Rex", "weight", "31.5 kg"), ("Bella", "weight", "900 g"), ("Rex", "colour", "brown")])
        opened.add_many([("Milo", "weight", "unknown"), ("Tom", "weight", "4 m"), ("Ada", "weight", "2 kg")])
        yield opened


def search(memory: GraphMemory, question: str) -> PatternSearch:
    store, index = facts_only(memory.store, memory.store.index())
    return PatternSearch(store, index, memory.evidence_reader, question)


def test_a_pattern_holds_every_present_member_and_no_past_one(memory: GraphMemory) -> None:
    node = memory.store.find("Acme").id
    found = search(memory, "Who works at Acme?")
    (patterns,) = found.patterns([Topic("Acme", 13, 17, (node,), "name")])
    best = patterns[0]
    assert found.words(best) == "works at" and len(best.members) == 300 and best.members.complete and best.score == 0
    assert memory.store.find("Person 900").id not in best.members.nodes
    assert all("also known as" not in found.words(pattern) for pattern in patterns)


def test_a_second_step_is_bounded_and_says_so(memory: GraphMemory) -> None:
    node = memory.store.find("Acme").id
    found = search(memory, "Which languages do people at Acme speak?")
    (patterns,) = found.patterns([Topic("Acme", 0, 4, (node,), "name")])
    (spoken,) = [pattern for pattern in patterns if found.words(pattern) == "works at, speaks"]
    assert memory.store.names(spoken.members.nodes) == ["German"] and not spoken.members.complete


def test_a_measure_compares_the_values_of_one_scale(memory: GraphMemory) -> None:
    measures = MeasureSearch(search(memory, "Which animal has the largest weight?"))
    (weight,) = [measure for measure in measures.measures(None) if measure.name == "weight"]
    measured = measures.measured(weight, None)
    assert {value.text for value in measured.values} == {"31.5 kg", "900 g", "2 kg"} and measured.unlike == 1
    assert all(measure.name != "colour" for measure in measures.measures(None))


def test_an_answer_that_the_encoder_marks_is_likelier() -> None:
    reading = Reading(0.0, (Span(0, 4, 5.0), Span(10, 14, 1.0)), 0.0, (1.0, 0.0, 0.0), 0.0)
    assert span_logit(reading, (0, 4)) > span_logit(reading, (10, 14)) >= LEAST_SPAN
    assert span_logit(reading, (20, 24)) == LEAST_SPAN
