"""Bar and line charts with intervals, saved to a file (matplotlib, the extra ``viz``), and those of a retrieval report.

Figures are made without pyplot, so there is no global state: charts can be drawn in any thread and without a display.
Charts raise InvalidValue without rows, for another extension than ``FORMATS`` or a missing folder, and MissingExtra
without matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.core.errors import InvalidValue, MissingExtra
from graphmem.core.files import check_target, replacing

FORMATS = (".png", ".svg", ".pdf")

COLOURS = ("#2b6cb0", "#dd8833", "#3a9a5b", "#b8433f", "#7a5ea8", "#6b7280", "#c2699b", "#8a6d3b", "#1a9aa0")
"""Colours of series, distinct in print too; they repeat for more series."""

CURVE = (1, 2, 3, 5, 10, 20, 50, 100)
"""Numbers of nodes on the recall curve of a retrieval report."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Value of one series in one group, with an optional interval."""

    group: str
    series: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """Point of one series, with an optional interval."""

    series: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


def bar_chart(
    rows: Sequence[Bar], path: str | Path, *, title: str = "", x_label: str = "", y_label: str = "",
    y_range: tuple[float, float] | None = None,
) -> Path:  # fmt: skip
    """Save a bar chart with a cluster for each group and a colour for each series; returns the file.

    Groups and series keep the order of their first bar; None and NaN leave a gap. ``y_range`` None fits the rows.
    """
    target = _checked(path, rows)
    figure, axes = _figure(title, x_label, y_label)
    groups, series = list(dict.fromkeys(bar.group for bar in rows)), list(dict.fromkeys(bar.series for bar in rows))
    width = 0.8 / len(series)
    for number, name in enumerate(series):
        bars = [bar for bar in rows if bar.series == name and _finite(bar.value)]
        at = [groups.index(bar.group) + (number - (len(series) - 1) / 2) * width for bar in bars]
        values = [float(bar.value) for bar in bars]
        axes.bar(at, values, 0.92 * width, label=name, color=COLOURS[number % len(COLOURS)])
        _error_bars(axes, at, values, bars)
    axes.set_xticks(range(len(groups)), groups)
    return _save(figure, axes, target, y_range, len(series))


def line_chart(
    rows: Sequence[Point], path: str | Path, *, title: str = "", x_label: str = "", y_label: str = "",
    y_range: tuple[float, float] | None = None, log: str = "",
) -> Path:  # fmt: skip
    """Save a line chart with one line a series, and error bars for points with intervals; returns the file.

    ``log`` names the logarithmic axes: ``"x"``, ``"y"``, ``"xy"`` or none; anything else raises InvalidValue.
    """
    if log not in ("", "x", "y", "xy"):
        raise InvalidValue(f"log must be '', 'x', 'y' or 'xy', not {log!r}")
    target = _checked(path, rows)
    figure, axes = _figure(title, x_label, y_label)
    series = list(dict.fromkeys(point.series for point in rows))
    for number, name in enumerate(series):
        points = sorted((p for p in rows if p.series == name and _finite(p.y)), key=lambda point: point.x)
        at, values = [point.x for point in points], [float(point.y) for point in points]
        axes.plot(at, values, marker="o", markersize=4, label=name, color=COLOURS[number % len(COLOURS)])
        _error_bars(axes, at, values, points)
    axes.set(**{f"{axis}scale": "log" for axis in log})
    return _save(figure, axes, target, y_range, len(series))


def _checked(path: str | Path, rows: Sequence[Any]) -> Path:
    target = check_target(path, force=True)
    if not rows:
        raise InvalidValue("a chart needs at least one row")
    if target.suffix.lower() not in FORMATS:
        raise InvalidValue(f"a chart is saved as one of {', '.join(FORMATS)}, not as {target.name!r}")
    if not target.parent.is_dir():
        raise InvalidValue(f"there is no folder {str(target.parent)!r} to save a chart in")
    return target


def _figure(title: str, x_label: str, y_label: str) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("charts need matplotlib: pip install 'graphmem[viz]'") from error
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=x_label, ylabel=y_label, axisbelow=True)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _error_bars(axes: Any, at: Sequence[float], values: Sequence[float], rows: Sequence[Bar | Point]) -> None:
    for x, y, row in zip(at, values, rows, strict=True):
        if row.low is not None and row.high is not None:
            spread = [[max(0.0, y - float(row.low))], [max(0.0, float(row.high) - y)]]
            axes.errorbar(x, y, spread, fmt="none", ecolor="#333333", elinewidth=1, capsize=2)


def _save(figure: Any, axes: Any, target: Path, y_range: tuple[float, float] | None, series: int) -> Path:
    if y_range is not None:
        axes.set_ylim(*y_range)
    if series > 1:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    with replacing(target) as new:
        figure.savefig(new, format=target.suffix[1:].lower())
    return target


def plot_report(report: Any, path: str | Path) -> list[Path]:
    """Save three charts of a ``RetrievalReport``, at ``path`` and next to it; returns the files.

    Hits@1 by hop; as NAME-curve the share of questions with an answer among the first k nodes; as NAME-cost processor
    time over the size of the subgraph, a point for each ranker and number of hops.
    """
    path = Path(path)
    title = f"{report.dataset}, {report.split} half, seed {report.seed}"
    return [
        bar_chart(hits(report.rows), path, title=title, y_label="Hits@1, 95 % interval", y_range=(0, 1)),
        line_chart(
            curve(report.outcomes), path.with_stem(f"{path.stem}-curve"), title=title, x_label="first k nodes",
            y_label="share of questions with an answer", y_range=(0, 1), log="x",
        ),
        line_chart(
            cost(report.rows), path.with_stem(f"{path.stem}-cost"), title=title, x_label="nodes of the subgraph",
            y_label="CPU ms without text encoding", log="xy",
        ),
    ]  # fmt: skip


def hits(rows: Sequence[Any]) -> list[Bar]:
    """Hits@1 of each ranker at each number of hops, with its interval."""
    return [Bar(f"{r.hops} hop{'s' * (r.hops > 1)}", r.ranker, r.hits_at_1, *r.interval) for r in rows]


def curve(outcomes: Mapping[str, Sequence[Any]]) -> list[Point]:
    """Share of questions with an answer among the first k nodes, over all numbers of hops."""
    ranks = {ranker: np.asarray([outcome.rank for outcome in each]) for ranker, each in outcomes.items()}
    return [Point(ranker, k, float(((at > 0) & (at <= k)).mean())) for ranker, at in ranks.items() for k in CURVE]


def cost(rows: Sequence[Any]) -> list[Point]:
    """Processor time over the size of the subgraph; at least 0.01 ms, for the logarithmic axis."""
    return [Point(row.ranker, max(row.nodes, 1.0), max(row.milliseconds, 0.01)) for row in rows]
