"""Places in a succession: the first manager of a mill, the second husband, by the dates at which facts began.

Only facts of one relation at one topic count, past ones included; each of their other ends has the place of its first
fact.
"""

from __future__ import annotations

from typing import Any

from graphmem.core.types import Fact
from graphmem.questions.ordinals import rank_of
from graphmem.reasoning.hypotheses import cost_of
from graphmem.reasoning.operations import MAX_NAMED, MEANT, SetOperations
from graphmem.reasoning.patterns import Pattern
from graphmem.reasoning.sets.results import Member, Result
from graphmem.reasoning.values import typed

OPTIONS = 3
"""Patterns of the topic that are tried, the most relevant first."""

LEAST_RELEVANCE = 0.0
"""Logit of relevance of the pattern from which it may be a succession."""


def succeeded(operations: SetOperations, form: Any) -> Result | None:
    """The one at the place of a succession that a question asks for.

    None where it names no place, or another number of things than one, and where facts of the relation have no dates.
    A result without members says that there were fewer.
    """
    rank = rank_of(operations.question, [(topic.start, topic.end) for topic in operations.topics])
    if form.operation != "superlative" and rank < 2:
        return None
    topics, patterns = operations.topics, operations.patterns
    meant = [at for at in operations.conditions if cost_of(topics[at], patterns[at]) >= MEANT]
    if len(meant) != 1:
        return None
    for pattern in patterns[meant[0]][:OPTIONS]:
        if len(pattern.codes) != 1 or pattern.near or pattern.relevance < LEAST_RELEVANCE:
            continue
        members = _in_order(operations, pattern)
        if len(members) > 1:
            ordered = members[::-1] if form.later_date > 0.5 else members
            chosen = tuple(ordered[rank - 1 : rank])
            end = "latest" if form.later_date > 0.5 else "earliest"
            steps = (operations.words(pattern), f"{rank} of {len(members)} by when the facts began, {end} first")
            relevance = pattern.relevance
            return Result("superlative", chosen, tuple(members), 1, False, True, pattern.score, relevance, steps)
    return None


def _in_order(operations: SetOperations, pattern: Pattern) -> list[Member]:
    """The other ends of the dated facts of a pattern, of any time, in the order in which these began."""
    relation, nodes = operations.index.relations[pattern.codes[0] >> 1], operations.topics[pattern.topic].nodes
    back = bool(pattern.codes[0] % 2)
    ids = operations.store.fact_ids_around(nodes, limit=MAX_NAMED, relation=relation)
    edges = [edge for edge in operations.store.edges(ids) if (edge.dst if back else edge.src) in nodes]
    dated = sorted((edge for edge in edges if edge.valid_from is not None), key=lambda edge: (edge.valid_from, edge.id))
    if len(dated) < len(edges):
        return []  # where some began at an unknown time, the order is not known
    facts: dict[int, Fact] = {}
    for edge, fact in zip(dated, operations.store.facts_by_id([edge.id for edge in dated]), strict=True):
        facts.setdefault(edge.src if back else edge.dst, fact)
    names = operations.store.names(list(facts))
    return [
        Member(name, node, (fact,), typed(fact.valid_from or ""))
        for name, (node, fact) in zip(names, facts.items(), strict=True)
    ]
