"""Which facts of a pattern answer for a time: overlap, before and after, the present, undated facts, none of then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.core.times import to_micros
from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.encoding.evidence_text import stored_fact_text
from graphmem.memory import GraphMemory
from graphmem.questions.time_scope import TimeScope
from graphmem.reasoning.temporal_weighing import in_time
from graphmem.reasoning.weighing import Weighed, weigh
from graphmem.retrieval.evidence import EvidenceUnit
from graphmem.testing import HashEncoder

AT = to_micros("2026-11-30") or 0
DIRECTORS = [("Moira", "1998", "2005-06"), ("Tobias", "2005-07", "2019"), ("Ingrid", "2020", None)]


@pytest.fixture
def memory() -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=HashEncoder(16)) as opened:
        for name, begin, end in DIRECTORS:
            opened.add("Museum", "director", name, valid_from=begin, valid_to=end)
        opened.add("Museum", "town", "Vik")
        yield opened


def weighed(memory: GraphMemory, **relevance: float) -> Weighed:
    """Readings of some facts: the relevance of the fact with each object, whose span is the object."""
    store: Any = memory.store
    units, readings = [], []
    for name, logit in relevance.items():
        node = store.find(name).id
        (number,) = store.fact_ids_around([node], limit=1)
        (fact,) = store.facts_by_id([number])
        unit = EvidenceUnit(stored_fact_text(fact), (fact,), tuple(store.edges([number])))
        units.append(unit)
        readings.append(Reading(logit, (Span(*unit.evidence.object, 9.0),), 0.0, (1.0, 0.0, 0.0), -3.0))
    return weigh(units, readings)


def scope(relation: str = "none", time: str | None = None, *nodes: int, asks: str = "other") -> TimeScope:
    first = None if time is None else to_micros(time)
    after = None if time is None else to_micros(str(int(time[:4]) + 1))
    return TimeScope(AT, relation, first, after, nodes, (0, 0), asks)


def names(found: Weighed) -> list[str]:
    return [answer.text for answer in found.answers]


@pytest.mark.parametrize(
    ("relation", "time", "best"),
    [("at", "2000", "Moira"), ("at", "2010", "Tobias"), ("at", "2023", "Ingrid"), ("before", "2004", "Moira"),
     ("before", "2010", "Tobias"), ("after", "2010", "Tobias"), ("after", "2021", "Ingrid"),
     ("until", "2020", "Tobias"), ("until", "2010", "Tobias"), ("since", "2020", "Ingrid")],
)  # fmt: skip
def test_the_fact_of_the_time_answers_though_it_was_not_read(
    memory: GraphMemory, relation: str, time: str, best: str
) -> None:
    found = in_time(weighed(memory, Ingrid=2.0, Vik=-1.0), scope(relation, time), memory.store)
    assert found.answers[0].text == best and found.answers[0].weight > 1.9
    assert found.answers[0].support[0].unit.facts[0].object == best


def test_both_facts_of_a_year_of_change_answer(memory: GraphMemory) -> None:
    assert set(names(in_time(weighed(memory, Ingrid=2.0), scope("at", "2005"), memory.store))) == {"Moira", "Tobias"}


def test_before_and_after_a_holder_is_next_to_it(memory: GraphMemory) -> None:
    tobias, moira, ingrid = (memory.store.find(name).id for name in ("Tobias", "Moira", "Ingrid"))
    read = weighed(memory, Tobias=2.0, Ingrid=0.0)
    assert names(in_time(read, scope("before", None, tobias), memory.store))[0] == "Moira"
    assert names(in_time(read, scope("before", None, ingrid), memory.store))[0] == "Tobias"
    assert names(in_time(read, scope("after", None, tobias), memory.store))[0] == "Ingrid"
    assert names(in_time(read, scope("before", None), memory.store))[0] == "Tobias"
    first = in_time(read, scope("before", None, moira), memory.store)
    assert first.answers == () and len(first.other_times) == 3


def test_the_present_answers_where_no_time_is_set(memory: GraphMemory) -> None:
    found = in_time(weighed(memory, Moira=3.0, Tobias=1.0), scope(), memory.store)
    assert names(found)[0] == "Ingrid" and found.answers[0].weight > 2.9
    assert found.answers[1].weight < found.answers[0].weight - 3


def test_what_is_over_answers_where_nothing_holds(memory: GraphMemory) -> None:
    memory.add("Museum", "sponsor", "Acme", valid_from="1990", valid_to="1995")
    found = in_time(weighed(memory, Acme=1.0), scope(), memory.store)
    assert names(found) == ["Acme"] and found.answers[0].weight > 0.9


def test_no_value_of_another_time_answers(memory: GraphMemory) -> None:
    found = in_time(weighed(memory, Ingrid=2.0, Vik=0.0), scope("at", "1950"), memory.store)
    assert found.answers == () and [fact.object for fact in found.other_times] == ["Moira", "Tobias", "Ingrid"]
    surer = in_time(weighed(memory, Ingrid=0.0, Vik=2.0), scope("at", "1950"), memory.store)
    assert names(surer) == ["Vik"] and surer.other_times == ()


def test_undated_facts_answer_for_any_time_and_less_surely(memory: GraphMemory) -> None:
    read = weighed(memory, Vik=1.0)
    assert in_time(read, scope(), memory.store) == read
    for asked in (scope("at", "1950"), scope("before", "2015"), scope("before")):
        found = in_time(read, asked, memory.store)
        assert names(found) == ["Vik"] and read.answers[0].weight - 2 < found.answers[0].weight < read.answers[0].weight


def test_a_dated_fact_of_the_time_outranks_an_undated_one(memory: GraphMemory) -> None:
    memory.add("Museum", "director", "Unknown Woman")
    found = in_time(weighed(memory, Ingrid=2.0), scope("at", "2010"), memory.store)
    assert names(found)[:1] == ["Tobias"]
    memory.add("Museum", "sponsor", "Acme")
    memory.add("Museum", "sponsor", "Globex", valid_from="2000", valid_to="2001")
    undated = in_time(weighed(memory, Globex=2.0), scope("at", "2010"), memory.store)
    assert names(undated) == ["Acme"]


def test_when_something_began_may_lie_in_the_past(memory: GraphMemory) -> None:
    read = weighed(memory, Moira=3.0, Tobias=1.0)
    assert in_time(read, scope(asks="date"), memory.store) == read
    assert in_time(read, scope(asks="duration"), memory.store) == read


def test_dates_that_contradict_each_other_give_all_that_may_hold(memory: GraphMemory) -> None:
    memory.add("Museum", "director", "Karel", valid_from="2000", valid_to="2012")
    assert set(names(in_time(weighed(memory, Ingrid=2.0), scope("at", "2010"), memory.store))) == {"Tobias", "Karel"}


def test_a_topic_with_many_facts_is_read_in_bounded_time(memory: GraphMemory) -> None:
    memory.add_many([("Museum", "visitor", f"Visitor {n}") for n in range(20_000)])
    memory.add("Museum", "visitor", "Visitor 1", valid_from="1999", valid_to="2000")
    started = time.process_time()
    found = in_time(weighed(memory, **{"Visitor 2": 1.0}), scope("at", "1999"), memory.store)
    assert len(found.answers) <= 2000 and time.process_time() - started < 3
