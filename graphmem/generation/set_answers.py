"""Answers from operations on sets: counts, lists, comparisons, what several things share and what one lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphmem.core.types import Fact
from graphmem.generation.attribution import Answer
from graphmem.generation.explanation import explain_result
from graphmem.questions.operation import QuestionForm
from graphmem.questions.unknown_names import unknown_names
from graphmem.reasoning.evidence_reader import EvidenceReader, with_full_names
from graphmem.reasoning.operations import Result, SetOperations
from graphmem.reasoning.verdicts import comparison, contradiction
from graphmem.retrieval.evidence import named_nodes

LEAST_SCORE = -6.0
"""Logits of a superlative's hypothesis, with half of those by which its set is relevant, from which its result is an
answer; chosen on people's questions and the development half of the probes."""

SHOWN = 100
"""Members that the text of an answer names."""

MAX_EVIDENCE = 1_000
"""Facts that an answer gives as evidence."""

CERTAIN_FORM = 0.4
"""Probability of the operation from which its result is the answer."""


def set_answer(reader: EvidenceReader, retrieval: Any, as_of: int | None = None) -> Answer | None:
    """The answer of the operation on a set that the question wants.

    None where it wants a verdict on anything but a comparison, or a single fact about one thing or at a time, where it
    names what the memory does not hold, or where no facts fit: then the evidence answers as for a lookup.
    """
    form = reader.form(retrieval.query)
    if form is None or max(form.probabilities) < CERTAIN_FORM:
        return None
    if unknown_names(retrieval.query, retrieval.store, retrieval.seeds.mentions):
        return None
    if form.operation == "lookup" and _is_timed(reader, retrieval):
        return None
    if form.operation == "verify" and len(retrieval.seeds.mentions) < 2:
        return None
    operations = SetOperations(reader, retrieval, with_full_names(retrieval), as_of)
    if form.operation == "verify":
        verdict = comparison(operations, form)
        return None if verdict is None else verdict_of(verdict, form, retrieval, as_of)
    result = operations.run(form)
    if result is None or not result.members:
        return None
    if result.operation == "superlative" and result.score + max(0.0, result.relevance) / 2 < LEAST_SCORE:
        return None
    return answer_of(result, form, retrieval, as_of)


def contradicted(reader: EvidenceReader, retrieval: Any, as_of: int | None = None, least: float = 0.0) -> Answer | None:
    """The answer "no" to a question that joins two things which no fact joins, see ``verdicts.contradiction``.

    None where it asks for something else, or where "no" is less likely than ``least``.
    """
    form = reader.form(retrieval.query)
    if form is None or form.operation != "verify":
        return None
    if unknown_names(retrieval.query, retrieval.store, retrieval.seeds.mentions):
        return None
    result = contradiction(SetOperations(reader, retrieval, with_full_names(retrieval), as_of))
    if result is None or result.confidence * max(form.probabilities) <= least:
        return None
    return verdict_of(result, form, retrieval, as_of)


def verdict_of(result: Result, form: QuestionForm, retrieval: Any, as_of: int | None = None) -> Answer:
    """The answer that says a verdict."""
    return replace(answer_of(result, form, retrieval, as_of), text=result.members[0].text.capitalize())


def _is_timed(reader: EvidenceReader, retrieval: Any) -> bool:
    """Whether a question asks about a time, and facts of what it names have one."""
    return reader.scope(retrieval).is_set and bool(reader.search.dated_facts(named_nodes(retrieval)))


def answer_of(result: Result, form: QuestionForm, retrieval: Any, as_of: int | None = None) -> Answer:
    """The answer that says a result, with all facts that were used as evidence."""
    names = [member.text for member in result.members[:SHOWN]]
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
        text, facts, result.members[0].facts, retrieval, 0, 0.0, known, (), answers,
        explanation=explain_result(result, as_of),
    )  # fmt: skip
