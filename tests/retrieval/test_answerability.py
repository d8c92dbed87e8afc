from __future__ import annotations

from dataclasses import replace

import pytest

from graphmem.memory import GraphMemory
from graphmem.retrieval.answerability import NO_NAME, PARTIAL_NAME, UNREACHABLE, answerability_threshold


def test_the_threshold_depends_on_the_names_in_the_question() -> None:
    with GraphMemory.open(":memory:") as memory:
        memory.add_many([("Ada Lovelace", "born in", "London"), ("Frozen", "director", "Ann Lee")])
        memory.add("Freedonia", "capital", "Fredville")
        for question, least in (
            ("Where was Ada Lovelace born?", 0.4), ("where was ada born", 0.4), ("where is freedonia", 0.4),
            ("Where was she born?", NO_NAME), ("Did Ada Lovelace know Zebulon?", NO_NAME),
            ("What is frozen water?", NO_NAME), ("Where is freedonia?", NO_NAME),
            ("What is the capital of Japan?", UNREACHABLE),
        ):  # fmt: skip
            assert answerability_threshold(memory.retrieve(question), 0.4) == least, question
        found = memory.retrieve("Which of them was born to a lovelace long ago?")
        part = replace(found, seeds=replace(found.seeds, mentions=(), strategy="hybrid"))
        assert answerability_threshold(part, 0.4) == PARTIAL_NAME and answerability_threshold(part, 0.9) == 0.9


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Who manages Wolves?", True), ("Who manages Wolves of Winter?", False), ("Who is Old Wolves?", False),
        ("Wolves and Bears: who wrote it?", True), ("who manages wolves", True),
        ("Where does Wolves, London, play?", False), ("Are Wolves and Bears friends?", True),
        ("Is it Wolves Bears?", False),
        ("Who manages Wolves of the Bears?", False), ("Which wolves does Ann Lee manage?", False),
        ("Which wolves does the BBC manage?", False), ("which wolves does the BBC manage?", True),
        ("Who is the CEO of Nokia?", True), ("Who is CEO in Nokia?", True), ("Who is the President of Nokia?", True),
        ("Who is the Queen of Nokia?", False), ("Who is NOKIA Nokia?", False), ("Who is the President Nokia?", True),
        ("Who is the CEO of Greater Nokia?", False), ("Who is the President of Nokia Park?", False),
    ],
)  # fmt: skip
def test_a_known_name_inside_a_longer_one_names_something_else_and_an_office_before_it_does_not(
    query: str, named: bool
) -> None:
    with GraphMemory.open(":memory:") as memory:
        memory.add_many([("Wolves", "manager", "Ann"), ("Bears", "manager", "Bob")])
        memory.add_many([("Nokia", "president", "Ann"), ("Nokia", "chief executive officer", "Bob")])
        found = memory.retrieve(query)
        assert found.seeds.mentions and (answerability_threshold(found, 0.4) == 0.4) is named
