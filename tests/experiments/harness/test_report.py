"""Rows, their intervals, and what is written of them."""

from __future__ import annotations

import json
from pathlib import Path

from graphmem.experiments.harness.report import Result, Row, row_of


def test_a_row_of_nothing_has_no_value() -> None:
    assert row_of("d", "m", "right", []).value is None
    made = row_of("d", "m", "right", [1.0, 0.0], note="why")
    assert (made.value, made.n, made.note) == (0.5, 2, "why")


def test_table_plot_and_json_are_written(tmp_path: Path) -> None:
    rows = [
        row_of("films", "graphmem", "right", [1.0, 1.0, 0.0]),
        row_of("films", "closed book", "right", [0.0, 0.0, 0.0], note="as it is"),
        Row("films", "graphmem", "s/answer", 0.25, 3),
    ]
    made = Result("reason", rows, 5, "graphmem experiment reason --seed 5", {"n": 3}, ["A note."])
    files = made.save(tmp_path / "out", plots={"answers": ["right"], "none": ["no such measure"]})
    assert [file.name for file in files] == ["reason.json", "reason.md", "reason-answers.png"]
    content = json.loads(files[0].read_text())
    assert content["seed"] == 5 and content["rows"][0]["value"] == 2 / 3 and content["settings"] == {"n": 3}
    text = files[1].read_text()
    assert "| graphmem | 0.667 [" in text and "| closed book | 0 [0, 0] (3) | - |" in text
    assert "A note." in text and "as it is" in text
