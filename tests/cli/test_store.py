"""The commands that ingest: what they say about a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphmem.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("source,relation,target\nAda,likes,Tea\nBob,likes,Rum\n")
    (tmp_path / "b.csv").write_text("Name,Job,Town\nAnn,Nurse,Oslo\nBo,Clerk,Rome\n")
    (tmp_path / "bad.tsv").write_text("Ada\tlikes\tTea\n" + "one cell\n" * 30)
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["ingest", str(folder / "m.db"), str(folder / words[0]), *words[1:]])


def test_new_and_known_facts_are_counted_and_the_columns_named(folder: Path) -> None:
    first = run(folder, "a.csv")
    assert "2 facts from 3 lines: 2 new, 0 known" in first.output and "subject = 'source'" in first.output
    assert "0 new, 2 known" in run(folder, "a.csv").output
    done = json.loads(run(folder, "a.csv", "--json").stdout)
    assert (done["facts"], done["new"], done["known"], done["rejects"]) == (2, 0, 2, [])


def test_a_head_line_that_is_not_known_is_refused_until_the_columns_are_given(folder: Path) -> None:
    for mode in ("rollback", "skip"):
        refused = run(folder, "b.csv", "--on-error", mode)
        assert refused.exit_code == 1 and "--columns" in refused.output
    done = run(folder, "b.csv", "--columns", "subject=Name,relation=Job,object=Town")
    assert done.exit_code == 0 and "2 new" in done.output
    wrong = run(folder, "b.csv", "--columns", "subject=Nobody,object=Town")
    assert wrong.exit_code == 1 and "Nobody" in wrong.output


def test_rejects_are_listed_by_line_and_counted(folder: Path) -> None:
    done = run(folder, "bad.tsv", "--on-error", "skip")
    assert done.exit_code == 0 and "line 2: 1 columns, 3 expected" in done.output
    assert "30 lines could not be read" in done.output and "line 25:" not in done.output
    assert run(folder, "bad.tsv").exit_code == 1


def test_a_bad_file_is_an_error_of_one_line(folder: Path) -> None:
    (folder / "x.rdf").write_bytes(b"\xff\xfe\x00")
    for name in ("x.rdf", "m.db"):
        done = run(folder, name, "--format", "rdfxml")
        assert done.exit_code in (1, 2) and "Traceback" not in done.output
