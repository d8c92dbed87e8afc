"""The examples run on a user's own file, whatever it holds."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from graphmem.memory import GraphMemory

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def inspect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs ``inspect_memory.py`` with arguments; returns what it prints."""

    def call(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["inspect_memory.py", *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / "inspect_memory.py"), run_name="__main__")
        return capsys.readouterr().out

    return call


def test_a_foreign_memory_is_inspected_and_not_changed(tmp_path: Path, inspect) -> None:
    with GraphMemory.open(tmp_path / "pets.db") as memory:
        memory.add("Rex", "eats", "kibble")
    before = (tmp_path / "pets.db").read_bytes()
    printed = inspect(tmp_path / "pets.db")
    assert "Tell me about Rex." in printed and "history of Rex:" in printed and "+ Rex | eats | kibble" in printed
    assert (tmp_path / "pets.db").read_bytes() == before


def test_a_memory_of_documents_only_is_inspected(tmp_path: Path, inspect, encoder) -> None:
    with GraphMemory.open(tmp_path / "docs.db", encoder=encoder) as memory:
        memory.add_passages([("Canteen", "Lunch is served from twelve to two.")], encode=False)
    printed = inspect(tmp_path / "docs.db")
    assert "Tell me about Canteen." in printed and "[Canteen] Lunch" in printed


def test_facts_of_another_namespace_are_named_and_inspected(tmp_path: Path, inspect) -> None:
    with GraphMemory.open(tmp_path / "m.db", namespace="work") as memory:
        memory.add("Rex", "eats", "kibble")
    with pytest.raises(SystemExit, match="no facts in the namespace 'default'; it has: work"):
        inspect(tmp_path / "m.db")
    assert "Tell me about Rex." in inspect(tmp_path / "m.db", "work")


@pytest.mark.parametrize(
    ("content", "says"), [(None, "there is no file"), ("words " * 999, "Error: "), ("", "Error: |no facts")]
)
def test_a_file_that_is_no_memory_is_reported(tmp_path: Path, inspect, content: str | None, says: str) -> None:
    path = tmp_path / "notes.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit, match=says):
        inspect(path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"] * (content is not None)


def test_an_empty_memory_is_reported(tmp_path: Path, inspect) -> None:
    with GraphMemory.open(tmp_path / "empty.db"):
        pass
    with pytest.raises(SystemExit, match="no facts"):
        inspect(tmp_path / "empty.db")


def test_control_characters_of_a_foreign_memory_do_not_reach_the_terminal(tmp_path: Path, inspect) -> None:
    with GraphMemory.open(tmp_path / "m.db") as memory:
        memory.add("\x1b[31mRex\u202e", "eats", "\x1b]0;kibble\x07", source="\x1b[2J")
    printed = inspect(tmp_path / "m.db")
    assert "Tell me about \\x1b[31mRex\\u202e." in printed and "\\x1b]0;kibble" in printed
    assert not {"\x1b", "\u202e", "\x07"} & set(printed)
