"""Answers weighed from readings that are given: facts, chains, passages, dates, verdicts."""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

import pytest

from graphmem.core.types import Edge, Fact, Node
from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.encoding.evidence_text import fact_text, passage_text
from graphmem.reasoning.weighing import Weighed, answer_set, weigh
from graphmem.retrieval.evidence import EvidenceUnit, chain_unit

NODES = {name: number for number, name in enumerate(("Ann", "Acme", "Bergen", "Olav", "Oslo", "Rome"), 1)}


def fact(subject: str, relation: str, object: str, since: str | None = None) -> tuple[Fact, Edge]:
    number = crc32(f"{subject} {relation} {object}".encode())
    return Fact(subject, relation, object, valid_from=since, id=number), Edge(
        number, NODES[subject], relation, NODES[object]
    )


def fact_unit(subject: str, relation: str, object: str, since: str | None = None) -> EvidenceUnit:
    made, edge = fact(subject, relation, object, since)
    return EvidenceUnit(fact_text(subject, relation, object, since), (made,), (edge,))


def window(text: str, start: int = 0, title: str = "Vik") -> EvidenceUnit:
    passage = Node(9, "passage:9", "passage", "." * start + text, attributes={"title": title})
    return EvidenceUnit(passage_text(title, text), passage=passage, start=start)


def reads(unit: EvidenceUnit, *words: str, relevance: float = 1.0, score: float = 5.0, **more: Any) -> Reading:
    """A reading whose spans are these words, each a nat below the one before."""
    spans = [(unit.text.rindex(word), unit.text.rindex(word) + len(word)) for word in words]
    scored = tuple(Span(a, b, score - k) for k, (a, b) in enumerate(spans))
    return Reading(relevance, scored, 0.0, more.get("verdict", (1.0, 0.0, 0.0)), more.get("asks", -3.0))


def test_the_weight_is_the_relevance_and_the_chance_of_the_span() -> None:
    unit = fact_unit("Ann", "works at", "Acme")
    (answer,) = weigh([unit], [reads(unit, "Acme", "Ann", relevance=2.0, score=3.0)]).answers
    assert (answer.text, answer.node, answer.support[0].field) == ("Acme", NODES["Acme"], "object")
    assert answer.weight == pytest.approx(2.0 + math.log(1 / (1 + math.exp(-3.0))))


def test_units_with_the_same_answer_add_up_whatever_their_kind() -> None:
    units = [
        fact_unit("Ann", "works at", "Acme"),
        window("Ann works for ACME, in Bergen."),
        fact_unit("Ann", "lives in", "Oslo"),
    ]
    readings = [reads(units[0], "Acme"), reads(units[1], "ACME"), reads(units[2], "Oslo", relevance=1.3)]
    first, second = weigh(units, readings).answers
    assert [first.text, second.text] == ["Acme", "Oslo"]
    weights = [support.weight for support in first.support]
    assert first.weight == pytest.approx(math.log(sum(map(math.exp, weights)))) and first.weight > second.weight
    assert [support.unit.passage is None for support in first.support] == [True, False]


def test_a_chain_answers_with_its_last_name_alone() -> None:
    (first, one), (second, other) = fact("Ann", "works at", "Acme"), fact("Olav", "leads", "Acme")
    unit = chain_unit((first, second), (one, other), "Olav")
    (answer,) = weigh([unit], [reads(unit, "works", "Olav")]).answers
    assert (answer.text, answer.node, answer.support[0].field) == ("Olav", NODES["Olav"], "object")
    assert weigh([unit], [reads(unit, "works", "leads")]).answers == ()


@pytest.mark.parametrize(
    ("start", "words"), [(0, "Per Dahl,"), (500, " Per Dahl"), (3, "Per Dahl"), (0, "Vik | By Per Dahl")]
)
def test_the_span_of_a_passage_points_into_its_text(start: int, words: str) -> None:
    unit = window("By Per Dahl, in 1871.", start)
    (answer,) = weigh([unit], [reads(unit, words)]).answers
    (support,) = answer.support
    assert unit.passage is not None and unit.passage.text[slice(*support.span)] == answer.text
    assert answer.text.endswith("Per Dahl") and answer.node == -1


