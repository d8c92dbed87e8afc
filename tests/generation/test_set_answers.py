"""Answers from operations on sets: their texts, evidence and explanations, and when there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.fusion.config import FusionConfig
from graphmem.generation.set_answers import answer_of, set_answer
from graphmem.memory import GraphMemory
from graphmem.model import attach
from graphmem.questions.operation import OPERATIONS, QuestionForm
from graphmem.reasoning.operations import Member, Result
from graphmem.testing import byte_tokenizer, tiny_model

FACTS = [
    ("Maeve", "mother", "Gisela"), ("Conor", "mother", "Gisela"), ("Ruth", "mother", "Gisela"),
    ("Maeve", "height", "1.68 m"), ("Conor", "height", "193 cm"), ("Gisela", "lives in", "Kendal"),
]  # fmt: skip


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many(FACTS)
        yield opened


def answered(memory: GraphMemory, question: str) -> Any:
    return set_answer(memory.evidence_reader, memory.retrieve(question))


def test_a_count_says_the_number_and_who(memory: GraphMemory) -> None:
    answer = answered(memory, "How many people have Gisela as their mother?")
    assert answer.text.startswith("3: ") and answer.answers == ("3",) and answer.status == "answered"
    assert {fact.subject for fact in answer.evidence} == {"Maeve", "Conor", "Ruth"}
    assert "? | mother | Gisela" in answer.explanation.steps and 0 < answer.confidence <= 1


def test_a_comparison_keeps_what_was_compared(memory: GraphMemory) -> None:
    answer = answered(memory, "Who is taller, Maeve or Conor?")
    assert answer.text == "Conor" and answer.answers == ("Conor",)
    assert {fact.object for fact in answer.evidence} == {"1.68 m", "193 cm"}


def test_a_lookup_is_no_operation(memory: GraphMemory) -> None:
    assert answered(memory, "Where does Gisela live?") is None
    assert answered(memory, "Does Gisela live in Kendal?") is None


def test_a_name_that_is_not_held_leaves_the_question_to_the_evidence(memory: GraphMemory) -> None:
    assert answered(memory, "How many people have Gisela as their mother?") is not None
    assert answered(memory, "How many people have Brunhilde Zorn as their mother?") is None


def test_ask_answers_from_the_set(memory: GraphMemory) -> None:
    model = attach(
        tiny_model("Llama"), byte_tokenizer("<|im_start|>", "<|im_end|>"), memory, FusionConfig(match_width=32)
    )
    question = "How many people have Gisela as their mother?"
    assert model.ask(question).text.startswith("3: ")
    assert model.ask(question, min_confidence=1.0).status == "not_known"
    assert model.ask(question, min_confidence=1.0, when_unknown="answer").text.startswith("3: ")


def test_what_is_cut_is_said() -> None:
    form = QuestionForm("list", tuple(float(name == "list") for name in OPERATIONS), 0.5, 0.5)
    members = tuple(Member(f"P{at}", at, ()) for at in range(120))
    answer = answer_of(Result("list", members, count=5_000, complete=False), form, None)
    assert answer.text.endswith("P99, and 4900 more (there may be more)")
    stated = Result("count", (Member("12", 1, ()),), count=12, stated=True)
    assert answer_of(stated, form, None).text == "12"
