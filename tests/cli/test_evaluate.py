"""Options of ``graphmem evaluate``, and which set of questions a name chooses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from graphmem.cli.evaluate import answer_report, evaluate
from graphmem.cli.main import main
from graphmem.evaluation import abstention
from graphmem.evaluation.answers import METHODS
from graphmem.evaluation.report import Report, markdown_table

COMMANDS = (
    "ablation", "answers", "disambiguation", "documents", "extraction", "locality", "passages", "people", "probes",
    "retrieval", "state-tracking", "text-edits",
)  # fmt: skip


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["evaluate", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_every_measurement_has_help_and_the_same_outputs() -> None:
    assert sorted(evaluate.commands) == list(COMMANDS)
    for name in COMMANDS:
        text = run(name, "--help")
        assert "--json" in text and "--out" in text


@pytest.mark.parametrize("name", ["lists", "refusal"])
def test_lists_and_refusal_use_the_shipped_questions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[Any] = []
    monkeypatch.setattr(abstention, f"evaluate_{name}", lambda model, questions, *rest: known.append(list(questions)))
    answer_report(None, name, "dev", 6, 0, methods=METHODS)
    assert len(known) == 1 and len(known[0]) >= 6


def test_a_report_is_printed_and_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from graphmem.evaluation import retrieval

    report = Report([{"ranker": "activation", "hits": {"at 1": 0.5}, "gain": None}], 3)
    monkeypatch.setattr(retrieval, "evaluate_retrieval", lambda *args, **options: report)
    assert run("retrieval", "worlds", "--out", str(tmp_path / "r.json")) == (
        "| ranker | hits at 1 | gain |\n|---|---|---|\n| activation | 0.500 | - |\n"
    )
    assert json.loads((tmp_path / "r.json").read_text())["seed"] == 3
    assert json.loads(run("retrieval", "worlds", "--json"))["rows"][0]["ranker"] == "activation"


def test_options_reach_the_measurement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from graphmem.evaluation import ablation, documents, people, probes

    calls: list[Any] = []
    for module, name in ((ablation, "ablation"), (documents, "documents"), (people, "people")):
        monkeypatch.setattr(
            module, f"evaluate_{name}", lambda *args, **options: calls.append((args[1:], options)) or Report([])
        )
    run("people", str(tmp_path), "--baseline", "--parts", "ask")
    run("ablation", str(tmp_path), "--arms", str(tmp_path))
    monkeypatch.setattr(probes, "load_probes", lambda *args: calls.append((args, {})) or [])
    monkeypatch.setattr(probes, "evaluate_probes", lambda memory, rows, seed, log: Report(rows, seed))
    run("documents", "--sets", "boolq,squad", "--n", "3", "--seed", "4", "--data", str(tmp_path))
    drawn = ("--half", "development", "--n", "2", "--seed", "5")
    run("probes", *drawn, "--data", str(tmp_path), "--memory", str(tmp_path / "m.db"))
    assert calls.pop() == ((tmp_path, "development", 2, 5), {})
    (people_args, people_options), (ablation_args, ablation_options), (_, document_options) = calls
    assert people_args == ((tmp_path,), ("ask",)) and people_options["baseline"] is True
    assert ablation_args == ((tmp_path,), ("evidence",)) and ablation_options["arms"] == tmp_path
    wanted = {"sets": ("boolq", "squad"), "n": 3, "seed": 4, "folder": tmp_path, "memory": None, "baseline": False}
    assert {key: document_options[key] for key in wanted} == wanted


def test_wrong_names_are_errors() -> None:
    assert "no method 'magic'" in run("answers", "--methods", "magic", code=2)
    assert "no part 'sing'" in run("people", ".", "--parts", "sing", code=1)
    assert "no part 'soul'" in run("ablation", ".", "--parts", "evidence,soul", code=1)
    assert "no set 'nq'" in run("documents", "--sets", "squad,nq", code=1)
    assert "choose one of" in run("retrieval", "nowhere", code=1)


def test_a_table_has_a_column_for_every_field() -> None:
    table = markdown_table([{"a": 1, "b": (0.25, 1.0)}, {"a": True, "c_d": "x"}])
    assert table.splitlines() == ["| a | b | c_d |", "|---|---|---|", "| 1 | [0.250, 1.000] | - |", "| True | - | x |"]


def test_reports_and_plots_take_no_other_file_s_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from graphmem.evaluation import retrieval

    monkeypatch.setattr(retrieval, "evaluate_retrieval", lambda *args, **options: Report([], 0))
    mine = tmp_path / "mine.png"
    mine.write_text("mine")
    assert "--force" in run("retrieval", "--out", str(mine), code=1)
    assert "--force" in run("retrieval", "--plot", str(mine), code=1)
    assert mine.read_text() == "mine"
    run("retrieval", "--out", str(mine), "--force")
    assert json.loads(mine.read_text())["rows"] == []
