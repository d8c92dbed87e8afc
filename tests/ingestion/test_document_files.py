from __future__ import annotations

import gzip
import json

import pytest
from click.testing import CliRunner

from graphmem.cli.main import main
from graphmem.core.errors import InvalidValue
from graphmem.ingestion.document_files import read_documents


def test_json_lines_and_plain_text(tmp_path) -> None:
    lines = "\n".join(json.dumps(row) for row in ({"title": "A", "text": "One."}, {"text": "Two."})) + "\n\n"
    with gzip.open(tmp_path / "docs.jsonl.gz", "wt") as file:
        file.write(lines)
    assert list(read_documents(tmp_path / "docs.jsonl.gz")) == [("A", "One."), ("", "Two.")]
    (tmp_path / "Graz.txt").write_text("Graz is a city.")
    assert list(read_documents(tmp_path / "Graz.txt")) == [("Graz", "Graz is a city.")]


@pytest.mark.parametrize("line", ["{", "[]", '{"title": "A"}', '{"title": 3, "text": "x"}', '{"text": " "}'])
def test_a_bad_line_is_named(tmp_path, line: str) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text('{"text": "fine"}\n' + line)
    with pytest.raises(InvalidValue, match="line 2"):
        list(read_documents(path))


def test_bytes_that_are_no_text(tmp_path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidValue, match="cannot read"):
        list(read_documents(tmp_path / "x.txt"))


def test_command_adds_and_search_shows(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Graz.txt").write_text("Graz is a city of Austria.")
    run = CliRunner()
    added = run.invoke(main, ["add-passages", "m.db", "Graz.txt", "--json"])
    assert added.exit_code == 0, added.output
    assert json.loads(added.stdout) == {"documents": 1, "passages": 1, "words": 6}
    assert "[Graz] Graz is a city of Austria." in run.invoke(main, ["search", "m.db", "Where is Graz?"]).output
    found = json.loads(run.invoke(main, ["search", "m.db", "Where is Graz?", "--json"]).output)
    assert found["passages"][0]["title"] == "Graz"
    (tmp_path / "bad.jsonl").write_text("{")
    failed = run.invoke(main, ["add-passages", "m.db", "bad.jsonl"])
    assert failed.exit_code == 1 and "line 1" in failed.output
