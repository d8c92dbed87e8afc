from __future__ import annotations

from pathlib import Path

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.evaluation.retrieval import RetrievalOutcome, RetrievalReport, _rows
from graphmem.visualization.retrieval_charts import cost, curve, hits, plot_report


def outcome(hops: int, rank: int) -> RetrievalOutcome:
    return RetrievalOutcome(hops, False, rank, 1.0, 1.0, rank > 0, "" if rank == 1 else "ranking", 2.0, 30)


@pytest.fixture
def report() -> RetrievalReport:
    outcomes = {
        "gnn": [outcome(1, 1), outcome(1, 1), outcome(2, 4), outcome(2, 0)],
        "ppr": [outcome(1, 2), outcome(1, 1), outcome(2, 60), outcome(2, 0)],
    }
    return RetrievalReport(_rows(outcomes, 0), 3, dataset="worlds", split="test", outcomes=outcomes)


def test_the_charts_show_what_was_counted(report: RetrievalReport) -> None:
    bars = {(bar.series, bar.group): bar.value for bar in hits(report.rows)}
    assert bars == {("gnn", "1 hop"): 1.0, ("ppr", "1 hop"): 0.5, ("gnn", "2 hops"): 0.0, ("ppr", "2 hops"): 0.0}
    found = {(point.series, point.x): point.y for point in curve(report.outcomes)}
    assert found["gnn", 1] == 0.5 and found["gnn", 5] == 0.75 == found["ppr", 100] and found["ppr", 50] == 0.5
    assert {(point.x, point.y) for point in cost(report.rows)} == {(30.0, 2.0)}


def test_three_files_are_saved(report: RetrievalReport, tmp_path: Path) -> None:
    saved = plot_report(report, tmp_path / "hits.svg")
    assert [path.name for path in saved] == ["hits.svg", "hits-curve.svg", "hits-cost.svg"]
    assert all("worlds, test half, seed 3" in path.read_text(encoding="utf-8") for path in saved)


def test_a_report_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue):
        plot_report(RetrievalReport([], 0, dataset="worlds", split="test"), tmp_path / "x.png")
