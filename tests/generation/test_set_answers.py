"""Answers from operations on sets: their texts, evidence and explanations, and when there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.core.times import to_micros
from graphmem.fusion.config import FusionConfig
from graphmem.generation.set_answers import answer_of, certainty, set_answer, settled
from graphmem.memory import GraphMemory
from graphmem.model import attach
from graphmem.questions.operation import OPERATIONS, QuestionForm
from graphmem.reasoning.sets.results import Member, Result
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
    total = answer_of(Result("sum", (Member("1,190 m", -1, ()),), count=1190), form, None)
    assert total.text == "1,190 m" and total.answers == ("1,190 m",)
    stated = Result("count", (Member("12", 1, ()),), count=12, stated=True)
    assert answer_of(stated, form, None).text == "12"


def test_a_set_is_that_of_the_time_asked_about(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add("Ann Berg", "works at", "Vik Mill", valid_from="2001", valid_to="2009")
        opened.add("Per Dahl", "works at", "Vik Mill", valid_from="2005", valid_to="2014")
        opened.add("Ida Moe", "works at", "Vik Mill", valid_from="2012")
        opened.add("Kai Lund", "works at", "Vik Mill", valid_from="2016")
        then = answered(opened, "Which people worked at Vik Mill in 2006?")
        assert set(then.answers) == {"Ann Berg", "Per Dahl"} and "2006" in then.explanation.time
        now = answered(opened, "Which people work at Vik Mill?")
        assert set(now.answers) == {"Ida Moe", "Kai Lund"}
        asked = opened.retrieve("Which people work at Vik Mill?")
        at = set_answer(opened.evidence_reader, asked, at=to_micros("2013-06-01"))
        assert at is not None and set(at.answers) == {"Per Dahl", "Ida Moe"} and "2013" in at.explanation.time


def test_a_place_on_a_scale(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        towers = [("Alm Tower", "90 m"), ("Bro Tower", "70 m"), ("Cal Tower", "120 m")]
        opened.add_many([(name, "height", height) for name, height in towers])
        opened.add_many([(name, "stands in", "Oslo") for name, _ in towers])
        second = answered(opened, "Which is the second tallest tower in Oslo?")
        assert second.text == "Alm Tower" and "2 in order" in " ".join(second.explanation.steps)
        ninth = answered(opened, "Which is the ninth tallest tower in Oslo?")
        assert ninth.status == "not_known" and ninth.text.startswith("The memory holds only")
        assert all(name in ninth.text for name, _ in towers)


def test_sums_and_differences_are_answers_or_refused_in_words(memory: GraphMemory) -> None:
    taller = answered(memory, "How much taller is Conor than Maeve?")
    assert taller.text == "0.25 m" or taller.text == "25 cm"
    assert {fact.object for fact in taller.evidence} == {"1.68 m", "193 cm"}
    memory.add_many([("oak desk", "price", "£250"), ("blue bike", "price", "€180")])
    refused = answered(memory, "How much do the oak desk and the blue bike cost together?")
    assert refused.status == "not_known" and "£250" in refused.text and "€180" in refused.text


def test_what_asks_for_members_is_as_certain_as_its_operations_together() -> None:
    chances = {"lookup": 0.3, "list": 0.25, "intersect": 0.15, "superlative": 0.3}
    form = QuestionForm("lookup", tuple(chances.get(name, 0.0) for name in OPERATIONS), 0.5, 0.5)
    assert certainty(form) == pytest.approx(0.7)
    other = QuestionForm("superlative", form.probabilities, 0.5, 0.5)
    assert certainty(other) == pytest.approx(0.3) and settled(other).operation == "lookup"
    assert settled(form, 2).operation == "superlative" and settled(form, 1).operation == "lookup"
    sure = tuple({"superlative": 0.6, "list": 0.4}.get(name, 0.0) for name in OPERATIONS)
    assert settled(QuestionForm("superlative", sure, 0.5, 0.5)).operation == "superlative"


def test_a_succession_is_chosen_where_no_values_fit_better(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add("Vik Mill", "manager", "Ann Berg", valid_from="1998", valid_to="2004")
        opened.add("Vik Mill", "manager", "Per Dahl", valid_from="2004", valid_to="2011")
        opened.add("Vik Mill", "manager", "Ida Moe", valid_from="2011")
        opened.add_many([(part, "part of", "Vik Mill") for part in ("north hall", "south hall")])
        opened.add_many([("north hall", "floor area", "300 m²"), ("south hall", "floor area", "450 m²")])
        first = answered(opened, "Who was the first manager of Vik Mill?")
        assert first.text == "Ann Berg" and "began" in " ".join(first.explanation.steps)
        largest = answered(opened, "Which part of Vik Mill has the largest floor area?")
        assert largest.text == "south hall"
