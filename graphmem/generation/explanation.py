"""Explanations of answers: the operation, the time, the members and the facts or sentences behind each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphmem.core.times import from_micros
from graphmem.core.types import Fact
from graphmem.encoding.evidence_text import date_words, interval_words
from graphmem.generation.attribution import Answer, ExplainedItem, Explanation
from graphmem.generation.evidence_answers import SUPPORT_MARGIN, evidence_of
from graphmem.questions.time_expressions import DAY, moment_of_asking
from graphmem.questions.time_scope import TimeScope
from graphmem.reasoning.sets.results import Member, Result
from graphmem.reasoning.weighing import Weighed, WeighedAnswer
from graphmem.text.answer_matching import contains

MAX_CONSIDERED, NEXT = 100, 3
"""Members that were compared, and further answers, that an explanation holds."""


def explain_result(result: Result, as_of: int | None = None) -> Explanation:
    """The explanation of an operation on a set; ``as_of``: valid time in microseconds, None for the present."""
    answered = {member.node for member in result.members}
    others = [member for member in result.compared if member.node not in answered][:MAX_CONSIDERED]
    count = max(int(result.count) if result.operation == "count" and not result.stated else 0, len(result.members))
    return Explanation(
        result.operation, present(as_of), result.steps, tuple(map(_item, result.members)), tuple(map(_item, others)),
        count, result.complete,
    )  # fmt: skip


def _item(member: Member) -> ExplainedItem:
    return ExplainedItem(member.text, "" if member.value is None else member.value.text, member.facts)


def explain_reading(
    answer: Answer, weighed: Weighed, scope: TimeScope, query: str, store: Any, as_of: int | None = None
) -> Explanation:
    """The explanation of an answer that was read from facts and passages.

    Args:
        answer: as ``evidence_answer`` made it of ``weighed``.
        scope: the time that the query asks about; ``as_of``, in microseconds, takes its place.
    """
    time = present(as_of) if as_of is not None else time_words(scope, query, store)
    verdict = weighed.asks_verdict > 0.5
    operation = "verify" if verdict else "duration" if scope.asks == "duration" else "lookup"
    if answer.status != "answered":
        held = [ExplainedItem(fact.object, evidence=(fact,)) for fact in weighed.other_times[:NEXT]]
        return Explanation(operation, time, considered=tuple(held or map(_read, weighed.answers[:NEXT])))
    if verdict:
        said = ExplainedItem(answer.answers[0], evidence=answer.evidence)
        return Explanation(operation, time, members=(said,), count=1)
    chosen = _chosen(answer, weighed.answers)
    near = weighed.answers[0].weight - SUPPORT_MARGIN
    others = [one for one in weighed.answers if one not in chosen and one.weight >= near][:NEXT]
    return Explanation(operation, time, (), tuple(map(_read, chosen)), tuple(map(_read, others)), len(chosen))


def _chosen(answer: Answer, found: Sequence[WeighedAnswer]) -> list[WeighedAnswer]:
    """The weighed answers that an answer gives; the words of the first may be generated around it."""
    return [one for at, one in enumerate(found) if one.text in answer.answers or (
        at == 0 and contains(answer.answers[0], [one.text]))]  # fmt: skip


def _read(answer: WeighedAnswer) -> ExplainedItem:
    """An answer with its best unit of evidence."""
    return ExplainedItem(answer.text, evidence=tuple(evidence_of(answer.support[0])))


def explain_facts(operation: str, text: str, facts: Iterable[Fact], as_of: int | None = None) -> Explanation:
    """The explanation of an answer that rests on facts as they stand: a description, or the best node of a search."""
    return Explanation(operation, present(as_of), (), (ExplainedItem(text, evidence=tuple(facts)),), (), 1)


def present(as_of: int | None = None, at: int | None = None) -> str:
    """The present, with the day of asking, or the time ``as_of`` (microseconds) in words."""
    if as_of is not None:
        return f"as of {date_words(from_micros(as_of))}"
    return f"now, {date_words((from_micros(moment_of_asking() if at is None else at) or '')[:10])}"


def time_words(scope: TimeScope, query: str, store: Any) -> str:
    """The time of a scope in words: the question's own, and the dates or names that they stand for."""
    if not scope.is_set:
        return present(at=scope.at)
    said = " ".join(query[slice(*scope.phrase)].split())
    if scope.first is not None and scope.after is not None:
        first, last = (from_micros(micros) for micros in (scope.first, max(scope.first, scope.after - DAY)))
        span = date_words(first) if first == last else interval_words(first, last)
        return f"{said} ({span})"
    names = " or ".join(store.names(scope.nodes)) if scope.nodes else ""
    return f"{said} ({scope.relation} {names or present(at=scope.at)})"
