from __future__ import annotations

import json
from typing import Any

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.evaluation.retrieval import RetrievalOutcome, RetrievalReport, _rows, evaluate_retrieval


def outcome(rank: int, *, new: bool = False, error: str = "") -> RetrievalOutcome:
    return RetrievalOutcome(1, new, rank, 1.0, 1.0, True, error, 2.0, 10)


def test_rows_count_what_happened() -> None:
    learned = [outcome(1, new=True), outcome(1), outcome(2, error="ranking"), outcome(0, error="seeds")]
    blind = [outcome(0, error="sampling")] * 4
    first, second = _rows({"activation": learned, "ppr": blind}, 0)
    assert (first.hits_at_1, first.n, first.n_new, first.hits_at_1_new) == (0.5, 4, 1, 1.0)
    assert first.mrr == pytest.approx((1 + 1 + 0.5) / 4)
    assert (first.errors["seeds"], first.errors["ranking"], second.errors["sampling"]) == (0.25, 0.25, 1.0)
    assert first.gain is not None and first.gain[0] >= 0 and second.gain is None
    table = RetrievalReport([first, second]).table()
    assert "| activation | 1 | 4 | 0.500" in table


def test_worlds_of_relations_held_out_are_answered_better_than_by_chance(encoder: Any) -> None:
    report = evaluate_retrieval("worlds", n=8, rankers=("activation", "ppr"), split="dev", encoder=encoder, seed=1)
    rows = {(row.ranker, row.hops): row for row in report.rows}
    assert {row.n for row in report.rows} == {8}
    assert rows["activation", 1].hits_at_1 > rows["ppr", 1].hits_at_1 and rows["activation", 1].errors["seeds"] == 0
    assert json.loads(report.json())["rows"][0]["ranker"] == "activation"


def test_what_is_asked_for_is_checked(monkeypatch: Any, tmp_path: Any, encoder: Any) -> None:
    with pytest.raises(InvalidValue, match="nowhere"):
        evaluate_retrieval("nowhere")
    with pytest.raises(InvalidValue, match="magic"):
        evaluate_retrieval(rankers=("magic",))
    monkeypatch.setenv("GRAPHMEM_DATA", str(tmp_path))
    with pytest.raises(InvalidValue, match="GRAPHMEM_DATA"):
        evaluate_retrieval("pathquestion", encoder=encoder)


@pytest.mark.slow
def test_the_shipped_weights_find_held_out_answers(encoder: Any) -> None:
    report = evaluate_retrieval("wikimovies", n=60, rankers=("activation",), encoder=encoder)
    assert all(row.hits_at_1 >= floor for row, floor in zip(report.rows, (0.9, 0.9, 0.85), strict=True))
