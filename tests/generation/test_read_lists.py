"""Lists and counts of what documents name."""

from __future__ import annotations

from typing import Any

from graphmem.generation.read_lists import read_list
from graphmem.memory import GraphMemory
from graphmem.questions.operation import OPERATIONS, QuestionForm

TEXTS = [
    ("Keys", "Priti Rao has a key to the clinic. She got it in May.", None),
    ("Spring", "In spring Tobias Renn was given a key to the clinic as well.", None),
    ("Van", "The van has a new tyre.", None),
]


def form(operation: str) -> QuestionForm:
    return QuestionForm(operation, tuple(float(name == operation) for name in OPERATIONS), 0.5, 0.5)


def test_members_of_several_documents_are_listed_and_may_be_more(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_passages(TEXTS)
        retrieval = memory.retrieve("Who has a key to the clinic?")
        weighed = memory.evidence_reader.read(retrieval)
        listed = read_list(form("list"), retrieval, weighed, 0.0, 0)
        assert listed is not None and {"Priti Rao", "Tobias Renn"} <= set(listed.answers)
        assert "(there may be more)" in listed.text and not listed.explanation.complete
        assert {item.title for item in listed.evidence} >= {"Keys", "Spring"}
        counted = read_list(form("count"), retrieval, weighed, 0.0, 0)
        assert counted is not None and counted.text.startswith("at least 2: ") and counted.answers == ("2",)


def test_other_questions_and_facts_are_left_alone(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_passages(TEXTS)
        retrieval = memory.retrieve("Who has a key to the clinic?")
        weighed = memory.evidence_reader.read(retrieval)
        assert read_list(form("lookup"), retrieval, weighed, 0.0, 0) is None
        assert read_list(None, retrieval, weighed, 0.0, 0) is None
        assert read_list(form("list"), retrieval, weighed, 1.0, 0) is None
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many([("Priti Rao", "has a key to", "clinic"), ("Tobias Renn", "has a key to", "clinic")])
        retrieval = memory.retrieve("Who has a key to the clinic?")
        assert read_list(form("list"), retrieval, memory.evidence_reader.read(retrieval), 0.0, 0) is None
