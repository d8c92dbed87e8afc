"""Verdicts from sets: comparisons of two named things, and what the facts do not say of two things that are joined.

"Was The Servant directed by Robert Siodmak?" is answered with no where The Servant has another director, and Robert
Siodmak directed other films. Which relation is asked about is chosen by the readings of the evidence encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from graphmem.core.types import Fact
from graphmem.questions.operation import QuestionForm
from graphmem.reasoning.hypotheses import cost_of
from graphmem.reasoning.member_sets import expand
from graphmem.reasoning.operations import SetOperations
from graphmem.reasoning.patterns import Pattern
from graphmem.reasoning.sets.results import Member, Result

JOINED = 1.0
"""Logits of leaving it out from which a topic is one of the two that a question joins."""

MAX_ENDED = 1_000
"""Facts of each end of the lesser of the two that may join them and have ended."""

LEAST_COMPARED = -2.0
"""Logits of a comparison of two named things from which it is a verdict; chosen with people's questions in view."""

SHOWN = 3
"""Facts of each of the two that a verdict gives."""


def contradiction(operations: SetOperations) -> Result | None:
    """The verdict "no": a question joins two things that no fact of any time joins, and both have such facts.

    None where it names another number of things, where a fact joins them, or where the encoder finds no such relation
    relevant.
    """
    topics, patterns = operations.topics, operations.patterns
    meant = [at for at, own in enumerate(patterns) if cost_of(topics[at], own) >= JOINED]
    if len(meant) != 2 or _are_joined(operations, meant):
        return None
    pairs = list(_pairs(patterns[meant[0]], patterns[meant[1]]))
    if not pairs:
        return None
    best = max(pairs, key=lambda pair: max(pattern.relevance for pattern in pair))
    relevance = max(pattern.relevance for pattern in best)
    if relevance < 0:
        return None
    ordered = sorted(best, key=lambda pattern: len(pattern.members))  # the director of one film, then the other's films
    facts = [fact for pattern in ordered for fact in _facts(operations, pattern)]
    members = (Member("no", -1, tuple(dict.fromkeys(facts))),)
    steps = tuple(operations.words(pattern) for pattern in ordered)
    return Result("verify", members, relevance=relevance, steps=steps)


def comparison(operations: SetOperations, form: QuestionForm) -> Result | None:
    """The verdict on a comparison of two named things: "yes" where the one named first is the one that is asked for.

    "Is Larkfield older than Strandhus?" is read as "Which of them is older?". None where another number of things is
    named, where they have no values that compare, or where no measure fits the question.
    """
    named = sorted((t for t in operations.topics if t.kind == "name"), key=lambda topic: topic.start)
    if len(named) != 2:
        return None
    found = operations.superlative(form)
    if found is None or found.score < LEAST_COMPARED or len(found.compared) != 2:
        return None
    first, second = (set(topic.nodes) for topic in named)
    compared, best = {one.node for one in found.compared}, {one.node for one in found.members}
    if first & second or not compared & first or not compared & second:
        return None
    says = "yes" if best & first and not best & second else "no"  # equal values: neither is the larger one
    facts = tuple(dict.fromkeys(fact for one in found.compared for fact in one.facts))
    return Result("verify", (Member(says, -1, facts),), score=found.score, relevance=found.relevance, steps=found.steps)


def _pairs(first: Sequence[Pattern], second: Sequence[Pattern]) -> Iterator[tuple[Pattern, ...]]:
    """Patterns of one step of two topics over one relation, from both sides of it."""
    for one in first:
        for other in second:
            if len(one.codes) == len(other.codes) == 1 and one.codes[0] ^ 1 == other.codes[0]:
                if not one.near and not other.near:
                    yield one, other


def _are_joined(operations: SetOperations, meant: Sequence[int]) -> bool:
    """Whether a fact of any time joins nodes of two topics; of ended facts of a hub, the newest are looked at."""
    first, second = sorted((operations.topics[at].nodes for at in meant), key=lambda nodes: _degree(operations, nodes))
    arcs = expand(operations.index, np.asarray(first, np.int64))[0]
    edges = operations.store.edges(operations.store.fact_ids_around(first, limit=MAX_ENDED))
    ends = {*arcs.target.tolist(), *(end for edge in edges for end in (edge.src, edge.dst) if end not in first)}
    return bool(ends & set(second))


def _degree(operations: SetOperations, nodes: Sequence[int]) -> int:
    return int(operations.index.degree(np.asarray(nodes, np.int64)).sum())


def _facts(operations: SetOperations, pattern: Pattern) -> list[Fact]:
    """The first facts of a pattern."""
    ids = np.unique(pattern.members.edges[:SHOWN]).tolist()
    return list(operations.store.facts_by_id([edge for edge in ids if edge >= 0]))
