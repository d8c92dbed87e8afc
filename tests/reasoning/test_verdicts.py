"""The verdict "no" by other facts of the relation, and where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_reader import with_full_names
from graphmem.reasoning.operations import Result, SetOperations
from graphmem.reasoning.verdicts import contradiction

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
