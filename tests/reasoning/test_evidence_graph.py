"""Graph of supports: what is joined to what, and features that come from readings, cosines and links."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphmem.core.types import Edge, Fact, Node
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.encoding.evidence_text import fact_text, passage_text
from graphmem.reasoning.evidence_graph import (
    ANSWER,
    FEATURES,
    TOPIC,
    EvidenceGraph,
    Mentioned,
    QuestionContext,
    evidence_graph,
)
from graphmem.reasoning.weighing import Support, supports_of
from graphmem.retrieval.evidence import EvidenceUnit, chain_unit

NODES = {name: number for number, name in enumerate(("Ann Berg", "Acme", "Oslo", "Olav"), 1)}
QUESTION = "What does Ann Berg do for a living?"


def fact(subject: str, relation: str, object: str) -> tuple[Fact, Edge]:
    number = len(subject + relation + object)
    return Fact(subject, relation, object, id=number), Edge(number, NODES[subject], relation, NODES.get(object, 50))


def unit_of(subject: str, relation: str, object: str) -> EvidenceUnit:
    made, edge = fact(subject, relation, object)
    return EvidenceUnit(fact_text(subject, relation, object), (made,), (edge,))


def read(unit: EvidenceUnit, word: str, relevance: float = 0.0) -> Reading:
    at = unit.text.rindex(word)
    return Reading(relevance, (Span(at, at + len(word), 4.0),), 0.0, (1.0, 0.0, 0.0), -3.0)


@pytest.fixture(scope="module")
def vectors(encoder: Any) -> EmbeddingCache:
    return EmbeddingCache(encoder)


def supports() -> list[Support]:
    (first, one), (second, other) = fact("Ann Berg", "works at", "Acme"), fact("Acme", "located in", "Oslo")
    window = EvidenceUnit(
        passage_text("Notes", "Ann Berg moved to Oslo."),
        passage=Node(9, "passage:9", "passage", "Ann Berg moved to Oslo.", attributes={"title": "Notes"}),
    )
    units = [
        unit_of("Ann Berg", "job", "piano teacher"), unit_of("Ann Berg", "lives in", "Oslo"), window,
        chain_unit((first, second), (one, other), "Oslo"),
    ]  # fmt: skip
    readings = [read(unit, word) for unit, word in zip(units, ("piano teacher", "Oslo", "Oslo", "Oslo"), strict=True)]
    return supports_of(units, readings, {NODES["Ann Berg"]})


def context() -> QuestionContext:
    start = QUESTION.index("Ann Berg")
    mention = Mentioned(start, start + len("Ann Berg"), (NODES["Ann Berg"],))
    return QuestionContext(QUESTION, (mention,), {NODES["Oslo"]: 0.5, NODES["Acme"]: -1.0})


def graph(vectors: EmbeddingCache) -> EvidenceGraph:
    return evidence_graph(supports(), context(), vectors)


def column(made: EvidenceGraph, name: str) -> list[float]:
    return [round(value, 4) for value in made.features[:, FEATURES.index(name)].tolist()]


def test_supports_of_one_answer_meet_there_and_those_of_one_topic_at_the_topic(vectors: EmbeddingCache) -> None:
    made = graph(vectors)
    assert (made.answers, made.answer_of.tolist()) == (2, [0, 1, 1, 1])
    joined = lambda kind: sorted((int(s), int(n)) for s, n, k in made.edges.T if k == kind)
    assert joined(ANSWER) == [(0, 0), (1, 1), (2, 1), (3, 1)]
    assert joined(TOPIC) == [(0, 2), (1, 2), (3, 2), (3, 3)], "Ann Berg for three, Acme for the chain, none for a text"
    assert made.nodes == 4


def test_features_are_finite_numbers_of_every_column(vectors: EmbeddingCache) -> None:
    made = graph(vectors)
    assert made.features.shape == (4, len(FEATURES)) and np.isfinite(made.features).all()
    assert column(made, "fact") == [1, 1, 0, 0] and column(made, "chain") == [0, 0, 0, 1]
    assert column(made, "passage") == [0, 0, 1, 0] and column(made, "hops") == [0.3333, 0.3333, 0, 0.6667]
    assert column(made, "topic named") == [1, 1, 0, 0] and column(made, "mentions covered") == [1, 1, 1, 1]
    assert column(made, "supports")[1] == pytest.approx(np.log(3), abs=1e-3)


def test_the_relation_nearest_to_the_question_without_its_names_is_best(vectors: EmbeddingCache) -> None:
    assert context().without_names() == "What does do for a living?"
    below = column(graph(vectors), "relation below the best")
    assert below[0] == 0 and max(below[1], below[3]) < 0, "job, not lives in or located in"
    assert below[2] == 0, "a text has no relation"


def test_a_question_without_names_and_with_nothing_but_names_is_defined(vectors: EmbeddingCache) -> None:
    bare = evidence_graph(supports(), QuestionContext("Who?"), vectors)
    assert column(bare, "mentions covered") == [0] * 4 and column(bare, "question names something") == [0] * 4
    only = QuestionContext("Ann Berg", (Mentioned(0, 8, (NODES["Ann Berg"],)),))
    assert only.without_names() == "Ann Berg" and np.isfinite(evidence_graph(supports(), only, vectors).features).all()
