"""Answers from evidence whose readings are given: statuses, words, quotes; and the whole way through ``ask``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graphmem.core.edits import AddNode
from graphmem.core.errors import InvalidTime
from graphmem.core.types import Fact
from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.fusion.config import FusionConfig
from graphmem.generation.attribution import Answer, Quote
from graphmem.generation.evidence_answers import evidence_answer
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.reasoning.calibration import load_calibration
from graphmem.reasoning.weighing import weigh
from graphmem.retrieval.evidence import EvidenceUnit, named_nodes
from graphmem.testing import FixedMemory, byte_tokenizer, tiny_model

TEXT = "Vik lies in the west. The lighthouse of Vik was built by Per Dahl, in 1871. It is white."


@pytest.fixture
def model(encoder: Any) -> Iterator[GraphMemoryModel]:
    """A tiny random base with a memory of facts and a document."""
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(
            [("Ann Berg", "lives in", "Oslo"), ("Ann Berg", "lives in", "Rome"), ("Ann Field", "works at", "Acme")]
        )
        memory.add_passages([("Vik", TEXT)], date="2024-03-06")
        yield attach(
            tiny_model("Llama"), byte_tokenizer("<|im_start|>", "<|im_end|>"), memory, FusionConfig(match_width=32)
        )


def answered(
    model: GraphMemoryModel, question: str, says: Callable[[EvidenceUnit], tuple[float, str]], asks: float = 0.0,
    verdict: tuple[float, float, float] = (1.0, 0.0, 0.0), **options: Any,
) -> Answer | None:  # fmt: skip
    """The answer where each unit reads as a relevance and the words that answer."""
    memory: Any = model.memory
    retrieval = memory.retrieve(question)
    units, readings = memory.evidence_reader.search.find(retrieval), []
    for unit in units:
        relevance, words = says(unit)
        at = unit.text.rfind(words)
        spans = (Span(at, at + len(words), 6.0 if relevance > 0 else -6.0),) if words and at >= 0 else ()
        readings.append(Reading(relevance, spans, 0.0, verdict if relevance > 0 else (1.0, 0.0, 0.0), 0.0))
    given = {"max_new_tokens": 6, "min_confidence": None, "all_answers": False, "refusal": None} | options
    return evidence_answer(model, question, retrieval, weigh(units, readings, asks, named_nodes(retrieval)), **given)


def holding(*words: str) -> Callable[[EvidenceUnit], tuple[float, str]]:
    """Units that hold one of the words are relevant, and it answers."""
    return lambda unit: next(((7.0, word) for word in words if word in unit.text), (-7.0, ""))


def test_an_answer_from_facts(model: GraphMemoryModel) -> None:
    made = answered(model, "Where does Ann Berg live?", holding("Oslo"))
    assert made is not None and (made.status, made.refused, made.text) == ("answered", False, "Oslo")
    assert [str(item) for item in made.evidence] == ["Ann Berg | lives in | Oslo"] == [str(fact) for fact in made.path]
    assert made.answers == ("Oslo",) and made.confidence >= load_calibration()["least"][0]


def test_further_facts_of_the_relation_belong_to_the_answer(model: GraphMemoryModel) -> None:
    made = answered(model, "Where does Ann Berg live?", holding("Oslo", "Rome"), all_answers=True)
    assert made is not None and set(made.answers) == {"Oslo", "Rome"} and made.text == ", ".join(made.answers)
    assert {str(item) for item in made.evidence} == {"Ann Berg | lives in | Oslo", "Ann Berg | lives in | Rome"}


def test_a_quote_points_at_the_answer_in_its_passage(model: GraphMemoryModel) -> None:
    made = answered(model, "Who built the lighthouse of Vik?", holding("Per Dahl,"))
    assert made is not None and (made.text, made.path) == ("Per Dahl", ())
    quote = made.evidence[0]
    assert isinstance(quote, Quote) and (quote.title, quote.date) == ("Vik", "2024-03-06")
    memory: Any = model.memory
    assert memory.store.node(quote.passage).text[quote.start : quote.end] == "Per Dahl"
    assert quote.text == "The lighthouse of Vik was built by Per Dahl, in 1871."
    assert str(quote) == f"Vik: {quote.text}"


@pytest.mark.parametrize(("verdict", "side"), [((0.02, 0.97, 0.01), "yes"), ((0.02, 0.01, 0.97), "no")])
def test_a_verdict_is_given_with_the_fact_that_says_so(
    model: GraphMemoryModel, verdict: tuple[float, float, float], side: str
) -> None:
    made = answered(model, "Does Ann Berg live in Oslo?", holding("Oslo"), 0.9, verdict, min_confidence=0.0)
    assert made is not None and made.answers == (side,) and made.status == "answered"
    assert made.text == side.capitalize()
    assert [str(item) for item in made.evidence] == ["Ann Berg | lives in | Oslo"]


def test_a_verdict_from_a_passage_quotes_it(model: GraphMemoryModel) -> None:
    made = answered(
        model, "Was the lighthouse of Vik built in 1871?", holding("1871"), 0.9, (0, 1, 0), min_confidence=0.0
    )
    assert made is not None and made.text == "Yes"
    (quote,) = made.evidence
    assert isinstance(quote, Quote) and TEXT[quote.start : quote.end] == TEXT


def test_a_certain_answer_about_a_name_like_a_known_one_is_not_known(model: GraphMemoryModel) -> None:
    certain = lambda unit: (12.0, "Oslo") if "Oslo" in unit.text else (-12.0, "")
    known = answered(model, "Where does Ann Berg live?", certain)
    assert known is not None and known.status == "answered" and known.confidence > 0.6
    made = answered(model, "Where does Ann Falk live?", certain)
    assert made is not None and (made.status, made.confidence < load_calibration()["least"][0]) == ("not_known", True)
    assert made.text.startswith("The memory holds no Ann Falk. Names like it: Ann ")


def test_what_the_memory_does_not_say_is_not_known(model: GraphMemoryModel) -> None:
    made = answered(model, "When was Ann Berg born?", lambda unit: (-6.0, "Oslo" if "Oslo" in unit.text else ""))
    assert made is not None and (made.status, made.refused, made.answers) == ("not_known", True, ())
    assert made.text == "The memory does not say. About Ann Berg it holds: lives in."
    assert [str(item) for item in made.evidence] == ["Ann Berg | lives in | Oslo"]
    own = answered(model, "When was Ann Berg born?", lambda unit: (-6.0, ""), refusal="No idea.", min_confidence=0.0)
    assert own is not None and (own.text, own.status, own.evidence) == ("No idea.", "not_known", ())


def test_an_unclear_name_is_clear_where_the_evidence_is(model: GraphMemoryModel) -> None:
    assert answered(model, "Which is the town of Ann?", lambda unit: (-6.0, "Oslo")) is None
    assert answered(model, "Which is the town of Ann?", holding("Oslo", "Acme")) is None
    made = answered(model, "Which is the town of Ann?", holding("Oslo"))
    assert made is not None and made.text == "Oslo"


@pytest.mark.parametrize(("when", "status"), [("refuse", "not_known"), ("base", "from_base"), ("attend", "answered")])
def test_when_unknown_decides_what_is_said(model: GraphMemoryModel, when: Any, status: str) -> None:
    made = model.ask("What is the weight of the moon?", max_new_tokens=4, when_unknown=when, min_confidence=1.0)
    assert made.status == status and made.refused == (status == "not_known")
    assert made.prompt_tokens > 10 and made.retrieval is not None


def test_an_empty_memory_knows_nothing_at_any_confidence(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        model = attach(tiny_model("Llama"), byte_tokenizer(), memory, FusionConfig(match_width=32))
        for options in (
            {},
            {"min_confidence": 0.0},
            {"when_unknown": "answer"},
            {"all_answers": True, "min_confidence": 0},
        ):
            for question in ("Where does Ann live?", "Does Ann live in Oslo?"):
                made = model.ask(question, max_new_tokens=4, **options)  # type: ignore[arg-type]
                assert (made.status, made.confidence, made.evidence) == ("not_known", 0.0, ())


def test_ask_asks_back_or_answers_at_any_confidence(model: GraphMemoryModel) -> None:
    memory: Any = model.memory
    memory.store.apply(
        [AddNode("Ann Berg", aliases=("Annie",)), AddNode("Ann Field", aliases=("Annie",), ambiguous=True)]
    )
    made = model.ask("Who is Annie?", max_new_tokens=4)
    assert made.status == "ambiguous" and made.text == "Annie may mean Ann Berg or Ann Field; say which one."
    sure = model.ask("What is the work of Ann Field?", max_new_tokens=4, when_unknown="answer")
    assert sure.status == "answered" and all(isinstance(item, Fact | Quote) for item in sure.evidence)


def test_a_memory_without_a_reader_of_evidence_answers_from_its_retrieval() -> None:
    tokenizer = byte_tokenizer("<|im_start|>", "<|im_end|>")
    model = attach(tiny_model("Llama"), tokenizer, FixedMemory("Rome"), FusionConfig(match_width=32))
    made = model.ask("Where was Ada born?", max_new_tokens=4, when_unknown="attend")
    assert made.status == "answered" and made.retrieval is not None


def test_evidence_turned_off_answers_from_the_retrieval(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder, evidence=False) as memory:
        memory.add("Ann Berg", "lives in", "Oslo")
        model = attach(tiny_model("Llama"), byte_tokenizer(), memory, FusionConfig(match_width=32))
        made = model.ask("Where does Ann Berg live?", max_new_tokens=4, when_unknown="attend")
        assert made.status == "answered" and [str(fact) for fact in made.evidence] == ["Ann Berg | lives in | Oslo"]


def test_a_value_of_other_times_is_named_and_not_the_answer(model: GraphMemoryModel) -> None:
    memory: Any = model.memory
    memory.add("Ann Field", "employer", "Acme", valid_from="2001", valid_to="2004")
    memory.add("Ann Field", "employer", "Globex", valid_from="2005")
    then = model.ask("Who was the employer of Ann Field in 1980?", max_new_tokens=6)
    assert then.status == "not_known" and {fact.object for fact in then.evidence} == {"Acme", "Globex"}
    assert "2001" in then.text and "other time" in then.text
    past = model.ask("Who is the employer of Ann Field?", at="2003", max_new_tokens=6, when_unknown="answer")
    now = model.ask("Who is the employer of Ann Field?", max_new_tokens=6, when_unknown="answer")
    assert (past.answers[0], now.answers[0]) == ("Acme", "Globex")
    with pytest.raises(InvalidTime):
        model.ask("Who is the employer of Ann Field?", at="some day")
