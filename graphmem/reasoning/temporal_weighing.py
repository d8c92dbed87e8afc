"""Time in the weighing of evidence: which facts of a pattern held when the question asks about.

A pattern is a topic, a relation and a direction. All its facts, past ones included, come from the store. They are as
relevant as the surest of them, and time decides between them. A pattern without dated facts is left as it is, so a date
that is a condition on a value ("hired before 2015") rules nothing out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from graphmem.core.errors import InvalidTime
from graphmem.core.times import to_micros
from graphmem.core.types import Edge, Fact
from graphmem.encoding.evidence_text import stored_fact_text
from graphmem.questions.time_scope import TimeScope
from graphmem.reasoning.weighing import Support, Weighed, answers_of
from graphmem.retrieval.evidence import EvidenceUnit

MAX_PATTERNS, MAX_FACTS = 6, 2000
"""Patterns, the surest first, and facts of each that are looked at."""

PAST, UNDATED = 4.0, 1.5
"""Nats by which a fact that does not hold at the moment of asking is less likely an answer than one that does, and an
undated one than a dated one that held at the time asked about."""

THEN, LATER = 4.0, 1.5
"""Nats by which a dated fact of the time asked about is likelier an answer than it reads, and a passage of a later date
less likely. ``THEN`` also for a pattern that the holder named ("before Ann") is in. Chosen on people's questions.
"""

NAMED_TOPIC = 2.0
"""Nats more where the question names the topic of such a pattern too."""

LEAD = 1.0
"""Nats by which a pattern without a fact of that time must lead the others for the answer to be not known."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Facts of one relation at one topic: ``forward`` where the topic is their subject."""

    topic: int
    relation: str
    forward: bool

    def answer(self, edge: Edge) -> int:
        """The node at the other end of a fact."""
        return edge.dst if self.forward else edge.src


def pattern_of(support: Support) -> Pattern | None:
    """The pattern of a fact's answer, or of the last fact of a chain; None for dates and passages."""
    if not support.unit.facts or support.field == "dates" or support.node < 0:
        return None
    fact, edge = support.unit.facts[-1], support.unit.edges[-1]
    forward = support.node == edge.dst
    return Pattern(edge.src if forward else edge.dst, fact.relation, forward)


def _asked_pattern(support: Support, scope: TimeScope) -> Pattern | None:
    """The pattern of a support; a holder that sets the time ("before Ann") is a value of it, never its topic."""
    pattern = pattern_of(support)
    if pattern is None or pattern.topic not in scope.nodes:
        return pattern
    return Pattern(pattern.answer(support.unit.edges[-1]), pattern.relation, not pattern.forward)