def test_a_title_alone_and_bare_signs_answer_nothing() -> None:
    unit = window("By Per Dahl, in 1871.")
    assert weigh([unit], [reads(unit, "Vik")]).answers == ()
    assert weigh([unit], [reads(unit, ", ")]).answers == ()
    assert weigh([unit], [Reading(1.0, (), 0.0, (1.0, 0.0, 0.0), 0.0)]).answers == ()


def test_dates_are_answered_as_they_are_written() -> None:
    unit = fact_unit("Ann", "works at", "Acme", "2019-06")
    (answer,) = weigh([unit], [reads(unit, "June 2019")], named=[NODES["Ann"]]).answers
    assert (answer.text, answer.node, answer.support[0].field) == ("June 2019", -1, "dates")


def test_what_the_question_names_is_no_answer_to_it() -> None:
    unit, ann, acme, oslo = fact_unit("Ann", "works at", "Acme"), NODES["Ann"], NODES["Acme"], NODES["Oslo"]
    texts = lambda named, *words: [a.text for a in weigh([unit], [reads(unit, *words)], named=named).answers]
    assert texts([ann], "Ann", "Acme") == ["Acme"] == texts([ann], "works at")
    assert texts([acme], "Acme", "Ann") == ["Ann"] == texts([acme], "works at")
    assert texts([ann], "Ann") == []
    assert texts([ann, acme], "Ann", "Acme") == []
    for named in ([], [oslo]):
        assert texts(named, "Ann", "Acme") == ["Ann"], "elsewhere it may be one"


def test_the_set_holds_near_facts_of_one_relation_and_topic() -> None:
    units = [fact_unit("Ann", "lives in", name) for name in ("Oslo", "Rome", "Bergen")]
    units += [fact_unit("Olav", "lives in", "Acme"), fact_unit("Ann", "works at", "Olav")]
    ends = [unit.facts[0].object for unit in units]
    relevances = (3.0, 2.5, 0.5, 2.9, 2.9)
    weighed = weigh(units, [reads(u, e, relevance=r) for u, e, r in zip(units, ends, relevances, strict=True)])
    assert [answer.text for answer in answer_set(weighed)] == ["Oslo", "Rome"]
    passage = window("Ann lives in Oslo.")
    assert (
        len(answer_set(weigh([passage, units[1]], [reads(passage, "Oslo", relevance=4), reads(units[1], "Rome")]))) == 1
    )
    assert answer_set(Weighed()) == []


@pytest.mark.parametrize(("yes", "no", "side"), [(0.8, 0.1, "yes"), (0.2, 0.6, "no")])
def test_the_verdict_is_that_of_the_unit_that_gives_one(yes: float, no: float, side: str) -> None:
    units = [fact_unit("Ann", "works at", "Acme"), fact_unit("Ann", "lives in", "Oslo")]
    readings = [
        reads(units[0], "Acme", verdict=(0.99, 0.005, 0.005)),
        reads(units[1], "Oslo", verdict=(1 - yes - no, yes, no)),
    ]
    weighed = weigh(units, readings, 0.9)
    assert weighed.verdict == (side, pytest.approx(max(yes, no) / (yes + no)))
    assert weighed.verdict_unit is units[1] and weighed.asks_verdict == 0.9


def test_features_are_bounded_numbers() -> None:
    unit = fact_unit("Ann", "works at", "Acme")
    for weighed in (
        Weighed(),
        weigh([], []),
        weigh([unit], [reads(unit, "Acme", relevance=1e6, score=-1e6)]),
        weigh([unit], [reads(unit, relevance=-1e6)]),
        weigh([unit], [reads(unit, "Acme", relevance=-1e6, score=1e6)]),
    ):
        assert all(-8 <= value <= 8 for value in weighed.features())
