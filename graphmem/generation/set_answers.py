"""Answers from operations on sets: counts, lists, comparisons, what several things share and what one lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphmem.core.types import Fact
from graphmem.generation.attribution import Answer
from graphmem.generation.explanation import explain_result, present, time_words
from graphmem.questions.operation import OPERATIONS, QuestionForm
from graphmem.questions.ordinals import rank_of
from graphmem.questions.time_scope import TimeScope, without_phrase
from graphmem.questions.unknown_names import unknown_names
from graphmem.reasoning.evidence_reader import EvidenceReader, with_full_names
from graphmem.reasoning.operations import SetOperations
from graphmem.reasoning.sets.arithmetic import ARITHMETIC, arithmetic
from graphmem.reasoning.sets.moments import moments_of
from graphmem.reasoning.sets.results import Result
from graphmem.reasoning.sets.succession import succeeded
from graphmem.reasoning.verdicts import comparison, contradiction
from graphmem.retrieval.evidence import named_nodes

LEAST_SCORE = -6.0
"""Logits of a superlative's hypothesis, with half of those by which its set is relevant, from which its result is an
answer; chosen on people's questions and the development half of the probes."""

SHOWN = 100
"""Members that the text of an answer names."""

MAX_EVIDENCE = 1_000
"""Facts that an answer gives as evidence."""

MORE = "(there may be more)"
"""Said after a set that may not be complete."""

NEARBY = 4
"""Things with their values that a "not known" answer names."""

CERTAIN_FORM = 0.4
"""Probability of the operation from which its result is the answer."""

MEMBERS = frozenset({"lookup", "list", "intersect"})
"""Operations that ask for the members of a set."""

SUCCEEDED = 2.0
"""Logits by which a succession must be surer than a scale of values."""

RANKED = 0.2
"""Probability of a superlative from which an ordinal above "first" makes a question one."""

OVERLAPPING = frozenset({"at", "since"})
"""Relations to a time for which a fact counts that held at some moment of it."""


def set_answer(
    reader: EvidenceReader, retrieval: Any, as_of: int | None = None, at: int | None = None
) -> Answer | None:  # fmt: skip
    """The answer of the operation on a set that the question wants.

    None where it wants a verdict on anything but a comparison, or a single fact about one thing or at a time, where it
    names what the memory does not hold, or where no facts fit: then the evidence answers as for a lookup.

    Args:
        as_of: only facts that held at that time, in microseconds.
        at: moment of asking in microseconds: what holds then is the present, and relative times refer to it.
    """
    form = reader.form(retrieval.query)
    rank = rank_of(retrieval.query, [(mention.start, mention.end) for mention in retrieval.seeds.mentions])
    form = None if form is None else settled(form, rank)
    if form is None or certainty(form) < CERTAIN_FORM:
        return None
    if unknown_names(retrieval.query, retrieval.store, retrieval.seeds.mentions):
        return None
    if form.operation == "verify":
        return _compared(reader, retrieval, form, as_of, at)
    scope = reader.scope(retrieval, as_of if at is None else at)
    dated = scope.is_set and _may_be_dated(reader, retrieval)
    if form.operation == "lookup" and dated:
        return None
    if dated and as_of is None and (found := _then(reader, retrieval, form, scope)) is not None:
        return found
    moment = as_of if as_of is not None else at
    return _answer(reader, retrieval, form, () if moment is None else (moment,), present(as_of, at))


def _then(reader: EvidenceReader, retrieval: Any, form: QuestionForm, scope: TimeScope) -> Answer | None:
    """The answer of the facts that held at the time that a question asks about; None where none of them has a time."""
    asked = without_phrase(retrieval, scope)
    if scope.relation not in OVERLAPPING or scope.first is None or scope.after is None or not asked.query.strip():
        return None
    moments = moments_of(scope.first, scope.after if scope.relation == "at" else max(scope.after, scope.at + 1))
    found = _answer(reader, asked, form, moments, time_words(scope, retrieval.query, retrieval.store))
    if found is None or not any(isinstance(one, Fact) and (one.valid_from or one.valid_to) for one in found.evidence):
        return None  # the time may be a condition on a value
    return replace(found, retrieval=retrieval)


def settled(form: QuestionForm, rank: int = 1) -> QuestionForm:
    """The form with the operation that is likeliest where those that ask for the members of a set count together.

    ``rank`` is the place on a scale that an ordinal of the question names: above 1, a scale is meant where it may be.
    """
    chances = dict(zip(OPERATIONS, form.probabilities, strict=True))
    if rank > 1 and chances["superlative"] >= RANKED:
        return replace(form, operation="superlative")
    members = {name: chance for name, chance in chances.items() if name in MEMBERS}
    if form.operation in MEMBERS or sum(members.values()) < chances[form.operation]:
        return form
    return replace(form, operation=max(members, key=lambda name: members[name]))


