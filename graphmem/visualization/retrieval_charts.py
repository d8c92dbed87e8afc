"""Charts of a retrieval report: hits by hop, how far down the answer is, and what a search costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.visualization.charts import Bar, Point, bar_chart, line_chart

CURVE = (1, 2, 3, 5, 10, 20, 50, 100)
"""Numbers of nodes at which the curve of found answers is read."""


def plot_report(report: Any, path: str | Path) -> list[Path]:
    """Draw a ``RetrievalReport``: Hits@1 by hop at ``path``, and beside it, as NAME-curve and NAME-cost, two more.

    The second shows the share of questions with an answer among the first k nodes, the third processor time over the
    size of the subgraph, a point for each ranker and number of hops.

    Returns:
        the paths of the three files.

    Raises:
        InvalidValue: an ending that is none of ``plots.FORMATS``, or no such folder.
        MissingExtra: matplotlib is not installed.
    """
    path = Path(path)
    title = f"{report.dataset}, {report.split} half, seed {report.seed}"
    return [
        bar_chart(hits(report.rows), path, title=title, y_label="Hits@1, 95 % interval", y_range=(0, 1)),
        line_chart(
            curve(report.outcomes), path.with_stem(f"{path.stem}-curve"), title=title, x_label="first k nodes",
            y_label="questions with an answer among them", y_range=(0, 1), log="x",
        ),
        line_chart(
            cost(report.rows), path.with_stem(f"{path.stem}-cost"), title=title, x_label="nodes of the subgraph",
            y_label="ms of processor time, encoding taken off", log="xy",
        ),
    ]  # fmt: skip


def hits(rows: Sequence[Any]) -> list[Bar]:
    """Hits@1 of each ranker at each number of hops, with its interval."""
    return [Bar(_hops(row.hops), row.ranker, row.hits1, row.low, row.high) for row in rows]


def curve(outcomes: Mapping[str, Sequence[Any]]) -> list[Point]:
    """Share of questions whose best answer is among the first k nodes, over all numbers of hops."""
    points = []
    for ranker, asked in outcomes.items():
        ranks = np.asarray([outcome.rank for outcome in asked])
        points += [Point(ranker, k, float(((ranks > 0) & (ranks <= k)).mean())) for k in CURVE]
    return points


def cost(rows: Sequence[Any]) -> list[Point]:
    """Processor time over the size of the subgraph; what costs nothing measurable is drawn at a hundredth."""
    return [Point(row.ranker, max(row.nodes, 1.0), max(row.milliseconds, 0.01)) for row in rows]


def _hops(hops: int) -> str:
    return "1 hop" if hops == 1 else f"{hops} hops"
