"""Members that reading did not reach, of a hub with more facts than are read."""

from __future__ import annotations

from typing import Any

from graphmem.core.times import to_micros
from graphmem.memory import GraphMemory
from graphmem.reasoning.sets.completion import MAX_ADDED, completed
from graphmem.reasoning.weighing import answer_set

NOW = to_micros("2026-01-01") or 0


def test_all_members_of_the_pattern_are_added(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many([(f"Worker {at:03d}", "employed by", "Acme Mills") for at in range(150)])
        memory.add("Old Hand", "employed by", "Acme Mills", valid_from="1950", valid_to="1990")
        memory.add("Acme Mills", "based in", "Oslo")
        weighed = memory.evidence_reader.read(memory.retrieve("Who is employed by Acme Mills?"))
        assert 1 < len(answer_set(weighed))
        full, whole = completed(weighed, memory.store, NOW)
        assert {one.text for one in answer_set(full)} == {f"Worker {at:03d}" for at in range(150)} and whole


def test_a_larger_set_says_that_it_is_cut(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many([(f"Worker {at:03d}", "employed by", "Acme Mills") for at in range(300)])
        weighed = memory.evidence_reader.read(memory.retrieve("Who is employed by Acme Mills?"))
        full, whole = completed(weighed, memory.store, NOW)
        assert not whole and len(full.answers) == len(weighed.answers) + MAX_ADDED


def test_one_fact_stays_one_answer(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add("Ann Berg", "lives in", "Oslo")
        weighed = memory.evidence_reader.read(memory.retrieve("Where does Ann Berg live?"))
        assert completed(weighed, memory.store, NOW) == (weighed, True)
