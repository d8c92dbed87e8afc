"""Answers from units of evidence that were read with a question: facts and passages on one scale.

A unit's weight is its relevance logit (0: as likely as no unit at all) plus the log-probability that its best span
is an answer. Units with the same answer add up.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphmem.core.names import normalise, normalise_relation
from graphmem.core.types import ALSO_KNOWN, Fact
from graphmem.encoding.evidence_encoder import VERDICTS, Reading
from graphmem.retrieval.evidence import EvidenceUnit

SET_MARGIN = 2.0
"""Nats below the best within which facts of the same relation and topic are answers too."""


STRIPPED = " \n,;:"
"""Signs that no answer from a passage begins or ends with."""


@dataclass(frozen=True, slots=True)
class Support:
    """A unit with its reading, and what it answers.

    Attributes:
        text: a name, a date, or words of a passage.
        node: of the name; -1 for other texts.
        weight: see the module.
        field: ``subject``, ``object`` or ``dates`` of the last fact; ``span`` for a passage.
        span: characters of the answer in the passage's text; (0, 0) for facts.
    """

    unit: EvidenceUnit
    reading: Reading
    text: str
    node: int
    weight: float
    field: str
    span: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class WeighedAnswer:
    """An answer with the units that support it, the best first; ``weight`` is their log-sum-exp."""

    text: str
    node: int
    weight: float
    support: tuple[Support, ...]


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the evidence says to a question.

    Attributes:
        answers: best first; empty without evidence.
        asks_verdict: probability that the question is answered by yes or no.
        verdict: one of ``VERDICTS`` with its probability, from ``verdict_unit``.
        relevance: highest relevance logit of a unit.
        other_times: facts of the relation asked for, where all are of other times than the one asked about.
    """

    answers: tuple[WeighedAnswer, ...] = ()
    asks_verdict: float = 0.0
    verdict: tuple[str, float] = (VERDICTS[0], 1.0)
    verdict_unit: EvidenceUnit | None = field(default=None, repr=False)
    relevance: float = float("-inf")
    other_times: tuple[Fact, ...] = ()

    def features(self) -> tuple[float, ...]:
        """Numbers from which the probability that the best answer is right is calibrated, see ``calibration``."""
        first = self.answers[0].weight if self.answers else -8.0
        second = self.answers[1].weight if len(self.answers) > 1 else -8.0
        bounded = lambda value: max(-8.0, min(8.0, value))
        return bounded(first), bounded(first - second), bounded(self.relevance)


def weigh(
    units: Sequence[EvidenceUnit], readings: Sequence[Reading], asks_verdict: float = 0.0,
    named: Collection[int] = (), in_full: Collection[int] | None = None,
) -> Weighed:  # fmt: skip
    """Ranked answers and the verdict of units that were read, by reading alone.

    Args:
        asks_verdict: probability that the question asks for yes or no.
        named, in_full: see ``supports_of``.
    """
    return weighed_of(supports_of(units, readings, named, in_full), units, readings, asks_verdict)


def supports_of(
    units: Sequence[EvidenceUnit], readings: Sequence[Reading], named: Collection[int] = (),
    in_full: Collection[int] | None = None,
) -> list[Support]:  # fmt: skip
    """What each unit answers, at most one answer a unit.

    Args:
        named: nodes that are no answers because the question names them.
        in_full: those of them that it names by their own name: one that it names by another name is an answer of
            the fact that gives this name. ``named`` if left out.
    """
    apart = named if in_full is None else [node for node in named if node in in_full]
    return [support for unit, reading in zip(units, readings, strict=True)
            for support in _supports(unit, reading, apart if is_alias(unit) else named)]  # fmt: skip


def weighed_of(
    supports: Iterable[Support], units: Sequence[EvidenceUnit], readings: Sequence[Reading], asks_verdict: float = 0.0
) -> Weighed:
    """Ranked answers of weighed supports, and the verdict of the units."""
    if not units:
        return Weighed()
    verdict, unit_of_verdict = _verdict(units, readings)
    best = max(reading.relevance for reading in readings)
    return Weighed(answers_of(supports), asks_verdict, verdict, unit_of_verdict, best)


