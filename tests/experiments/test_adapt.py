from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.datasets.webnlg import held_out_categories
from graphmem.experiments.adapt import main
from graphmem.experiments.tasks.domain_lessons import icews, icews_before, invented, webnlg


def test_invented_lessons_hold_their_answers() -> None:
    lessons = invented(8, seed=0)
    assert len(lessons) == 8 and lessons == invented(8, seed=0)
    for lesson in lessons:
        assert lesson.answers[0] in lesson.sentence and lesson.answers[0] not in lesson.question


def test_webnlg_lessons_are_single_facts_between_names_of_held_out_categories(tmp_path: Path) -> None:
    names = [{"entity": n, "surface": n, "type": "name"} for n in ("Aarhus", "Bo")]
    row = {"triples": [["Aarhus", "leaderName", "Bo"]], "text": "Bo leads Aarhus.", "mentions": names}
    rows = [row, row, {**row, "triples": row["triples"] * 2}, {**row, "mentions": []}]
    apart, seen = held_out_categories([{"category": name} for name in ("City", "Food")], 3, 0)[0], {"City", "Food"}
    rows = [{**row, "category": apart} for row in rows]
    rows += [{**row, "category": (seen - {apart}).pop(), "triples": [["Bo", "leaderName", "Aarhus"]]}]
    path = tmp_path / "dev.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.write("\n".join(map(json.dumps, rows)))
    lessons = webnlg(path, 10, 0)
    assert [(lesson.question, lesson.answers) for lesson in lessons] == [
        ("What is the leader name of Aarhus?", ("Bo", "Bo"))
    ]


def test_icews_lessons_are_about_actors_that_no_earlier_day_knew(tmp_path: Path) -> None:
    (tmp_path / "entity2id.txt").write_text("China\t0\nLuke_Foley\t1\nNiue\t2\n")
    (tmp_path / "relation2id.txt").write_text("Make_a_visit\t0\nConsult\t1\n")
    for part, lines in {
        "train": ["0 1 1 240 -1", "1 0 0 7440 -1"], "valid": ["2 0 1 7464 -1"], "test": ["2 1 0 7440 -1"],
    }.items():  # fmt: skip
        (tmp_path / f"{part}.txt").write_text("\n".join(lines))
    lessons = icews(tmp_path, 10, 0)
    assert [(lesson.question, lesson.answers) for lesson in lessons] == [
        ("Whom or what did Niue consult?", ("China",)),
        ("Whom or what did Niue make a visit?", ("Luke Foley",)),
    ]
    assert [lesson.fact and lesson.fact.valid_from for lesson in lessons] == ["2014-11-07", "2014-11-08"]
    assert [str(fact) for fact in icews_before(tmp_path, 10, 0)] == ["China | consult | Luke Foley"]


def test_what_is_no_icews_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="no ICEWS14"):
        icews(tmp_path, 1, 0)


@pytest.mark.slow
def test_the_experiment_runs_from_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHMEM_DATA", raising=False)
    main(["--quick", "--n", "4", "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "adapt.json").read_text())["rows"]
    assert {row["method"] for row in rows} == {
        "graphmem", "LoRA, as much compute", "LoRA, 10 times as much", "closed book",
    }  # fmt: skip
    assert (tmp_path / "adapt.png").stat().st_size > 0
