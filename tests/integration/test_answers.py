"""The shipped weights on the real base: new names are generated, attributed, updated, and removed by undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from graphmem.evaluation.locality import text_kl
from graphmem.text.answer_matching import is_right

pytestmark = pytest.mark.slow

FACTS = [
    ("Ada Brightwater", "born in", "Port Ellerby"), ("Ada Brightwater", "works for", "Quillon Dynamics Ltd."),
    ("Ada Brightwater", "spouse", "Tomasz Wiśniewski-Okoro"), ("Tomasz Wiśniewski-Okoro", "born in", "Łódź"),
    ("Port Ellerby", "located in", "Norrland County"), ("Quillon Dynamics Ltd.", "founded in", "1987"),
    ("Quillon Dynamics Ltd.", "headquarters", "St. Agnes-on-Sea"), ("Bela Korrin", "born in", "Vastergate"),
    ("Bela Korrin", "works for", "Harrow & Finch"), ("Harrow & Finch", "founded in", "2011"),
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel

    torch.set_num_threads(1)
    path: Path = tmp_path_factory.mktemp("answers") / "facts.db"
    with GraphMemory.open(str(path)) as memory:
        memory.add_many(FACTS)
        yield GraphMemoryModel.from_pretrained("smollm2-135m", memory=memory)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where was Ada Brightwater born?", "Port Ellerby"),
        ("Where was Bela Korrin born?", "Vastergate"),
        ("Who does Ada Brightwater work for?", "Quillon Dynamics Ltd."),
        ("Who is the spouse of Ada Brightwater?", "Tomasz Wiśniewski-Okoro"),
    ],
)
def test_a_fact_in_the_words_of_the_question_is_the_answer(model: Any, question: str, answer: str) -> None:
    given = model.ask(question)
    assert is_right(given.text, [answer]) and given.status == "answered"
    assert {s.node for s in given.sources} == {answer}
    assert [str(fact.object) for fact in given.path] == [answer] and given.path[0] == given.evidence[0]


def test_without_memory_the_base_does_not_know(model: Any) -> None:
    with model.memory_disabled():
        assert not is_right(model.ask("Where was Ada Brightwater born?").text, ["Port Ellerby"])


def test_a_changed_fact_is_answered_at_once_and_undone(model: Any) -> None:
    question = "Where was Bela Korrin born?"
    found = model.memory.retrieve(question, top_k=1).nodes[0].name
    entry = model.memory.add("Bela Korrin", "born in", "Xanthe Springs")
    both = {node.name for node in model.memory.retrieve(question, top_k=2).nodes}
    assert is_right(model.ask(question).text, both)
    model.memory.undo(entry)
    assert is_right(model.ask(question).text, [found])


def test_taking_away_the_fact_that_is_named_changes_the_answer(model: Any) -> None:
    question = "Where was Ada Brightwater born?"
    given = model.ask(question)
    named = given.sources[0]
    assert is_right(given.text, [named.node]) and named.fact is not None
    entry = model.memory.retire(named.fact.subject, named.fact.relation, named.fact.object)
    assert not is_right(model.ask(question).text, [named.node])
    model.memory.undo(entry)
    assert is_right(model.ask(question).text, [named.node])


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-01", "Velvetvet", "1.5 million, or so", "Санкт-Петербург", "東京東京都", "St. Anna and Co., Ltd.",
        "Shivajee Chandrabhushan", "서울특별시", "Θεσσαλονίκη", "https://example.org/a-b",
    ],
)  # fmt: skip
def test_odd_names_are_generated_to_their_end(model: Any, value: str) -> None:
    entry = model.memory.add("Zarn Obrecht", "born in", value)
    answer = model.ask("Where was Zarn Obrecht born?", when_unknown="answer")
    if answer.retrieval.nodes[0].name == value:
        assert answer.text == value
    model.memory.undo(entry)


def test_plain_text_is_hardly_changed_by_its_retrieval(model: Any) -> None:
    text = "The committee met on Tuesday to discuss the budget, and after a long debate it agreed on most points."
    moved = text_kl(model, [text], [model.memory.retrieve(text, top_k=32)])
    assert moved.kl < 0.02 and moved.same_token > 0.9