def in_time(weighed: Weighed, scope: TimeScope, store: Any, named: Collection[int] = ()) -> Weighed:
    """What the evidence says about the time of the scope: answers of facts that held then.

    Where the surest pattern has facts of other times only, there is no answer; ``Weighed.other_times`` holds them.

    Args:
        named: nodes that are no answers because the question names them.
    """
    if scope.asks != "other" and not scope.is_set:  # when something began, and how long it was, may lie in the past
        return weighed
    groups: dict[Pattern | None, list[Support]] = {}
    for answer in weighed.answers:
        for support in answer.support:
            groups.setdefault(_asked_pattern(support, scope), []).append(support)
    surest = lambda pattern: max(support.weight for support in groups[pattern])
    order = sorted((pattern for pattern in groups if pattern is not None), key=surest, reverse=True)
    kept = [_dated_passage(support, scope) for support in groups.get(None, ())]
    elsewhen: list[tuple[float, list[Fact]]] = []
    for position, pattern in enumerate(order):
        edges = _edges(store, pattern, scope) if position < MAX_PATTERNS else []
        if not any(edge.valid_from is not None or edge.valid_to is not None for edge in edges):
            kept += [replace(one, weight=one.weight - UNDATED * scope.is_set) for one in groups[pattern]]
            continue
        made = _supports(groups[pattern], pattern, edges, scope, store, {*named, *scope.nodes})
        kept += made
        if not made:
            found = store.facts_by_id([edge.id for edge in edges][: MAX_FACTS // 100])
            elsewhen.append((surest(pattern), found))
    answers = answers_of(kept)
    best = max(elsewhen, key=lambda pair: pair[0], default=None)
    if best is not None and (not answers or answers[0].weight < best[0] - LEAD):
        return replace(weighed, answers=(), other_times=tuple(best[1]))
    return replace(weighed, answers=answers)


def _edges(store: Any, pattern: Pattern, scope: TimeScope) -> list[Edge]:
    """Facts of a pattern, of any valid time, oldest first."""
    around = store.fact_ids_around([pattern.topic], limit=MAX_FACTS, relation=pattern.relation)
    end = lambda edge: edge.src if pattern.forward else edge.dst
    edges = [edge for edge in store.edges(around) if end(edge) == pattern.topic]
    return sorted(edges, key=lambda edge: (edge.valid_from is not None, edge.valid_from or 0, edge.id))


def _supports(
    found: Sequence[Support], pattern: Pattern, edges: Sequence[Edge], scope: TimeScope, store: Any,
    named: Collection[int],
) -> list[Support]:  # fmt: skip
    """Supports of the facts of a pattern that answer for the time, each at least as sure as the surest of them."""
    surest = max(found, key=lambda support: support.weight)
    fitting = fit(edges, pattern, scope)
    if not fitting:
        return []
    by_edge = {support.unit.edges[-1].id: support for support in sorted(found, key=lambda support: support.weight)}
    chosen = [edge for edge in edges if edge.id in fitting and pattern.answer(edge) not in named]
    new = [edge for edge in chosen if edge.id not in by_edge]
    facts = dict(zip([edge.id for edge in new], store.facts_by_id([edge.id for edge in new]), strict=True))
    made = []
    for edge in chosen:
        support = by_edge.get(edge.id)
        if support is None:
            fact, field = facts[edge.id], "object" if pattern.forward else "subject"
            unit = EvidenceUnit(stored_fact_text(fact), (fact,), (edge,))
            text = fact.object if pattern.forward else fact.subject
            support = replace(surest, unit=unit, text=text, node=pattern.answer(edge), field=field)
        made.append((edge.id, support))
    top = max(fitting.values())
    reached = any(fitting[edge] == top and support.weight >= surest.weight for edge, support in made)
    raised = lambda edge, one: surest.weight if fitting[edge] == top and not reached else one.weight
    bonus = THEN if scope.first is not None and top == 0 else 0.0
    if any(pattern.answer(edge) in scope.nodes for edge in edges):
        bonus += THEN + NAMED_TOPIC * (pattern.topic in named)
    return [replace(one, weight=raised(edge, one) + fitting[edge] - top + bonus) for edge, one in made]


def _dated_passage(support: Support, scope: TimeScope) -> Support:
    """The support of a passage, weaker where the passage is later than the time asked about."""
    passage = support.unit.passage
    if passage is None or passage.date is None or scope.after is None or scope.relation in ("after", "since"):
        return support
    with suppress(InvalidTime):
        if (to_micros(passage.date) or scope.after) > scope.after:
            return replace(support, weight=support.weight - LATER)
    return support


def fit(edges: Iterable[Edge], pattern: Pattern, scope: TimeScope) -> dict[int, float]:
    """Ids of the facts of a pattern that may answer for a time, with nats: 0 for those that do, less for others."""
    edges = list(edges)
    if not scope.is_set:
        holds = {edge.id: _overlaps(edge, scope.at, scope.at + 1) for edge in edges}
        return {edge: 0.0 if held else -PAST for edge, held in holds.items()}
    first, after = _interval(edges, pattern, scope)
    if first is None or after is None:
        return {edge.id: 0.0 for edge in edges}
    others = [edge for edge in edges if pattern.answer(edge) not in scope.nodes]
    if scope.relation in ("before", "after"):
        return _nearest(others, scope.relation, first, after)
    last = max(after, scope.at) if scope.relation == "since" else after
    held = [edge for edge in others if _overlaps(edge, first - (scope.relation == "until"), last)]
    if scope.relation == "until":  # of a change at that time, what held before it
        held = [edge for edge in held if edge.valid_from is None or edge.valid_from < first] or held
    return {edge.id: 0.0 if _dated(edge) else -UNDATED for edge in held}


def _interval(edges: Sequence[Edge], pattern: Pattern, scope: TimeScope) -> tuple[int | None, int | None]:
    """The interval of the time named, of the holder named, or of what holds at the moment of asking."""
    if scope.first is not None:
        return scope.first, scope.after
    if scope.nodes:
        own = [edge for edge in edges if pattern.answer(edge) in scope.nodes and _dated(edge)]
    else:
        own = [edge for edge in edges if _dated(edge) and _overlaps(edge, scope.at, scope.at + 1)]
        if not own:  # nothing holds: the time before is the past as a whole
            return scope.at, scope.at + 1
    starts = [edge.valid_from for edge in own if edge.valid_from is not None]
    ends = [edge.valid_to for edge in own if edge.valid_to is not None]
    first = min(starts, default=None)
    after = max(ends) if ends and len(ends) == len(own) else None
    if scope.relation == "before":
        return first, first if first is None else first + 1
    return (None, None) if after is None else (after - 1, after)


def _nearest(edges: Sequence[Edge], relation: str, first: int, after: int) -> dict[int, float]:
    """Facts that held before, or after, an interval; those nearest to it first."""
    if relation == "before":
        held = [edge for edge in edges if edge.valid_from is None or edge.valid_from < first]
        until = {edge.id: min(first, edge.valid_to) if edge.valid_to is not None else first for edge in held}
        near = max((until[edge.id] for edge in held if _dated(edge)), default=None)
    else:
        held = [edge for edge in edges if edge.valid_to is None or edge.valid_to > after]
        until = {edge.id: max(after, edge.valid_from) if edge.valid_from is not None else after for edge in held}
        near = min((until[edge.id] for edge in held if _dated(edge)), default=None)
    return {
        edge.id: -UNDATED if not _dated(edge) else 0.0 if until[edge.id] == near else -PAST for edge in held
    }  # fmt: skip


def _dated(edge: Edge) -> bool:
    return edge.valid_from is not None or edge.valid_to is not None


def _overlaps(edge: Edge, first: int, after: int) -> bool:
    """Whether a fact held at some moment of an interval, as far as is known."""
    return (edge.valid_from is None or edge.valid_from < after) and (edge.valid_to is None or edge.valid_to > first)
