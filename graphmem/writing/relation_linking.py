"""Settles what a text means by what is held: two things that a relation joins already are joined by no near-synonym.

A reader that hesitates between "employer" and "works for" is decided by the memory: where one of the relations that it
thinks possible already joins the two things, that one is meant. So a paraphrase repeats a fact and does not double it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphmem.reading.candidates import CandidateFact

Held = Callable[[str, str], list[str]]
"""Relations that join a subject to an object now."""


def link_relation(candidate: CandidateFact, held: Held) -> tuple[CandidateFact, bool]:
    """The candidate with the likeliest relation that is held between its two things, and whether it was turned.

    Args:
        candidate: with its names resolved.
        held: asked with (subject, object), and with (object, subject) unless the object is a literal.
    """
    fact = candidate.fact
    ahead = held(fact.subject, fact.object)
    if fact.relation in ahead or not candidate.others:
        return candidate, False
    back = held(fact.object, fact.subject) if candidate.object_kind != "literal" else []
    for other in candidate.others:
        if other.relation in (back if other.turned else ahead):
            return _taken(candidate, other.relation, other.turned), other.turned
    return candidate, False


def _taken(candidate: CandidateFact, relation: str, turned: bool) -> CandidateFact:
    fact = replace(candidate.fact, relation=relation)
    if not turned:
        return replace(candidate, fact=fact)
    return replace(
        candidate, fact=replace(fact, subject=fact.object, object=fact.subject), heard=candidate.heard[::-1],
        subject_span=candidate.object_span, object_span=candidate.subject_span, object_kind="entity",
    )  # fmt: skip
