from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from graphmem.experiments.adapt import invented, main, webnlg


def test_invented_lessons_hold_their_answers() -> None:
    lessons = invented(8, seed=0)
    assert len(lessons) == 8 and lessons == invented(8, seed=0)
    for lesson in lessons:
        assert lesson.answers[0] in lesson.sentence and lesson.answers[0] not in lesson.question


def test_webnlg_lessons_are_single_facts_between_names(tmp_path: Path) -> None:
    names = [{"entity": n, "surface": n, "type": "name"} for n in ("Aarhus", "Bo")]
    row = {"triples": [["Aarhus", "leaderName", "Bo"]], "text": "Bo leads Aarhus.", "mentions": names}
    rows = [row, row, {**row, "triples": row["triples"] * 2}, {**row, "mentions": []}]
    path = tmp_path / "dev.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.write("\n".join(map(json.dumps, rows)))
    lessons = webnlg(path, 10, 0)
    assert [(lesson.question, lesson.answers) for lesson in lessons] == [
        ("What is the leader name of Aarhus?", ("Bo", "Bo"))
    ]


@pytest.mark.slow
def test_the_experiment_runs_from_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHMEM_DATA", raising=False)
    main(["--quick", "--n", "4", "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "adapt.json").read_text())["rows"]
    assert {row["method"] for row in rows} == {"graphmem", "LoRA, as much compute", "closed book"}
    assert (tmp_path / "adapt.png").stat().st_size > 0
