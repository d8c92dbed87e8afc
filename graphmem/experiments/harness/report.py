"""Results of an experiment: rows, written as a table, plots and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphmem.evaluation.report import markdown_table
from graphmem.evaluation.statistics import bootstrap_interval


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


def row_of(
    dataset: str, method: str, measure: str, values: Sequence[float], *, seed: int = 0, note: str = ""
) -> Row:  # fmt: skip
    """The mean of one figure a question, with its interval; None for no values."""
    if not len(values):
        return Row(dataset, method, measure, None, 0, note=note)
    low, high = bootstrap_interval(values, seed)
    return Row(dataset, method, measure, sum(values) / len(values), len(values), low, high, note)


@dataclass(frozen=True)
class Result:
    """All rows of one experiment, with the command and settings to repeat them.

    Attributes:
        experiment: its name.
        rows: every figure.
        seed: of all draws.
        command: the command line that repeats it.
        settings: every option and budget, by name.
        notes: sentences below the tables.
        details: question by question.
    """

    experiment: str
    rows: Sequence[Row]
    seed: int
    command: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    details: Sequence[Mapping[str, Any]] = field(default_factory=list, repr=False)

    # ---------------------------------------------------------------- writing

    def save(self, folder: str | Path, *, plots: Mapping[str, Sequence[str]] | None = None) -> list[Path]:
        """Write ``NAME.json``, ``NAME.md`` and a plot for each group of measures; return the files.

        Args:
            folder: created if missing.
            plots: measures to draw together, by the plot's name; None draws the first measure.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        content = {**asdict(self), "rows": [asdict(row) for row in self.rows]}
        written = [target / f"{self.experiment}.json", target / f"{self.experiment}.md"]
        written[0].write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        written[1].write_text(self.markdown(), encoding="utf-8")
        for name, measures in (plots or {"": [self.measures()[0]]} if self.rows else {}).items():
            path = target / f"{self.experiment}{'-' if name else ''}{name}.png"
            if any(row.measure in measures and row.value is not None for row in self.rows):
                written.append(self.plot(path, measures))
        return written

    def plot(self, path: str | Path, measures: Sequence[str]) -> Path:
        """Bars by method, clustered by data set (and by measure, where there are several).

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        from graphmem.visualization.charts import Bar, bar_chart

        several = len(measures) > 1
        bars = [
            Bar(
                "\n".join([*r.dataset.split(", "), *([r.measure] if several else [])]), r.method, r.value, r.low, r.high
            )
            for r in self.rows
            if r.measure in measures and r.value is not None
        ]
        return bar_chart(bars, path, title=f"{self.experiment}: {', '.join(measures)}", y_label=measures[0])

    # ---------------------------------------------------------------- tables

    def measures(self, dataset: str | None = None) -> list[str]:
        """Measures, in their order."""
        return list(dict.fromkeys(r.measure for r in self.rows if dataset in (None, r.dataset)))

    def datasets(self) -> list[str]:
        """Data sets, in their order."""
        return list(dict.fromkeys(row.dataset for row in self.rows))

    def markdown(self) -> str:
        """One table a data set: a line a method, a column a measure; intervals in brackets."""
        blocks = [f"# {self.experiment}", f"`{self.command}`, seed {self.seed}"]
        for dataset in self.datasets():
            measures = self.measures(dataset)
            blocks.append(f"## {dataset}\n\n{markdown_table(self._cells(dataset, measures))}")
        blocks.append("\n".join(f"- {note}" for note in self._all_notes()))
        return "\n\n".join(blocks) + "\n"

    def _cells(self, dataset: str, measures: Iterable[str]) -> list[dict[str, str]]:
        mine = {(r.method, r.measure): r for r in self.rows if r.dataset == dataset}
        methods = dict.fromkeys(method for method, _ in mine)
        return [{"method": name, **{m: _cell(mine.get((name, m))) for m in measures}} for name in methods]

    def _all_notes(self) -> list[str]:
        """The notes of the result, then those of its rows; a note of several rows is given once a data set."""
        by_note: dict[tuple[str, str], list[Row]] = {}
        for row in (row for row in self.rows if row.note):
            by_note.setdefault((row.dataset, row.note), []).append(row)
        own = [
            f"{dataset}: {note}" if len(rows) > 1 else f"{dataset}, {rows[0].method}, {rows[0].measure}: {note}"
            for (dataset, note), rows in by_note.items()
        ]
        return [*self.notes, *own]


def _cell(row: Row | None) -> str:
    if row is None or row.value is None:
        return "-"
    figure = _figure(row.value)
    if row.low is None or row.high is None:
        return figure
    return f"{figure} [{_figure(row.low)}, {_figure(row.high)}] ({row.n})"


def _figure(value: float) -> str:
    if value == 0:
        return "0"
    for threshold, form in ((1000, ",.0f"), (20, ".1f"), (0.01, ".3f")):
        if abs(value) >= threshold:
            return format(value, form)
    return format(value, ".2g")
