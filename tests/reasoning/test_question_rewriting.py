"""Completions of questions by topics of former turns, and the choice among them by the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.reasoning.question_rewriting import (
    MAX_TOPICS,
    About,
    Completion,
    best_completion,
    completions,
    log_odds,
    replaced,
    restricted,
)
from graphmem.retrieval.evidence import EvidenceUnit


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([
            ("Ann Berg", "born in", "Oslo"), ("Ann Berg", "boss", "Omar Said"), ("Omar Said", "born in", "Turin"),
            ("Omar Said", "bought", "red bus"), ("red bus", "price", "300 euros"),
        ])  # fmt: skip
        opened.add_passages([("Notes", "The old mill is loud. Zoe Lund was born in Bergen.")])
        yield opened


def test_a_question_that_needs_its_context_is_completed_by_each_topic() -> None:
    found = completions("where was she born?", ["Ann Berg", "Oslo"], 0.9)
    assert [one.topic for one in found] == ["", "Ann Berg", "Oslo"]
    assert found[1].text == "Ann Berg: where was she born?" and found[0].text == "where was she born?"
    assert found[1].prior > found[2].prior > found[0].prior
    many = completions("where?", [f"T{n}" for n in range(99)], 1.0)
    assert len(many) == MAX_TOPICS + 1


def test_a_question_that_stands_for_itself_is_left_alone() -> None:
    assert [one.text for one in completions("Where was Ann born?", ["Omar"], 0.01)] == ["Where was Ann born?"]
    assert [one.text for one in completions("where?", [], 1.0)] == ["where?"]


def test_the_former_question_is_asked_of_others() -> None:
    found = replaced("Where was Ann Berg born?", "ann berg", ["Ann Berg", "Omar Said", "Zoe"])
    assert [one.text for one in found] == ["Where was Omar Said born?", "Where was Zoe born?"]
    assert found[0].prior > found[1].prior
    assert replaced("Where was she born?", "Ann Berg", ["Zoe"]) == replaced("", "", ["Zoe"]) == []


def test_the_evidence_decides_which_topic_is_meant(memory: GraphMemory) -> None:
    reader = memory.evidence_reader
    assert reader is not None
    for question, topic in (("and where was he born?", "Omar Said"), ("what was the price?", "red bus")):
        best, score = best_completion(reader, memory.retrieve, completions(question, ["Oslo", topic], 0.9))
        assert (best.topic, score > 0) == (topic, True)
    alone = Completion("where?", "", -1.0)
    assert best_completion(reader, memory.retrieve, [alone]) == (alone, -1.0)


def test_only_evidence_about_the_topic_counts(memory: GraphMemory) -> None:
    reader = memory.evidence_reader
    assert reader is not None
    retrieval = memory.retrieve("Ann Berg: where was he born?")
    weighed = reader.read(retrieval)
    kept = restricted(weighed, "Ann Berg", memory.store)
    assert kept.answers and len(kept.answers) < len(weighed.answers)
    assert all("Ann Berg" in support.unit.text for answer in kept.answers for support in answer.support)
    assert restricted(weighed, "nobody of this name", memory.store) is weighed
    assert log_odds(reader, memory.retrieve("where was Ann Berg born?"), "red bus") < log_odds(
        reader, memory.retrieve("where was Ann Berg born?"), "Ann Berg"
    )


def test_a_passage_is_about_what_it_names(memory: GraphMemory) -> None:
    reader = memory.evidence_reader
    assert reader is not None
    units = [unit for unit in reader.search.find(memory.retrieve("Where was Zoe Lund born?")) if unit.passage]
    about = About.of("Omar Said", memory.store)
    assert units and about is not None and not any(map(about, units))
    named = About(frozenset(), ("Zoe Lund",), memory.store)
    assert all(map(named, units)) and isinstance(units[0], EvidenceUnit)
