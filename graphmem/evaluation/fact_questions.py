"""Facts of other people's data, written into a memory and asked: each set brings what to write, and what to ask.

    graphmem evaluate answers pathquestion --data DATA

Sets: ``pathquestion`` (two hops over a graph never trained on), ``akew`` (multi-hop questions after edits, in three
phrasings, applied as triples), ``popqa`` and ``zsre`` (single facts among thousands of others), ``paraphrase`` (an edit
asked in four ways). None may ship: they are read from a folder that the user names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphmem.datasets.fact_sets import FactQuestion, FactStore
from graphmem.evaluation.answers import Spoken, speak
from graphmem.text.answer_matching import is_right


@dataclass(frozen=True, slots=True)
class FactRow:
    """Scores of one method on one set, over its first phrasing, its other phrasings, and any phrasing of a case.

    Attributes:
        right: first thing said right, first phrasing; ``n`` questions.
        contains: a right answer anywhere in what was said, first phrasing.
        other: right in the other phrasings; ``n_other`` questions.
        any: cases right in any phrasing; ``cases`` of them.
        old: questions answered by what an edit made wrong.
        prompt_tokens, seconds: means per answer.
    """

    dataset: str
    method: str
    n: int
    right: float
    contains: float
    n_other: int
    other: float | None
    cases: int
    any: float
    old: float
    prompt_tokens: float
    seconds: float


@dataclass(frozen=True)
class FactReport:
    """All rows, and what was said."""

    rows: list[FactRow]
    seed: int
    said: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def table(self) -> str:
        """The rows as a table for people."""
        head = (
            "set           method                  n     right  contains  other (n)      any    old    prompt s/answer"
        )
        return "\n".join([head, *(line(row) for row in self.rows)])

    def save(self, path: str | Path) -> None:
        """Write rows and answers as JSON."""
        content = {"seed": self.seed, "rows": [asdict(row) for row in self.rows], "answers": self.said}
        Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def line(row: FactRow) -> str:
    """One row of the table."""
    other = f"{row.other:.3f} ({row.n_other})" if row.other is not None else "-"
    return (
        f"{row.dataset:<13} {row.method:<23} {row.n:<5} {row.right:.3f}  {row.contains:.3f}     {other:<14} "
        f"{row.any:.3f}  {row.old:.3f}  {row.prompt_tokens:<6.0f} {row.seconds:.3f}"
    )


def fill(memory: Any, store: FactStore) -> None:
    """Write a store's facts into a memory, then apply its edits, superseding what they change. Writes."""
    memory.add_many(store.facts, source="facts")
    for subject, relation, value in store.edits:
        memory.supersede(subject, relation, value)


def evaluate_facts(
    model: Any, dataset: str, stores: Sequence[FactStore], *, methods: Sequence[str], seed: int = 0, facts: int = 50,
    batch: int = 16, max_new_tokens: int = 32, report: Callable[[str], None] = print,
) -> FactReport:  # fmt: skip
    """Write each store into a memory of its own, ask its questions by every method, and score what is said first.

    Args:
        model: a ``GraphMemoryModel``; its own memory is left alone.
        dataset: name for the rows.
        stores: of ``load_facts_and_questions``, or your own.
        methods: of ``graphmem.evaluation.answers.METHODS``.
        seed: for the record.
        facts: most facts in the rival's prompt.
    """
    from graphmem.memory import GraphMemory

    said: dict[str, list[tuple[int, FactQuestion, Spoken]]] = {method: [] for method in methods}
    for number, store in enumerate(stores):
        with GraphMemory.open(":memory:", encoder=model.memory.encoder) as memory:
            fill(memory, store)
            for method, spoken in speak(model, memory, store.questions, methods, facts, batch, max_new_tokens):
                said[method] += [(number, q, s) for q, s in zip(store.questions, spoken, strict=True)]
    made = FactReport([], seed)
    report(made.table())
    for method in methods:
        made.rows.append(_row(dataset, method, said[method]))
        made.said.extend(
            {"method": method, "question": q.question, "answers": list(q.answers), "phrasing": q.phrasing, **asdict(s)}
            for _, q, s in said[method]
        )
        report(line(made.rows[-1]))
    return made


def _row(dataset: str, method: str, said: Sequence[tuple[int, FactQuestion, Spoken]]) -> FactRow:
    first, other = ([s for _, q, s in said if (q.phrasing == 0) is wanted] for wanted in (True, False))
    cases: dict[tuple[int, int], bool] = {}
    for number, q, s in said:
        cases[number, q.case] = cases.get((number, q.case), False) or s.right
    edited = [(q, s) for _, q, s in said if q.old]
    stale = [is_right(s.text, q.old) and not s.right for q, s in edited]
    spoken = [s for _, _, s in said]
    return FactRow(
        dataset, method, len(first), _mean([s.right for s in first]), _mean([s.contains for s in first]), len(other),
        _mean([s.right for s in other]) if other else None, len(cases), _mean(list(cases.values())), _mean(stale),
        _mean([s.prompt_tokens for s in spoken]), _mean([s.seconds for s in spoken]),
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))
