"""Graph over the evidence of a question: supports, the nodes that they lead from and to, and their features.

A support is a unit of evidence with what it answers. It is joined to its answer (a node of the memory, or a text) and
to the topics that it touches: names of the question, and nodes between. So supports of one answer meet at the answer,
and those of one topic compete at the topic. Features are numbers that mean the same in every memory: readings of the
evidence encoder, cosines of the frozen text encoder, links; no relation and no name has a parameter of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from graphmem.core.names import normalise
from graphmem.encoding.evidence_text import relation_words, stored_fact_text
from graphmem.reasoning.weighing import Support, is_alias, kind_of
from graphmem.retrieval.evidence import EvidenceUnit
from graphmem.text.answer_matching import contains

Vectors = Callable[[Sequence[str]], np.ndarray]

FEATURES = (
    "relevance", "margin", "span", "relevance below the best", "cosine", "cosine below the best", "relation",
    "relation below the best", "path", "path below the best", "fact", "chain", "passage", "hops", "mentions covered",
    "question names something", "topic named", "backward", "dates", "activation", "in the question", "supports",
    "other name", "length", "digits", "mentions",
)  # fmt: skip
"""Names of the columns of ``EvidenceGraph.features``."""

ANSWER, TOPIC = 0, 1
"""Kinds of edges: from a support to its answer, and to a topic."""


class Mentioned(NamedTuple):
    """Words of a question that name something of the memory: their characters and the nodes of that name."""

    start: int
    end: int
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QuestionContext:
    """What is known of a question beside its units.

    Attributes:
        mentions: names in the question.
        activation: relevance of the nodes that search activated.
    """

    question: str
    mentions: tuple[Mentioned, ...] = ()
    activation: Mapping[int, float] | None = None

    @classmethod
    def of(cls, retrieval: Any) -> QuestionContext:
        """The context of a retrieval."""
        mentions = tuple(Mentioned(m.start, m.end, tuple(m.nodes)) for m in retrieval.seeds.mentions)
        graph = retrieval.subgraph
        activation = dict(zip(graph.node_ids.tolist(), graph.relevance.tolist(), strict=True))
        return cls(retrieval.query, mentions, activation)

    def without_names(self) -> str:
        """The question without the names in it, for comparison with names of relations."""
        text = self.question
        for mention in sorted(self.mentions, key=lambda mention: -mention.start):
            text = text[: mention.start] + text[mention.end :]
        return " ".join(text.split()) or self.question


@dataclass(frozen=True, slots=True)
class EvidenceGraph:
    """Supports of a question as a graph.

    Attributes:
        features: float32 [S, F], see ``FEATURES``.
        edges: int64 [3, E]: support, node, and ``ANSWER`` or ``TOPIC``.
        nodes: number of nodes; answers first.
        answers: number of answers; support s has the answer ``answer_of[s]``.
        base: float32 [S], weights of the supports by reading alone, in nats.
    """

    features: np.ndarray
    edges: np.ndarray
    nodes: int
    answers: int
    answer_of: np.ndarray
    base: np.ndarray


def evidence_graph(supports: Sequence[Support], context: QuestionContext, vectors: Vectors) -> EvidenceGraph:
    """The graph of the supports of one question, at least one; ``vectors`` gives unit vectors of texts."""
    keys = [normalise(one.text) or one.text for one in supports]
    answers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    answer_of = np.array([answers[key] for key in keys], np.int64)
    columns = [(number, answers[key], ANSWER) for number, key in enumerate(keys)]
    topics: dict[int, int] = {}
    for number, support in enumerate(supports):
        for node in dict.fromkeys(end for edge in support.unit.edges for end in (edge.src, edge.dst)):
            if node >= 0 and node != support.node:
                columns.append((number, topics.setdefault(node, len(answers) + len(topics)), TOPIC))
    features = _features(supports, context, vectors, answer_of)
    base = np.array([one.weight for one in supports], np.float32)
    edges = np.array(columns, np.int64).T
    return EvidenceGraph(features, edges, len(answers) + len(topics), len(answers), answer_of, base)


def _features(
    supports: Sequence[Support], context: QuestionContext, vectors: Vectors, answer_of: np.ndarray
) -> np.ndarray:  # fmt: skip
    question, bare = vectors([context.question])[0], vectors([context.without_names()])[0]
    units = [support.unit for support in supports]
    cosine = _mean_of_parts([_texts(unit) for unit in units], vectors, question)
    relations = [[relation_words(fact.relation) for fact in unit.facts] for unit in units]
    relation = _mean_of_parts([names[-1:] for names in relations], vectors, bare)
    whole = _mean_of_parts(relations, vectors, bare)
    relevance = np.array([support.reading.relevance for support in supports])
    kinds = np.array([kind_of(unit) for unit in units])
    named = {node for mention in context.mentions for node in mention.nodes}
    known = context.activation or {}
    rows = []
    for support, unit in zip(supports, units, strict=True):
        margin = max(-16.0, min(16.0, support.reading.margin))
        ends = {end for edge in unit.edges for end in (edge.src, edge.dst)}
        covered = [
            contains(unit.text, [context.question[m.start : m.end]]) if unit.passage is not None
            else bool(ends & set(m.nodes)) for m in context.mentions
        ]  # fmt: skip
        edge = unit.edges[-1] if unit.edges else None
        other = None if edge is None else edge.src if support.node == edge.dst else edge.dst
        rows.append((
            margin / 8, -math.log1p(math.exp(-margin)) / 4 if margin > -16 else margin / 4,
            len(unit.facts) / 3, sum(covered) / max(1, len(covered)), float(bool(covered)),
            float(other in named), float(support.field == "subject"), float(support.field == "dates"),
            math.log(max(known.get(support.node, 0.0), 1e-4)) / 8, float(contains(context.question, [support.text])),
            float(is_alias(unit)), min(4.0, len(support.text) / 20), float(any(c.isdigit() for c in support.text)),
            min(3, len(covered)) / 3,
        ))  # fmt: skip
    own = np.array(rows, np.float64)
    none = np.zeros(len(supports))  # columns that compare supports, see ``compared``
    found = [
        relevance / 4, own[:, 0], own[:, 1], none, cosine, none, relation, none, whole, none, kinds == 0, kinds == 1,
        kinds == 2, own[:, 2], own[:, 3], own[:, 4], own[:, 5], own[:, 6], own[:, 7], own[:, 8], own[:, 9], none,
        own[:, 10], own[:, 11], own[:, 12], own[:, 13],
    ]  # fmt: skip
    return compared(np.stack(found, 1).astype(np.float32), answer_of)


def compared(features: np.ndarray, answer_of: np.ndarray) -> np.ndarray:
    """The features with those columns that compare supports made anew: float32 [S, F], answers [S]."""
    made = features.copy()
    at = {name: column for column, name in enumerate(FEATURES)}
    facts = (features[:, at["fact"]] + features[:, at["chain"]]) > 0
    for name in ("relevance", "cosine"):
        made[:, at[f"{name} below the best"]] = features[:, at[name]] - features[:, at[name]].max()
    for name in ("relation", "path"):
        best = features[facts, at[name]].max() if facts.any() else 0.0
        made[:, at[f"{name} below the best"]] = np.where(facts, features[:, at[name]] - best, 0.0)
    made[:, at["supports"]] = np.log(np.bincount(answer_of)[answer_of])
    return made


def _texts(unit: EvidenceUnit) -> list[str]:
    """The text of each fact of a unit, which search has encoded; the whole text of a window."""
    return [stored_fact_text(fact).text for fact in unit.facts] if len(unit.facts) > 1 else [unit.text]


def _mean_of_parts(parts: Sequence[Sequence[str]], vectors: Vectors, query: np.ndarray) -> np.ndarray:
    """Mean cosine of the texts of each row to the query, [n]; 0 for a row without texts."""
    texts = list(dict.fromkeys(text for row in parts for text in row))
    cosine = dict(zip(texts, (vectors(texts) @ query).tolist() if texts else (), strict=True))
    return np.array([sum(cosine[text] for text in row) / max(1, len(row)) for row in parts])
