"""Files: converted, cut into parts, read, passed over when they come again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.core.errors import InvalidTime, InvalidValue
from graphmem.core.types import Fact
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.writing import files
from graphmem.writing.files import read_files, split


class Lines:
    """Reads lines such as "A > relation > B", and counts the texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def extract(self, text: str, at: object = None) -> list[Fact]:
        self.texts.append(text)
        return [Fact(*line.split(" > "), text=line) for line in text.splitlines() if line.count(" > ") == 2]


@pytest.fixture(scope="module")
def encoder() -> Any:
    return load_encoder()


@pytest.fixture
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder, evidence=False) as opened:
        yield opened


def read(memory: GraphMemory, *paths: Path, **options: Any) -> list[files.FileRead]:
    return list(read_files(SimpleNamespace(memory=memory), list(paths), apply=True, **options))


def written(folder: Path, name: str, text: str) -> Path:
    (path := folder / name).write_text(text)
    return path


def test_files_are_read_with_source_and_title(memory: GraphMemory, tmp_path: Path) -> None:
    notes = written(tmp_path, "notes.txt", "Ann > lives in > Oslo, in the north of the country and by the sea")
    rows = '{"title": "A", "text": "Bo > likes > tea of the strong kind, every day", "date": "2020-05-01"}\n'
    lines = written(tmp_path, "docs.jsonl", rows)
    page = written(tmp_path, "page.html", "<title>T</title><p>Cy &gt; likes &gt; milk of the plain kind, every day</p>")
    found = read(memory, notes, lines, page, extractor=Lines())
    assert [one.title for one in found] == ["notes", "A", "T"]
    assert [(f.subject, f.source) for f in memory.facts()] == [
        ("Ann", str(notes)), ("Bo", str(lines)), ("Cy", str(page)),
    ]  # fmt: skip
    assert memory.facts("Bo")[0].valid_from == "2020-05-01"
    assert len(memory.store.passage_ids()) == 3
    assert len(memory.journal()) == 3


def test_a_run_is_resumed_by_repeating_it(memory: GraphMemory, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(files, "MAX_PART", 100)
    text = "\n\n".join(f"Ann {n} > lives in > Town {n} " + "of the far north " * 3 for n in range(3))
    path, reader = written(tmp_path, "long.txt", text), Lines()
    stream = read_files(SimpleNamespace(memory=memory), [path], apply=True, extractor=reader)
    assert (next(stream).part, next(stream).parts) == (1, 3)
    stream.close()  # stopped
    reader.texts.clear()
    again = read(memory, path, extractor=reader)
    assert [one.plan is None for one in again] == [True, True, False]
    assert len(reader.texts) == 1 and len(memory.facts()) == 3
    assert [one.plan is None for one in read(memory, path, extractor=reader, reread=True)] == [False] * 3


def test_a_file_that_cannot_be_read_stops_no_other(memory: GraphMemory, tmp_path: Path) -> None:
    broken = written(tmp_path, "broken.pdf", "nothing")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    good = written(tmp_path, "good.txt", "Ann > lives in > Oslo, in the north of the country and by the sea")
    found = read(memory, broken, tmp_path / "latin.txt", tmp_path / "none.txt", good, extractor=Lines())
    assert [type(one.error) for one in found] == [InvalidValue] * 3 + [type(None)]
    assert "no readable PDF" in str(found[0].error) and len(memory.facts()) == 1


def test_a_bad_time_is_reported_for_each_file(memory: GraphMemory, tmp_path: Path) -> None:
    (one,) = read(memory, written(tmp_path, "a.txt", "Ann > likes > tea"), at="no day", extractor=Lines())
    assert isinstance(one.error, InvalidTime) and memory.journal() == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("aaa\n\nbbb", ["aaa\n\nbbb"]),
        ("a" * 8 + "\n\n" + "b" * 8, ["a" * 8 + "\n", "\n" + "b" * 8]),
        ("a" * 8 + " " + "b" * 8, ["a" * 8 + " ", "b" * 8]),
        ("a" * 25, ["a" * 10, "a" * 10, "a" * 5]),
        (" \n" * 30, []),
    ],
)
def test_parts_end_between_paragraphs(monkeypatch: Any, text: str, parts: list[str]) -> None:
    monkeypatch.setattr(files, "MAX_PART", 10)
    assert split(text) == parts
    assert all(len(part) <= 10 for part in split(text))
