"""Verdicts from sets: comparisons, "no" by other facts of the relation, and where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_reader import with_full_names
from graphmem.reasoning.operations import SetOperations
from graphmem.reasoning.sets.results import Result
from graphmem.reasoning.verdicts import comparison, contradiction

FACTS = [
    ("Red Dawn", "directed by", "Ann Berg"), ("Blue Dusk", "directed by", "Ann Berg"),
    ("Grey Noon", "directed by", "Per Dahl"), ("Grey Noon", "in language", "Norwegian"),
]  # fmt: skip


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many(FACTS)
        opened.add("Old Eve", "directed by", "Ann Berg", valid_from="1999", valid_to="2001")
        opened.add("Old Eve", "directed by", "Per Dahl", valid_from="2001")
        yield opened


def verdict(memory: GraphMemory, question: str) -> Result | None:
    retrieval = memory.retrieve(question)
    return contradiction(SetOperations(memory.evidence_reader, retrieval, with_full_names(retrieval)))


def test_another_director_says_no_with_the_facts_of_both(memory: GraphMemory) -> None:
    result = verdict(memory, "Was Grey Noon directed by Ann Berg?")
    assert result is not None and [member.text for member in result.members] == ["no"]
    assert [str(fact) for fact in result.facts][0] == "Grey Noon | directed by | Per Dahl"
    assert {fact.subject for fact in result.facts} == {"Grey Noon", "Red Dawn", "Blue Dusk"}
    assert "directed by" in result.explanation and result.confidence > 0.5


@pytest.mark.parametrize(
    "question",
    [
        "Was Red Dawn directed by Ann Berg?",  # a fact says so
        "Was Old Eve directed by Ann Berg?",  # a fact that has ended says so
        "Is Red Dawn in Norwegian?",  # no language of it is known
        "Was Grey Noon made?",  # one thing only
    ],
)
def test_no_verdict(memory: GraphMemory, question: str) -> None:
    assert verdict(memory, question) is None


@pytest.fixture(scope="module")
def people(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([
            ("Ann Berg", "height", "1.70 m"), ("Per Dahl", "height", "192 cm"), ("Ann Berg", "born", "1990"),
            ("Per Dahl", "born", "1975"), ("Ida Moe", "born", "1975"), ("Ann Berg", "friend", "Ida Moe"),
        ])  # fmt: skip
        yield opened


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("Is Per Dahl taller than Ann Berg?", "yes"),
        ("Is Ann Berg taller than Per Dahl?", "no"),
        ("was ann berg born before per dahl?", "no"),
        ("Was Per Dahl born before Ann Berg?", "yes"),
        ("Is Ida Moe older than Per Dahl?", "no"),  # of one age
        ("Is Ann Berg a friend of Ida Moe?", None),
        ("Is Ann Berg the tallest?", None),
    ],
)
def test_a_comparison_of_two_is_computed(people: GraphMemory, question: str, says: str | None) -> None:
    retrieval = people.retrieve(question)
    reader = people.evidence_reader
    assert reader is not None
    form = reader.form(question)
    assert form is not None and form.operation == "verify"
    result = comparison(SetOperations(reader, retrieval, with_full_names(retrieval)), form)
    assert (None if result is None else result.members[0].text) == says
    assert result is None or (len(result.facts) == 2 and "of 2" in result.explanation)
