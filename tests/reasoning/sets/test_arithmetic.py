"""Sums and differences over a small memory: money, weights, dates, counts, sets, and values that do not convert."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_reader import with_full_names
from graphmem.reasoning.operations import SetOperations
from graphmem.reasoning.sets.arithmetic import Arithmetic, arithmetic
from graphmem.reasoning.sets.results import Result

FACTS = [
    ("Red Van", "price", "£3,900"), ("Oak Desk", "price", "£250"), ("Blue Bike", "price", "€180"),
    ("Red Van", "weight", "1.6 t"), ("Oak Desk", "weight", "42 kg"), ("Blue Bike", "colour", "blue"),
    ("Ann Berg", "date of birth", "4 May 1950"), ("Per Dahl", "date of birth", "1 June 1931"),
    ("Vik Mill", "founded in", "1890"), ("Ann Berg", "elected in", "1998"),
    ("Rex", "treated by", "Ann Berg"), ("Bella", "treated by", "Ann Berg"), ("Tom", "treated by", "Ann Berg"),
    ("Milo", "treated by", "Per Dahl"),
    ("Rex", "weighs", "31.5 kg"), ("Bella", "weighs", "900 g"), ("Tom", "weighs", "4 kg"),
]  # fmt: skip


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many(FACTS)
        yield opened


def run(memory: GraphMemory, question: str, operation: Arithmetic) -> Result | None:
    retrieval = memory.retrieve(question)
    return arithmetic(SetOperations(memory.evidence_reader, retrieval, with_full_names(retrieval)), operation)


def text(memory: GraphMemory, question: str, operation: Arithmetic) -> str:
    result = run(memory, question, operation)
    assert result is not None
    assert result.members and len(result.compared) == 2 and all(one.facts for one in result.compared)
    return ", ".join(member.text for member in result.members)


def test_what_two_things_cost_is_added(memory: GraphMemory) -> None:
    result = run(memory, "How much do Red Van and Oak Desk cost together?", "sum")
    assert result is not None and [member.text for member in result.members] == ["£4,150"]
    assert [one.value.text for one in result.compared if one.value] == ["£3,900", "£250"]
    assert {str(fact) for fact in result.members[0].facts} == {"Red Van | price | £3,900", "Oak Desk | price | £250"}


def test_units_are_converted(memory: GraphMemory) -> None:
    assert text(memory, "What is the total weight of Red Van and Oak Desk?", "sum") == "1.642 t"
    assert text(memory, "How many kilograms heavier is Red Van than Oak Desk?", "difference") == "1,558 kilograms"


def test_dates_lie_apart(memory: GraphMemory) -> None:
    assert text(memory, "How much older is Per Dahl than Ann Berg?", "difference").startswith("18 years and 11 months")
    years = "How many years lie between the founding of Vik Mill and the election of Ann Berg?"
    assert text(memory, years, "difference") == "108 years"


def test_numbers_of_things_are_subtracted(memory: GraphMemory) -> None:
    question = "How many more animals are treated by Ann Berg than by Per Dahl?"
    result = run(memory, question, "difference")
    assert result is not None and [member.text for member in result.members] == ["2"] and result.count == 2


def test_a_sum_over_a_set(memory: GraphMemory) -> None:
    result = run(memory, "What do the animals treated by Ann Berg weigh in total?", "sum")
    assert result is not None and [member.text for member in result.members] == ["36.4 kg"]
    assert {one.text for one in result.compared} == {"Rex", "Bella", "Tom"} and result.complete


def test_what_does_not_convert_has_no_sum(memory: GraphMemory) -> None:
    result = run(memory, "How much do Red Van and Blue Bike cost together?", "sum")
    assert result is not None and result.members == ()
    assert {one.value.text for one in result.compared if one.value} == {"£3,900", "€180"}
    dates = run(memory, "What is the sum of the date of birth of Ann Berg and of Per Dahl?", "sum")
    assert dates is None or not any("1950" in member.text for member in dates.members)


def test_one_thing_has_no_difference(memory: GraphMemory) -> None:
    assert run(memory, "How much heavier is Oak Desk?", "difference") is None
    assert run(memory, "How much more?", "difference") is None


def test_what_is_not_known_of_things_is_not_counted_instead(memory: GraphMemory) -> None:
    assert run(memory, "How many children did Ann Berg and Per Dahl have?", "sum") is None
    assert run(memory, "What do Ann Berg and Per Dahl owe us together?", "sum") is None


def test_a_sum_of_many_things_and_of_some_without_a_value(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([(f"Tower{at:02d}", "height", f"{50 + at} m") for at in range(20)])
        opened.add_many([(f"Tower{at:02d}", "stands in", "Oslo") for at in range(24)])
        every = ", ".join(f"Tower{at:02d}" for at in range(20))
        many = run(opened, f"What is the total height of {every} together?", "sum")
        assert many is not None and [member.text for member in many.members] == ["1,190 m"] and many.complete
        assert len(many.compared) == 20
        some = run(opened, "What is the total height of the towers that stand in Oslo?", "sum")
        assert some is not None and [member.text for member in some.members] == ["1,190 m"]
        assert not some.complete and "4 of 24 without one" in some.explanation
