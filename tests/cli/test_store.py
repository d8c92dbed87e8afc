"""Commands that rewrite the history, compact and erase; and what the command that ingests says about a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphmem.cli.main import main
from graphmem.memory import GraphMemory


@pytest.fixture
def path(tmp_path: Path) -> str:
    with GraphMemory.open(tmp_path / "m.db") as memory:
        memory.add("Ada", "likes", "Tea")
        memory.add("Bob", "likes", "Tea")
    return str(tmp_path / "m.db")


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_a_person_is_erased_after_a_report(path: str) -> None:
    assert "would be erased: 1 nodes, 1 facts" in run("erase", path, "Ada", "--passages", "--copies")
    assert json.loads(run("erase", path, "1", "--id", "--json"))["done"] is False
    assert "erased: 1 nodes" in run("erase", path, "ada", "--yes")
    with GraphMemory.open(path) as memory:
        assert [str(fact) for fact in memory.facts()] == ["Bob | likes | Tea"]
    assert "no node named 'Ada'" in run("erase", path, "Ada", code=1)
    assert "whole number" in run("erase", path, "Ada", "--id", code=2)


def test_the_history_is_compacted(path: str) -> None:
    sizes = json.loads(run("compact", path, "--before", "2200", "--json"))
    assert sizes["before"] > 0 and sizes["after"] > 0
    assert "→" in run("compact", path, "--before", "2200")
    assert "soon" in run("compact", path, "--before", "soon", code=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("source,relation,target\nAda,likes,Tea\nBob,likes,Rum\n")
    (tmp_path / "b.csv").write_text("Name,Job,Town\nAnn,Nurse,Oslo\nBo,Clerk,Rome\n")
    (tmp_path / "bad.tsv").write_text("Ada\tlikes\tTea\n" + "one cell\n" * 30)
    return tmp_path


def ingest(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["ingest", str(folder / "m.db"), str(folder / words[0]), *words[1:]])


def test_new_and_known_facts_are_counted_and_the_columns_named(folder: Path) -> None:
    first = ingest(folder, "a.csv")
    assert "2 facts from 3 lines: 2 new, 0 known" in first.output and "subject = 'source'" in first.output
    assert "0 new, 2 known" in ingest(folder, "a.csv").output
    done = json.loads(ingest(folder, "a.csv", "--json").stdout)
    assert (done["facts"], done["new"], done["known"], done["rejects"]) == (2, 0, 2, [])


def test_a_head_line_that_is_not_known_is_refused_until_the_columns_are_given(folder: Path) -> None:
    for mode in ("rollback", "skip"):
        refused = ingest(folder, "b.csv", "--on-error", mode)
        assert refused.exit_code == 1 and "--columns" in refused.output
    done = ingest(folder, "b.csv", "--columns", "subject=Name,relation=Job,object=Town")
    assert done.exit_code == 0 and "2 new" in done.output
    wrong = ingest(folder, "b.csv", "--columns", "subject=Nobody,object=Town")
    assert wrong.exit_code == 1 and "Nobody" in wrong.output


def test_rejects_are_listed_by_line_and_counted(folder: Path) -> None:
    done = ingest(folder, "bad.tsv", "--on-error", "skip")
    assert done.exit_code == 0 and "line 2: 1 columns, 3 expected" in done.output
    assert "30 lines could not be read" in done.output and "line 25:" not in done.output
    assert ingest(folder, "bad.tsv").exit_code == 1


def test_a_bad_file_is_an_error_of_one_line(folder: Path) -> None:
    (folder / "x.rdf").write_bytes(b"\xff\xfe\x00")
    for name in ("x.rdf", "m.db"):
        done = ingest(folder, name, "--format", "rdfxml")
        assert done.exit_code in (1, 2) and "Traceback" not in done.output


def test_a_backup_replaces_a_file_only_when_forced(path: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.db")
    assert run("backup", path, copy).strip() == copy
    assert "give --force" in run("backup", path, copy, code=1)
    run("add", path, "Eve", "likes", "Rum")
    run("backup", path, copy, "--force")
    assert "Eve" in run("show", copy)
    assert "give --force" in run("restore", copy, path, code=1)
    run("restore", copy, path, "--force")
