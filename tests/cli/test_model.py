"""Asking and pictures: what they print, and the files that they may write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphmem.memory import GraphMemory


@pytest.fixture
def run(run_with_base: Any) -> Any:
    """Runs a command line in an empty folder."""
    return run_with_base


def test_pictures_and_explanations_keep_what_is_there(run: Any) -> None:
    run("add", "m.db", "Ada", "born in", "London")
    before = Path("m.db").read_bytes()
    Path("link.html").symlink_to("m.db")
    Path("mine.html").write_text("<!doctype html>mine")
    for target in ("m.db", "./m.db", "link.html", "m.db-wal"):
        for more in ((), ("--force",)):
            run("picture", "m.db", "Ada", "-o", target, *more, code=1)
            run("ask", "m.db", "Where was Ada born?", "--explain-picture", target, *more, code=1)
    assert "--force" in run("picture", "m.db", "Ada", "-o", "mine.html", code=1).output
    assert "--force" in run("ask", "m.db", "Where was Ada born?", "--explain-picture", "mine.html", code=1).output
    assert Path("mine.html").read_text().endswith("mine") and Path("m.db").read_bytes() == before
    run("picture", "m.db", "Ada", "-o", "mine.html", "--force")
    assert "London" in Path("mine.html").read_text()
    with GraphMemory.open("m.db") as memory:
        assert len(memory.facts()) == 1


def test_a_demonstration_replaces_nothing_unasked(run: Any) -> None:
    run("add", "demo.db", "Ada", "born in", "London")
    for there in ("demo.db", "demo.html"):
        Path(there).touch()
        assert "--force" in run("demo", "--quick", code=1).output
        Path("demo.db").rename("kept.db") if there == "demo.db" else None
    with GraphMemory.open("kept.db") as memory:
        assert len(memory.facts()) == 1
