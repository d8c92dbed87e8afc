"""The examples run on a user's own file."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from graphmem.memory import GraphMemory

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_foreign_memory_is_inspected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with GraphMemory.open(tmp_path / "pets.db") as memory:
        memory.add("Rex", "eats", "kibble")
    monkeypatch.setattr("sys.argv", ["inspect_memory.py", str(tmp_path / "pets.db")])
    runpy.run_path(str(EXAMPLES / "inspect_memory.py"))
    printed = capsys.readouterr().out
    assert "Tell me about Rex." in printed and "history of Rex:" in printed


def test_an_empty_memory_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with GraphMemory.open(tmp_path / "empty.db"):
        pass
    monkeypatch.setattr("sys.argv", ["inspect_memory.py", str(tmp_path / "empty.db")])
    with pytest.raises(SystemExit, match="no facts"):
        runpy.run_path(str(EXAMPLES / "inspect_memory.py"))
