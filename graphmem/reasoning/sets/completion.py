"""Members of an answer that reading did not reach: a question that reads as one about a single fact may have a hundred.

Where the answers are facts of one relation at one topic, and reading kept every one of them that it saw, the others of
the store belong to them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphmem.core.types import Edge
from graphmem.encoding.evidence_text import stored_fact_text
from graphmem.reasoning.weighing import Support, Weighed, WeighedAnswer, answer_set
from graphmem.retrieval.evidence import EvidenceUnit

MAX_ADDED = 100
"""Answers that are added."""


def completed(weighed: Weighed, store: Any, at: int) -> tuple[Weighed, bool]:
    """What the evidence says with the facts that it leaves out, and whether these are all.

    Args:
        at: moment in microseconds at which facts must hold.
    """
    chosen = answer_set(weighed)
    pattern = _pattern(chosen[0]) if len(chosen) > 1 else None
    if pattern is None or any(_pattern(one) == pattern for one in weighed.answers if one not in chosen):
        return weighed, True
    topic, relation, forward = pattern
    seen = {support.node for answer in weighed.answers for support in answer.support} | {topic}
    ids = store.fact_ids_around([topic], limit=MAX_ADDED + len(seen) + 1, relation=relation)
    new: dict[int, Edge] = {}
    for edge in store.edges(ids):
        near, far = (edge.src, edge.dst) if forward else (edge.dst, edge.src)
        if near == topic and far not in seen and _holds(edge, at):
            new.setdefault(far, edge)
    if not new:
        return weighed, True
    kept = list(new.values())[:MAX_ADDED]
    surest, least = chosen[0].support[0], chosen[-1].weight
    added = []
    for edge, fact in zip(kept, store.facts_by_id([edge.id for edge in kept]), strict=True):
        text, node = (fact.object, edge.dst) if forward else (fact.subject, edge.src)
        unit = EvidenceUnit(stored_fact_text(fact), (fact,), (edge,))
        support = Support(unit, surest.reading, text, node, least, surest.field)
        added.append(WeighedAnswer(text, node, least, (support,)))
    at_end = weighed.answers.index(chosen[-1]) + 1
    answers = (*weighed.answers[:at_end], *added, *weighed.answers[at_end:])
    return replace(weighed, answers=answers), len(new) <= MAX_ADDED


def _pattern(answer: WeighedAnswer) -> tuple[int, str, bool] | None:
    """Topic, relation and direction of an answer that is one fact's; None for others."""
    support = answer.support[0]
    if len(support.unit.facts) != 1 or support.field not in ("subject", "object"):
        return None
    edge, forward = support.unit.edges[0], support.field == "object"
    return (edge.src if forward else edge.dst), support.unit.facts[0].relation, forward


def _holds(edge: Edge, at: int) -> bool:
    return (edge.valid_from is None or edge.valid_from <= at) and (edge.valid_to is None or edge.valid_to > at)
