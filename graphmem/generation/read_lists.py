"""Lists and counts of what reading finds in documents: parts of a whole that nobody has counted.

Facts of a store are counted exactly; the members of a set that stand in documents are those that were read, and the
answer says that there may be more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphmem.core.names import normalise
from graphmem.generation.attribution import Answer, ExplainedItem, Explanation
from graphmem.generation.evidence_answers import evidence_of
from graphmem.generation.explanation import present
from graphmem.generation.set_answers import MORE
from graphmem.questions.operation import QuestionForm
from graphmem.reasoning.calibration import confidence_of
from graphmem.reasoning.values import typed
from graphmem.reasoning.weighing import STRIPPED, Support, Weighed

LISTED, SPANS = 2.0, 3.0
"""Nats below the best answer within which a member is listed, and below the best span of its window."""

MAX_MEMBERS = 50
"""Members that are listed."""


def read_list(
    form: QuestionForm | None, retrieval: Any, weighed: Weighed, least: float | None, at: int
) -> Answer | None:
    """The members that windows of passages name, where a question asks for a list or a count.

    None where the best answer is a fact's, where fewer than two members were read, or where a number is stated.

    Args:
        least: probability from which an answer is given; the calibrated one if None.
        at: moment of asking in microseconds.
    """
    if form is None or form.operation not in ("list", "count") or not weighed.answers:
        return None
    best = weighed.answers[0]
    if best.support[0].unit.passage is None or (form.operation == "count" and typed(best.text) is not None):
        return None
    members = _members(weighed)
    known, needed = confidence_of(weighed)
    if len(members) < 2 or known < (needed if least is None else least):
        return None
    names = list(members)[:MAX_MEMBERS]
    text = f"{', '.join(names)} {MORE}"
    answers: tuple[str, ...] = tuple(names)
    if form.operation == "count":
        text, answers = f"at least {len(names)}: {text}", (str(len(names)),)
    items = tuple(ExplainedItem(name, "", tuple(evidence_of(members[name]))) for name in names)
    evidence = tuple(dict.fromkeys(item for one in items for item in one.evidence))
    steps = (f"{len(names)} that the documents name",)
    explained = Explanation(form.operation, present(at=at), steps, items, (), len(names), False)
    return Answer(text, evidence, (), retrieval, 0, 0.0, known, (), answers, explanation=explained)


def _members(weighed: Weighed) -> dict[str, Support]:
    """Words of passages that answer, with the windows that say so, the surest first; of names in one another, one."""
    found: list[tuple[float, str, Support]] = []
    for answer in weighed.answers:
        for support in answer.support:
            if support.unit.passage is None or support.weight < weighed.answers[0].weight - LISTED:
                continue
            start, end = support.unit.evidence.object
            top = support.reading.spans[0].score
            for span in support.reading.spans:
                first, last = max(span.start, start), min(span.end, end)
                text = support.unit.text[first:last].strip(STRIPPED)
                if text and span.score >= max(support.reading.not_here, top - SPANS):
                    at = support.unit.start + first - start
                    found.append((support.weight + span.score - top, text, replace(support, span=(at, at + len(text)))))
    found.sort(key=lambda one: -one[0])
    kept: dict[str, Support] = {}
    for _, text, support in found:
        if not any(_within(text, other) or _within(other, text) for other in kept):
            kept[text] = support
    return kept


def _within(part: str, whole: str) -> bool:
    return f" {normalise(part)} " in f" {normalise(whole)} "
