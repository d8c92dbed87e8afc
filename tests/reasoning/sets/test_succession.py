"""Places in a succession, by the dates at which facts began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.questions.operation import OPERATIONS, QuestionForm
from graphmem.reasoning.operations import SetOperations
from graphmem.reasoning.sets.results import Result
from graphmem.reasoning.sets.succession import succeeded


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add("Vik Mill", "manager", "Ann Berg", valid_from="1998", valid_to="2004")
        opened.add("Vik Mill", "manager", "Per Dahl", valid_from="2004", valid_to="2011")
        opened.add("Vik Mill", "manager", "Ida Moe", valid_from="2011")
        opened.add("Vik Mill", "based in", "Oslo")
        opened.add("Oak Mill", "manager", "Kai Lund", valid_from="2001", valid_to="2005")
        opened.add("Oak Mill", "manager", "Bo Lind")
        yield opened


def run(memory: GraphMemory, question: str, operation: str = "superlative", later: float = 0.0) -> Result | None:
    form = QuestionForm(operation, tuple(float(name == operation) for name in OPERATIONS), 0.5, later)
    return succeeded(SetOperations(memory.evidence_reader, memory.retrieve(question), question), form)


def names(result: Result | None) -> list[str]:
    assert result is not None
    return [member.text for member in result.members]


def test_the_place_counts_from_the_end_that_is_asked_for(memory: GraphMemory) -> None:
    assert names(run(memory, "Who was the first manager of Vik Mill?")) == ["Ann Berg"]
    second = run(memory, "Who was the second manager of Vik Mill?", "lookup")
    assert names(second) == ["Per Dahl"] and second is not None and len(second.compared) == 3
    assert [fact.object for fact in second.members[0].facts] == ["Per Dahl"]
    assert names(run(memory, "Who was the last manager of Vik Mill?", later=1.0)) == ["Ida Moe"]


def test_fewer_than_asked_for_has_no_member(memory: GraphMemory) -> None:
    result = run(memory, "Who was the fifth manager of Vik Mill?")
    assert names(result) == [] and result is not None and len(result.compared) == 3


def test_without_a_place_or_dates_there_is_no_succession(memory: GraphMemory) -> None:
    assert run(memory, "Who is the manager of Vik Mill?", "lookup") is None
    assert run(memory, "Who was the second manager of Oak Mill?") is None
    assert run(memory, "Which is the second city?") is None
