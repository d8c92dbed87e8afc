"""Sums and differences of typed values: what two things cost together, by how much one is heavier, years between two.

Each thing that a question names has patterns that lead to a value; the values are of one pattern as a rule, and on one
scale. Values that do not convert into each other are no sum: the result has no members then, only what was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from graphmem.reasoning.hypotheses import SAME, Hypothesis, cost_of
from graphmem.reasoning.measures import Measured
from graphmem.reasoning.operations import VALUES, SetOperations
from graphmem.reasoning.patterns import Pattern
from graphmem.reasoning.sets.amounts import asked_unit, difference_text, sum_text
from graphmem.reasoning.sets.results import Member, Result
from graphmem.reasoning.values import Value, comparable, difference, magnitude, on_one_scale, typed

Arithmetic = Literal["sum", "difference"]
ARITHMETIC: tuple[Arithmetic, ...] = ("sum", "difference")

OPTIONS = 6
"""Values of a topic that are tried."""

LEAST_SUM, LEAST_TERMS, LEAST_COUNTS = -4.9, -1.5, 6.0
"""Logits of a set and what is added over it from which its sum is an answer, chosen on 16 made questions to one small
memory; mean relevance of terms from which they are used, and of terms that are numbers of members, which anything
has."""

UNLIKE = 1.0
"""Logits by which values of unlike units must lead those of like units for there to be no result."""


@dataclass(frozen=True, slots=True)
class Term:
    """A value of one topic: of the only fact of a pattern, or the number of its members.

    Attributes:
        topic: its position.
        pattern: that leads to the value.
        value: the value.
        score: logits relative to the topic's best pattern.
        is_count: whether the value is the number of the pattern's members.
    """

    topic: int
    pattern: Pattern
    value: Value
    score: float
    is_count: bool = False


@dataclass(frozen=True, slots=True)
class _Terms:
    """Terms of a result, and their score together."""

    terms: tuple[Term, ...]
    score: float

    @property
    def relevance(self) -> float:
        """Mean logit of the readings of their patterns."""
        return sum(term.pattern.relevance for term in self.terms) / len(self.terms)


def arithmetic(operations: SetOperations, operation: Arithmetic) -> Result | None:
    """The sum or the difference that a question asks for; None where no values fit.

    Of few things that are named, each has a term; else a sum is over the members of a set. A result without members
    says that the values in ``compared`` do not convert into each other.
    """
    named = sum(topic.kind == "name" for topic in operations.topics)
    if operation == "sum" and named > sum(operations.topics[at].kind == "name" for at in operations.conditions):
        return _sum_of_set(operations)  # more than are read one by one
    options = {at: found for at in operations.conditions if (found := list(_terms(operations, at))[:OPTIONS])}
    free = _best(operations, options, operation, alike=False)
    if free is None:
        return _sum_of_set(operations) if operation == "sum" else None
    alike = _best(operations, options, operation, alike=True)
    if alike is None or alike.score < free.score - UNLIKE:
        return _refused(operations, operation, free)
    return _named(operations, operation, alike)


def _terms(operations: SetOperations, at: int) -> Iterator[Term]:
    """Values of a topic that is a name, the surest first."""
    if operations.topics[at].kind != "name":
        return
    for pattern in operations.patterns[at]:
        if not pattern.codes or pattern.near:
            continue
        name = operations.store.names(pattern.members.nodes[:1].tolist())[0]
        value, count = typed(name), len(pattern.members)
        if value is not None and count == 1:
            yield Term(at, pattern, value, pattern.score)
        elif value is None and len(pattern.codes) == 1 and pattern.members.complete:
            number = float(count)
            yield Term(at, pattern, Value(str(count), "number", "", number, number), pattern.score - VALUES, True)


def _best(
    operations: SetOperations, options: dict[int, list[Term]], operation: Arithmetic, alike: bool
) -> _Terms | None:
    """The surest terms, one a topic: of two topics for a difference, of all that have some for a sum."""
    names = [at for at in operations.conditions if operations.topics[at].kind == "name"]
    costs = {at: cost_of(operations.topics[at], operations.patterns[at]) for at in names}
    groups = list(combinations(options, 2)) if operation == "difference" else [tuple(options)]
    found = []
    for group in groups if len(options) > 1 else ():
        left_out = sum(cost for at, cost in costs.items() if at not in group)
        for first in options[group[0]]:
            terms, score = [first], first.score - left_out
            for at in group[1:]:
                fitting = [
                    (term.score + SAME * (term.pattern.codes == first.pattern.codes), term) for term in options[at]
                    if term.is_count == first.is_count and (not alike or _fits(first, term, operation))
                ]  # fmt: skip
                if not fitting:
                    break
                more, term = max(fitting, key=lambda pair: pair[0])
                terms, score = [*terms, term], score + more
            else:
                made = _Terms(tuple(terms), score)
                if made.relevance >= (LEAST_COUNTS if first.is_count else LEAST_TERMS):
                    found.append(made)
    return max(found, key=lambda one: one.score, default=None)


def _fits(first: Term, other: Term, operation: Arithmetic) -> bool:
    """Whether two values have a sum or a difference: dates have no sum."""
    dated = first.value.kind == other.value.kind == "date"
    return comparable(first.value, other.value) and not (dated and operation == "sum")


def _named(operations: SetOperations, operation: Arithmetic, found: _Terms) -> Result:
    """The result over terms."""
    values = [term.value for term in found.terms]
    unit = asked_unit(operations.question, [(topic.start, topic.end) for topic in operations.topics])
    if operation == "sum":
        amount = sum(magnitude(value, values) for value in values)
        text = sum_text(values, unit)
    else:
        amount = abs(difference(values[0], values[1]) or 0.0)
        text = difference_text(values[0], values[1], unit)
    members = _members(operations, found)
    facts = tuple(dict.fromkeys(fact for member in members for fact in member.facts))
    steps = (*_steps(operations, found), f"{operation} of {', '.join(value.text for value in values)}")
    total = Member(text, -1, facts)
    return Result(operation, (total,), members, amount, False, True, found.score, found.relevance, steps)


def _refused(operations: SetOperations, operation: Arithmetic, found: _Terms) -> Result:
    """A result without members: the values of the surest terms do not convert into each other."""
    said = " and ".join(term.value.text for term in found.terms)
    steps = (*_steps(operations, found), f"{said} have no {operation}")
    members = _members(operations, found)
    return Result(operation, (), members, score=found.score, relevance=found.relevance, steps=steps)


def _members(operations: SetOperations, found: _Terms) -> tuple[Member, ...]:
    """The topic of each term with its value and facts."""
    made = []
    for term in found.terms:
        topic, members = operations.topics[term.topic], term.pattern.members
        ids = [edge for node in members.nodes[:1].tolist() for edge in members.facts_of(node)]
        facts = tuple(operations.store.facts_by_id(ids))
        made.append(Member(topic.text, topic.nodes[0], facts, term.value))
    return tuple(made)


def _steps(operations: SetOperations, found: _Terms) -> tuple[str, ...]:
    return tuple(operations.words(term.pattern) for term in found.terms)


def _sum_of_set(operations: SetOperations) -> Result | None:
    """The sum over the members of a set of things that share a description."""
    found: list[tuple[Hypothesis, str, Measured]] = [
        one
        for one in operations.measured_sets()
        if one[0].members is not None and len(one[2].values) > 1 and one[0].score >= LEAST_SUM
    ]
    if not found:
        return None
    start, name, measured = max(found, key=lambda one: one[0].score)
    values: Sequence[Value] = measured.values
    members = operations.members(measured.members, values)
    whole = len(start.members) if start.members is not None else len(values)
    said = f" ({whole - len(values)} of {whole} without one that is known and converts)" if whole > len(values) else ""
    steps = (*operations.steps(start), f"sum of {name} of {len(values)}{said}")
    if all(value.kind == "date" for value in values) or len(on_one_scale(values)) < len(values):
        return Result("sum", (), members, score=start.score, relevance=start.relevance, steps=steps)
    unit = asked_unit(operations.question, [(topic.start, topic.end) for topic in operations.topics])
    facts = tuple(dict.fromkeys(fact for member in members for fact in member.facts))
    total, amount = Member(sum_text(values, unit), -1, facts), sum(magnitude(value, values) for value in values)
    complete = measured.members.complete and whole == len(values)
    return Result("sum", (total,), members, amount, False, complete, start.score, start.relevance, steps)
