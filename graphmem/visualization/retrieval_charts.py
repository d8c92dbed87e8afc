"""Charts of a retrieval report: hits by hop, recall by number of nodes, and search cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.visualization.charts import Bar, Point, bar_chart, line_chart

CURVE = (1, 2, 3, 5, 10, 20, 50, 100)
"""Numbers of nodes on the recall curve."""


def plot_report(report: Any, path: str | Path) -> list[Path]:
    """Save three charts of a ``RetrievalReport``, at ``path`` and next to it.

    Hits@1 by hop; as NAME-curve the share of questions with an answer among the first k nodes; as NAME-cost processor
    time over the size of the subgraph, a point for each ranker and number of hops.

    Returns:
        the paths of the three files.

    Raises:
        InvalidValue: another extension than ``charts.FORMATS``, or no such folder.
        MissingExtra: matplotlib is not installed.
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
    return [
        Bar(f"{row.hops} hop{'s' * (row.hops > 1)}", row.ranker, row.hits_at_1, *row.interval) for row in rows
    ]  # fmt: skip


def curve(outcomes: Mapping[str, Sequence[Any]]) -> list[Point]:
    """Share of questions with an answer among the first k nodes, over all numbers of hops."""
    points = []
    for ranker, each in outcomes.items():
        ranks = np.asarray([outcome.rank for outcome in each])
        points += [Point(ranker, k, float(((ranks > 0) & (ranks <= k)).mean())) for k in CURVE]
    return points


def cost(rows: Sequence[Any]) -> list[Point]:
    """Processor time over the size of the subgraph; at least 0.01 ms, for the logarithmic axis."""
    return [Point(row.ranker, max(row.nodes, 1.0), max(row.milliseconds, 0.01)) for row in rows]
