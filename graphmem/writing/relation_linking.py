"""Relation linking: prefers a relation that the graph already holds between the two entities.

Where the extractor is undecided between "employer" and "works for", and one of them already joins the two entities,
that one is taken. A paraphrase then repeats a fact instead of duplicating it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphmem.reading.candidates import CandidateFact


def link_relation(candidate: CandidateFact, held: Callable[[str, str], list[str]]) -> tuple[CandidateFact, bool]:
    """The candidate with the likeliest relation that is held between its two entities, and whether it was inverted.

    Args:
        candidate: with its entities linked.
        held: relations that join a subject to an object now; literals are never subjects.
    """
    fact = candidate.fact
    ahead = held(fact.subject, fact.object)
    if fact.relation in ahead or not candidate.alternatives:
        return candidate, False
    back = held(fact.object, fact.subject) if candidate.object_kind != "literal" else []
    for other in candidate.alternatives:
        if other.relation in (back if other.inverted else ahead):
            return _with_relation(candidate, other.relation, other.inverted), other.inverted
    return candidate, False


def _with_relation(candidate: CandidateFact, relation: str, inverted: bool) -> CandidateFact:
    fact = replace(candidate.fact, relation=relation)
    if not inverted:
        return replace(candidate, fact=fact)
    return replace(
        candidate, fact=replace(fact, subject=fact.object, object=fact.subject),
        as_received=candidate.as_received[::-1], subject_span=candidate.object_span,
        object_span=candidate.subject_span, object_kind="entity",
    )  # fmt: skip
