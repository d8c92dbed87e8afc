"""Rows, their intervals, and what is written of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

from graphmem.evaluation.statistics import bootstrap_interval, paired_interval
from graphmem.experiments.harness.report import Result, Row, row_of


def test_the_interval_holds_the_mean_and_is_the_same_for_the_same_seed() -> None:
    values = [1.0] * 60 + [0.0] * 40
    low, high = bootstrap_interval(values, 3)
    assert low < 0.6 < high and 0.45 < low and high < 0.75
    assert bootstrap_interval(values, 3) == (low, high)
    assert bootstrap_interval([1.0] * 9) == (1.0, 1.0)
    assert all(math.isnan(bound) for bound in bootstrap_interval([]))


def test_a_paired_difference_is_narrower_than_its_sides() -> None:
    first = [float(i % 7) for i in range(70)]
    gap, low, high = paired_interval([value + 0.1 for value in first], first)
    assert math.isclose(gap, 0.1) and math.isclose(low, 0.1) and math.isclose(high, 0.1)


def test_a_row_of_nothing_has_no_value() -> None:
    assert row_of("d", "m", "right", []).value is None
    made = row_of("d", "m", "right", [1.0, 0.0], note="why")
    assert (made.value, made.n, made.note) == (0.5, 2, "why")


def test_table_plot_and_json_are_written(tmp_path: Path) -> None:
    rows = [
        row_of("films", "graphmem", "right", [1.0, 1.0, 0.0]),
        row_of("films", "closed book", "right", [0.0, 0.0, 0.0], note="as it stands"),
        Row("films", "graphmem", "s/answer", 0.25, 3),
    ]
    made = Result("reason", rows, 5, "graphmem experiment reason --seed 5", {"n": 3}, ["A note."])
    files = made.save(tmp_path / "out", plots={"answers": ["right"], "none": ["no such measure"]})
    assert [file.name for file in files] == ["reason.json", "reason.md", "reason-answers.png"]
    content = json.loads(files[0].read_text())
    assert content["seed"] == 5 and content["rows"][0]["value"] == 2 / 3 and content["settings"] == {"n": 3}
    text = files[1].read_text()
    assert "| graphmem | 0.667 [" in text and "| closed book | 0 [0, 0] (3) | - |" in text
    assert "A note." in text and "as it stands" in text
