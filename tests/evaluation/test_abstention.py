"""Refusals and lists, counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.datasets.wikimovies import Question
from graphmem.evaluation.abstention import KNOWN, NO_RELATION, evaluate_lists, evaluate_refusal
from graphmem.evaluation.statistics import set_scores


class Answers:
    """Answers known questions and refuses the rest."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self.known = known

    def ask(self, question: str, **options: Any) -> Any:
        names = self.known.get(question, [])
        return SimpleNamespace(text=", ".join(names), answers=tuple(names), refused=not names)


def test_refusals_are_counted_by_kind() -> None:
    model = Answers({"a": ["x"], "b": ["wrong"], "d": ["y"]})
    known = [Question(q, "t", ("x",), 1) for q in "abc"]
    made = evaluate_refusal(model, known, [("d", NO_RELATION), ("e", NO_RELATION)])
    assert made.precision == 0.5 and made.recall == 0.5 and made.f1 == pytest.approx(0.5)
    assert {row["questions"]: row["refused"] for row in made.rows} == {KNOWN: pytest.approx(1 / 3), NO_RELATION: 0.5}
    assert made.right == pytest.approx(1 / 3)
    assert "F1 0.500" in made.table() and "min_confidence calibrated" in made.table()
    assert "min_confidence 0.4" in evaluate_refusal(model, known, [("d", NO_RELATION)], min_confidence=0.4).table()


def test_lists_are_scored_as_sets() -> None:
    assert set_scores(["A", "b"], ["a", "c", "d", "e"])[:5] == (0.5, 0.25, pytest.approx(1 / 3), 0.0, 1.0)
    assert set_scores([], ["a"])[:5] == (0, 0, 0, 0, 0)
    model = Answers({"q": ["a", "b"]})
    (row,) = evaluate_lists(model, [Question("q", "t", ("b", "a"), 2)], 5).rows
    assert (row.hops, row.n, row.precision, row.recall, row.f1, row.exact, row.first_right) == (2, 1, 1, 1, 1, 1, 1)
