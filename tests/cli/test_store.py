"""Commands that rewrite the history: compact and erase."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

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
