from __future__ import annotations

import sys
import xml.etree.ElementTree as Tree
from pathlib import Path

import pytest

from graphmem.core.errors import InvalidValue, MissingExtra
from graphmem.evaluation.retrieval import RetrievalOutcome, RetrievalReport, _rows
from graphmem.visualization.charts import Bar, Point, bar_chart, cost, curve, hits, line_chart, plot_report

BARS = [
    Bar("1 hop", "path", 0.9, 0.85, 0.94),
    Bar("1 hop", "ppr", 0.4, 0.3, 0.5),
    Bar("2 hops", "path", 0.95),
    Bar("2 hops", "ppr", float("nan")),
]


def texts(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_bars_carry_their_groups_series_and_titles(tmp_path: Path) -> None:
    saved = bar_chart(BARS, tmp_path / "hits.svg", title="Hits", y_label="Hits@1", y_range=(0, 1))
    assert saved == tmp_path / "hits.svg" and Tree.parse(saved).getroot().tag.endswith("svg")
    assert all(f"<!-- {word} -->" in texts(saved) for word in ("1 hop", "2 hops", "path", "ppr", "Hits", "Hits@1"))


def test_lines_are_drawn_in_png_too(tmp_path: Path) -> None:
    rows = [Point("path", 10_000, 3.0, 2.0, 4.0), Point("path", 1_000_000, 20.0), Point("ppr", 10_000, 1.0)]
    saved = line_chart(rows, tmp_path / "speed.png", log="x")
    assert saved.read_bytes().startswith(b"\x89PNG")


def test_two_charts_at_once_do_not_mix(tmp_path: Path) -> None:
    one = bar_chart(BARS[:1], tmp_path / "one.svg", title="first")
    two = bar_chart(BARS[1:2], tmp_path / "two.svg", title="second")
    assert "first" not in texts(two) and "second" not in texts(one)


@pytest.mark.parametrize("name", ["chart.gif", "chart", "missing/chart.png"])
def test_a_path_that_cannot_be_saved_to_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue):
        bar_chart(BARS, tmp_path / name)


def test_no_rows_and_a_wrong_axis_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue):
        bar_chart([], tmp_path / "chart.png")
    with pytest.raises(InvalidValue):
        line_chart([Point("a", 1, 1)], tmp_path / "chart.png", log="z")


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"graphmem\[viz\]"):
        bar_chart(BARS, tmp_path / "chart.png")


def outcome(hops: int, rank: int) -> RetrievalOutcome:
    return RetrievalOutcome(hops, False, rank, 1.0, 1.0, rank > 0, "" if rank == 1 else "ranking", 2.0, 30)


@pytest.fixture
def report() -> RetrievalReport:
    outcomes = {
        "path": [outcome(1, 1), outcome(1, 1), outcome(2, 4), outcome(2, 0)],
        "ppr": [outcome(1, 2), outcome(1, 1), outcome(2, 60), outcome(2, 0)],
    }
    return RetrievalReport(_rows(outcomes, 0), 3, dataset="worlds", split="test", outcomes=outcomes)


def test_the_charts_show_what_was_counted(report: RetrievalReport) -> None:
    bars = {(bar.series, bar.group): bar.value for bar in hits(report.rows)}
    assert bars == {("path", "1 hop"): 1.0, ("ppr", "1 hop"): 0.5, ("path", "2 hops"): 0.0, ("ppr", "2 hops"): 0.0}
    found = {(point.series, point.x): point.y for point in curve(report.outcomes)}
    assert found["path", 1] == 0.5 and found["path", 5] == 0.75 == found["ppr", 100] and found["ppr", 50] == 0.5
    assert {(point.x, point.y) for point in cost(report.rows)} == {(30.0, 2.0)}


def test_three_files_are_saved(report: RetrievalReport, tmp_path: Path) -> None:
    saved = plot_report(report, tmp_path / "hits.svg")
    assert [path.name for path in saved] == ["hits.svg", "hits-curve.svg", "hits-cost.svg"]
    assert all("worlds, test half, seed 3" in path.read_text(encoding="utf-8") for path in saved)


def test_a_report_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue):
        plot_report(RetrievalReport([], 0, dataset="worlds", split="test"), tmp_path / "x.png")
