"""Facts of benchmarks written into a memory, and questions about them.

Sets: ``pathquestion`` (two hops over a graph that no training saw), ``akew`` (multi-hop questions after edits, in three
phrasings, applied as triples), ``popqa`` and ``zsre`` (single facts among thousands of others), ``paraphrase`` (an edit
asked in four ways). They do not ship: they are read from a folder that the user names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from graphmem.datasets.fact_sets import FactQuestion, FactStore
from graphmem.evaluation.answers import ScoredAnswer, answers_by_method
from graphmem.evaluation.report import Report
from graphmem.evaluation.statistics import bootstrap_interval, mean
from graphmem.text.answer_matching import is_right


@dataclass(frozen=True, slots=True)
class FactRow:
    """Scores of one method on one set, over its first phrasing, its other phrasings, and any phrasing of a case.

    Attributes:
        n, right, interval: first phrasing: questions, share whose first answer is right, its 95 % interval.
        contains: a right answer anywhere in the text, first phrasing.
        n_paraphrases, right_paraphrases: the same for the other phrasings.
        cases, right_any_phrasing: cases, and the share right in any phrasing.
        outdated: share of questions about an edit answered by the value before it.
        prompt_tokens, seconds: means per answer.
    """

    dataset: str
    method: str
    n: int
    right: float
    interval: tuple[float, float]
    contains: float
    n_paraphrases: int
    right_paraphrases: float | None
    cases: int
    right_any_phrasing: float
    outdated: float | None
    prompt_tokens: float
    seconds: float


def write_store(memory: Any, store: FactStore) -> None:
    """Write a store's facts into a memory, then apply its edits, superseding what they change. Writes."""
    memory.add_many(store.facts, source="facts")
    for subject, relation, value in store.edits:
        memory.supersede(subject, relation, value)


def evaluate_facts(
    model: Any, dataset: str, stores: Sequence[FactStore], *, methods: Sequence[str], seed: int = 0, **options: Any
) -> Report:
    """Write each store into a memory of its own, ask its questions by every method, and score the first answer.

    Args:
        model: a ``GraphMemoryModel``; its own memory is not searched.
        dataset, seed: for the report.
        stores: of ``load_facts_and_questions``, or your own.
        methods: of ``graphmem.evaluation.answers.METHODS``.
        options: of ``answers_by_method``.
    """
    from graphmem.memory import GraphMemory

    scored: dict[str, list[tuple[int, FactQuestion, ScoredAnswer]]] = {method: [] for method in methods}
    for number, store in enumerate(stores):
        with GraphMemory.open(":memory:", encoder=model.memory.encoder) as memory:
            write_store(memory, store)
            for method, answers in answers_by_method(model, memory, store.questions, methods, **options):
                scored[method] += [(number, q, a) for q, a in zip(store.questions, answers, strict=True)]
    report = Report([_row(dataset, method, rows) for method, rows in scored.items()], seed)
    report.answers.extend(
        {"method": method, "question": q.question, "answers": list(q.answers), "phrasing": q.phrasing, **asdict(a)}
        for method, rows in scored.items()
        for _, q, a in rows
    )
    return report


def _row(dataset: str, method: str, scored: Sequence[tuple[int, FactQuestion, ScoredAnswer]]) -> FactRow:
    first, paraphrases = ([a for _, q, a in scored if (q.phrasing == 0) is wanted] for wanted in (True, False))
    cases: dict[tuple[int, int], bool] = {}
    for number, q, a in scored:
        cases[number, q.case] = cases.get((number, q.case), False) or a.right
    outdated = [is_right(a.text, q.old) and not a.right for _, q, a in scored if q.old]
    answers, right = [a for _, _, a in scored], [a.right for a in first]
    return FactRow(
        dataset, method, len(first), mean(right), bootstrap_interval(right), mean([a.contains for a in first]),
        len(paraphrases), mean([a.right for a in paraphrases]) if paraphrases else None, len(cases),
        mean(list(cases.values())), mean(outdated) if outdated else None, mean([a.prompt_tokens for a in answers]),
        mean([a.seconds for a in answers]),
    )  # fmt: skip
