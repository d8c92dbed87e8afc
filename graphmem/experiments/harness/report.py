"""Results of an experiment: rows, written as a table, plots and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphmem.evaluation.report import markdown_table
from graphmem.evaluation.statistics import bootstrap_interval
from graphmem.visualization.charts import Bar, bar_chart


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        dataset: and kind of question.
        method: by its name.
        measure: with its unit where it has one ("right", "KL (nats/token)", "s/answer").
        value: the figure; None where the method has none.
        n: number of questions, texts or facts.
        low, high: its 95 % bootstrap interval, where it has one.
        note: a remark below the table ("extrapolated", ...).
    """

    dataset: str
    method: str
    measure: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    note: str = ""

    def __str__(self) -> str:
        """The value with its interval, as in a table."""
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return _figure(self.value)
        return f"{_figure(self.value)} [{_figure(self.low)}, {_figure(self.high)}] ({self.n})"


def row_of(dataset: str, method: str, measure: str, values: Sequence[float], *, seed: int = 0, note: str = "") -> Row:
    """The mean of one figure a question, with its interval; None for no values."""
    if not len(values):
        return Row(dataset, method, measure, None, 0, note=note)
    low, high = bootstrap_interval(values, seed)
    return Row(dataset, method, measure, sum(values) / len(values), len(values), low, high, note)


@dataclass(frozen=True)
class Result:
    """All rows of one experiment, with the command and settings to repeat them, and details question by question."""

    experiment: str
    rows: Sequence[Row]
    seed: int
    command: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    details: Sequence[Mapping[str, Any]] = field(default_factory=list, repr=False)

    def save(self, folder: Path, *, plots: Mapping[str, Sequence[str]]) -> list[Path]:
        """Write ``NAME.json``, ``NAME.md`` and bar charts by method, clustered by data set; return the files.

        ``plots`` maps a plot's name to the measures in it; a plot without a value is left out.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"{self.experiment}.json", folder / f"{self.experiment}.md"]
        written[0].write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), encoding="utf-8")
        written[1].write_text(self.markdown(), encoding="utf-8")
        for name, measures in plots.items():
            bars = []
            for row in self.rows:
                if row.measure in measures and row.value is not None:
                    group = [*row.dataset.split(", "), *([row.measure] if len(measures) > 1 else [])]
                    bars.append(Bar("\n".join(group), row.method, row.value, row.low, row.high))
            if bars:
                path = folder / f"{self.experiment}{'-' if name else ''}{name}.png"
                title = f"{self.experiment}: {', '.join(measures)}"
                written.append(bar_chart(bars, path, title=title, y_label=measures[0]))
        return written

    def markdown(self) -> str:
        """One table a data set: a line a method, a column a measure; intervals in brackets; then the notes."""
        blocks = [f"# {self.experiment}", f"`{self.command}`, seed {self.seed}"]
        notes = list(self.notes)
        for dataset in dict.fromkeys(row.dataset for row in self.rows):
            lines: dict[str, dict[str, str]] = {}
            noted: dict[str, list[Row]] = {}
            for row in (row for row in self.rows if row.dataset == dataset):
                lines.setdefault(row.method, {"method": row.method})[row.measure] = str(row)
                noted.setdefault(row.note, []).append(row)
            noted.pop("", None)
            blocks.append(f"## {dataset}\n\n{markdown_table(list(lines.values()))}")
            for note, rows in noted.items():  # a note of several rows is given once a data set
                place = dataset if len(rows) > 1 else f"{dataset}, {rows[0].method}, {rows[0].measure}"
                notes.append(f"{place}: {note}")
        blocks.append("\n".join(f"- {note}" for note in notes))
        return "\n\n".join(blocks) + "\n"


def _figure(value: float) -> str:
    for threshold, form in ((1000, ",.0f"), (20, ".1f"), (0.01, ".3f")):
        if abs(value) >= threshold:
            return format(value, form)
    return format(value or 0.0, ".2g")  # no minus sign before a zero