def answers_of(supports: Iterable[Support]) -> tuple[WeighedAnswer, ...]:
    """Answers with all that supports them, best first."""
    found: dict[str, list[Support]] = {}
    for support in supports:
        found.setdefault(normalise(support.text) or support.text, []).append(support)
    answers = []
    for group in found.values():
        group.sort(key=lambda support: -support.weight)
        weight = _log_sum_exp([support.weight for support in group])
        answers.append(WeighedAnswer(group[0].text, group[0].node, weight, tuple(group)))
    return tuple(sorted(answers, key=lambda answer: -answer.weight))


def _supports(unit: EvidenceUnit, reading: Reading, named: Collection[int]) -> Iterator[Support]:
    """What a unit answers, by the best span that may be an answer; a chain answers with the name that it leads to."""
    chain = len(unit.facts) > 1
    for span in reading.spans:
        weight = reading.relevance - _softplus(-(span.score - reading.not_here))
        if unit.passage is not None:
            start, end = unit.evidence.object
            part = unit.text[max(span.start, start) : min(span.end, end)].rstrip(STRIPPED)
            if text := part.lstrip(STRIPPED):
                at = unit.start + max(span.start, start) - start + len(part) - len(text)
                yield Support(unit, reading, text, -1, weight, "span", (at, at + len(text)))
                return
            continue
        field = _field(unit, span.start, span.end)
        if field == "dates":
            yield Support(unit, reading, unit.text[span.start : span.end], -1, weight, field)
            return
        fact, edge = unit.facts[-1], unit.edges[-1]
        if field == "relation" and not chain and (edge.src in named) != (edge.dst in named):
            field = "object" if edge.src in named else "subject"
        if field == "relation" or (chain and field != "object"):
            continue
        forward = field == "object" if not chain else fact.object == unit.text[slice(*unit.evidence.object)]
        text, node = (fact.object, edge.dst) if forward else (fact.subject, edge.src)
        if node not in named:
            yield Support(unit, reading, text, node, weight, field)
            return


def is_alias(unit: EvidenceUnit) -> bool:
    """Whether a unit is a fact that gives another name of its subject."""
    return len(unit.facts) == 1 and normalise_relation(unit.facts[0].relation) == ALSO_KNOWN


def kind_of(unit: EvidenceUnit) -> int:
    """0 for a fact, 1 for a chain, 2 for a window of a passage."""
    return 2 if unit.passage is not None else int(len(unit.facts) > 1)


def _field(unit: EvidenceUnit, start: int, end: int) -> str:
    """The field of a fact that a span overlaps most; ``relation`` where it lies between them."""
    overlap = {
        name: min(end, last) - max(start, first)
        for name in ("subject", "object", "dates")
        for first, last in (getattr(unit.evidence, name),)
    }
    best = max(overlap, key=lambda name: overlap[name])
    return best if overlap[best] > 0 else "relation"


def _verdict(
    units: Sequence[EvidenceUnit], readings: Sequence[Reading]
) -> tuple[tuple[str, float], EvidenceUnit | None]:
    """The verdict of the unit that is most likely to give one, weighed by relevance."""
    at = max(range(len(units)), key=lambda k: readings[k].relevance + math.log(max(1e-9, 1 - readings[k].verdict[0])))
    neither, yes, no = readings[at].verdict
    side = ("yes", yes) if yes >= no else ("no", no)
    return (side[0], side[1] / max(1e-9, yes + no)), units[at]


def answer_set(weighed: Weighed) -> list[WeighedAnswer]:
    """The best answer, and the answers of further facts of the same relation, direction and topic near it."""
    if not weighed.answers:
        return []
    best = weighed.answers[0]
    kind = set_of(best.support[0])
    if kind is None:
        return [best]
    return [
        answer for answer in weighed.answers
        if answer is best or (answer.weight >= best.weight - SET_MARGIN and set_of(answer.support[0]) == kind)
    ]  # fmt: skip


def set_of(support: Support) -> tuple[Any, ...] | None:
    """Relation, direction and topic of a fact's answer; None for dates, chains and passages."""
    if len(support.unit.facts) != 1 or support.field not in ("subject", "object"):
        return None
    edge, fact = support.unit.edges[0], support.unit.facts[0]
    return fact.relation, support.field, edge.dst if support.field == "subject" else edge.src


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _log_sum_exp(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values)) if math.isfinite(top) else top
