"""Answers from operations on sets: counts, lists, comparisons, what several things share and what one lacks."""

from __future__ import annotations

from typing import Any

from graphmem.core.types import Fact
from graphmem.generation.attribution import Answer
from graphmem.questions.operation import QuestionForm
from graphmem.questions.unknown_names import unknown_names
from graphmem.reasoning.evidence_reader import EvidenceReader, with_full_names
from graphmem.reasoning.operations import Member, Result, SetOperations

LEAST_SCORE = -6.0
"""Logits of a superlative's hypothesis from which its result is an answer; chosen on people's questions."""

SHOWN = 100
"""Members that the text of an answer names."""

MAX_EVIDENCE = 1_000
"""Facts that an answer gives as evidence."""

CERTAIN_FORM = 0.4
"""Probability of the operation from which its result is the answer."""


def set_answer(reader: EvidenceReader, retrieval: Any, as_of: int | None = None) -> Answer | None:
    """The answer of the operation on a set that the question wants.

    None where it wants a single fact or a verdict, where it names what the memory does not hold, or where no facts fit:
    then the evidence answers as for a lookup.
    """
    form = reader.form(retrieval.query)
    if form is None or form.operation in ("lookup", "verify") or max(form.probabilities) < CERTAIN_FORM:
        return None
    if unknown_names(retrieval.query, retrieval.store, retrieval.seeds.mentions):
        return None
    operations = SetOperations(reader, retrieval, with_full_names(retrieval), as_of)
    result = operations.run(form)
    if result is None or not result.members:
        return None
    if result.operation == "superlative" and result.score < LEAST_SCORE:
        return None
    return answer_of(result, form, retrieval)


def answer_of(result: Result, form: QuestionForm, retrieval: Any) -> Answer:
    """The answer that says a result, with all facts that were used as evidence."""
    names = [_named(member) for member in result.members[:SHOWN]]
    text = ", ".join(names)
    hidden = int(max(result.count, len(result.members))) - len(names)
    if result.operation == "count":
        text = text if result.stated else f"{result.count:g}: {text}"
    elif hidden > 0:
        text += f", and {hidden} more"
    if not result.complete:
        text += " (there may be more)"
    answers = tuple(member.text for member in result.members)
    if result.operation == "count":
        answers = (f"{result.count:g}",)
    facts: tuple[Fact, ...] = result.facts[:MAX_EVIDENCE]
    known = max(form.probabilities) * result.confidence
    return Answer(
        text, facts, result.members[0].facts, retrieval, 0, 0.0, known, (), answers, explanation=result.explanation
    )


def _named(member: Member) -> str:
    """A member with the value that was compared."""
    return member.text if member.value is None else f"{member.text} ({member.value.text})"
