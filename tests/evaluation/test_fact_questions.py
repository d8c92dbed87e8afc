"""Fact questions: edits applied, and answers scored by phrasing and by case."""

from __future__ import annotations

import pytest

from graphmem.datasets.fact_sets import FactQuestion, FactStore
from graphmem.evaluation.answers import Spoken
from graphmem.evaluation.fact_questions import _row, fill
from graphmem.memory import GraphMemory


def test_edits_are_applied_over_old_facts() -> None:
    store = FactStore((("A", "lives in", "Rome"),), (("A", "lives in", "Oslo"), ("B", "likes", "tea")), ())
    with GraphMemory.open(":memory:") as memory:
        fill(memory, store)
        assert {str(f) for f in memory.facts()} == {"A | lives in | Oslo", "B | likes | tea"}


def test_rows_count_phrasings_and_cases_apart() -> None:
    asked = [FactQuestion("q", ("a",), phrasing=k, case=c, old=("z",)) for c in (0, 1) for k in (0, 1, 2)]
    texts = ["a", "z", "b", "z", "a", "b"]
    said = [(0, q, Spoken(t, t == "a", t == "a", 10, 0.5)) for q, t in zip(asked, texts, strict=True)]
    row = _row("akew", "graphmem", said)
    assert (row.n, row.right, row.n_other, row.other, row.cases, row.any) == (2, 0.5, 4, 0.25, 2, 1.0)
    assert row.old == pytest.approx(2 / 6) and row.prompt_tokens == 10