def certainty(form: QuestionForm) -> float:
    """Probability of the operation of a question; those that ask for the members of a set count together."""
    if form.operation not in MEMBERS:
        return max(form.probabilities)  # of a place on a scale, that of the question as a whole
    return sum(chance for name, chance in zip(OPERATIONS, form.probabilities, strict=True) if name in MEMBERS)


def _answer(
    reader: EvidenceReader, retrieval: Any, form: QuestionForm, moments: Sequence[int], time: str
) -> Answer | None:  # fmt: skip
    """The answer over the facts of some moments; ``time`` says these in words."""
    operations = SetOperations(reader, retrieval, with_full_names(retrieval), moments)
    if form.operation in ARITHMETIC:
        result = arithmetic(operations, "sum" if form.operation == "sum" else "difference")
    else:
        result, succession = operations.run(form), succeeded(operations, form)
        if succession is not None and (result is None or succession.relevance > result.score + SUCCEEDED):
            result = succession
    if result is None or not (result.members or result.compared):
        return None
    if result.operation == "superlative" and result.score + max(0.0, result.relevance) / 2 < LEAST_SCORE:
        return None
    made = answer_of(result, form, retrieval) if result.members else refusal_of(result, form, retrieval)
    return replace(made, explanation=replace(explain_result(result), time=time))


def _compared(
    reader: EvidenceReader, retrieval: Any, form: QuestionForm, as_of: int | None, at: int | None
) -> Answer | None:  # fmt: skip
    """The answer to a comparison of two named things that asks for yes or no; None for other questions."""
    if len(retrieval.seeds.mentions) < 2:
        return None
    moments = [moment for moment in (as_of, at) if moment is not None][:1]
    result = comparison(SetOperations(reader, retrieval, with_full_names(retrieval), moments), form)
    return None if result is None else verdict_of(result, form, retrieval, present(as_of, at))


def verdict_of(result: Result, form: QuestionForm, retrieval: Any, time: str) -> Answer:
    """The answer that says a verdict; ``time``: of the facts, in words."""
    answer = answer_of(result, form, retrieval)
    explained = replace(explain_result(result), time=time)
    return replace(answer, text=result.members[0].text.capitalize(), explanation=explained)


def contradicted(reader: EvidenceReader, retrieval: Any, as_of: int | None = None, least: float = 0.0) -> Answer | None:
    """The answer "no" to a question that joins two things which no fact joins, see ``verdicts.contradiction``.

    None where it asks for something else, or where "no" is less likely than ``least``.
    """
    form = reader.form(retrieval.query)
    if form is None or form.operation != "verify":
        return None
    if unknown_names(retrieval.query, retrieval.store, retrieval.seeds.mentions):
        return None
    moments = () if as_of is None else (as_of,)
    result = contradiction(SetOperations(reader, retrieval, with_full_names(retrieval), moments))
    if result is None or result.confidence * max(form.probabilities) <= least:
        return None
    return verdict_of(result, form, retrieval, present(as_of))


def _may_be_dated(reader: EvidenceReader, retrieval: Any) -> bool:
    """Whether facts of what a question names have a time; where it names nothing, others may have one."""
    named = named_nodes(retrieval)
    return not named or bool(reader.search.dated_facts(named))


def answer_of(result: Result, form: QuestionForm, retrieval: Any) -> Answer:
    """The answer that says a result, with all facts that were used as evidence."""
    names = [member.text for member in result.members[:SHOWN]]
    text = ", ".join(names)
    hidden = int(max(result.count, len(result.members))) - len(names)
    if result.operation == "count":
        text = text if result.stated else f"{result.count:g}: {text}"
    elif hidden > 0 and result.operation not in ARITHMETIC:
        text += f", and {hidden} more"
    if not result.complete:
        text += f" {MORE}"
    answers = tuple(member.text for member in result.members)
    if result.operation == "count":
        answers = (f"{result.count:g}",)
    facts: tuple[Fact, ...] = result.facts[:MAX_EVIDENCE]
    known = certainty(form) * result.confidence
    return Answer(
        text, facts, result.members[0].facts, retrieval, 0, 0.0, known, (), answers,
        explanation=explain_result(result),
    )  # fmt: skip


def refusal_of(result: Result, form: QuestionForm, retrieval: Any) -> Answer:
    """That there is no such answer, with what was compared: values that do not convert, or fewer things than asked for.

    "The second film" of one film is none; £5 and 3 kg have no sum.
    """
    held = [f"{m.text} ({m.value.text})" if m.value else m.text for m in result.compared[:NEARBY]]
    more = f" and {len(result.compared) - NEARBY} more" if len(result.compared) > NEARBY else ""
    lack = "only" if result.operation == "superlative" else f"no {result.operation} of the values of"
    text = f"The memory holds {lack} {', '.join(held)}{more}."
    known = certainty(form) * result.confidence
    explained, facts = explain_result(result), result.facts[:MAX_EVIDENCE]
    return Answer(text, facts, (), retrieval, 0, 0.0, known, (), (), True, "not_known", explanation=explained)
