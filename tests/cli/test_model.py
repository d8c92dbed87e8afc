"""Reading, asking and pictures: what they print, and the files that they may write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphmem.memory import GraphMemory


@pytest.fixture
def run(run_with_base: Any) -> Any:
    """Runs a command line in an empty folder."""
    return run_with_base


TEXT = "Tove Jansson was born in Helsinki. In 1843 Ada Lovelace moved to Surrey."


def test_read_shows_a_checklist(run: Any) -> None:
    run("add", "m.db", "Tove Jansson", "born in", "Helsinki", "--source", "notes")
    lines = run("read", "m.db", TEXT + " The heron slept.").stdout.splitlines()
    moved = next(line for line in lines if "Surrey" in line)
    assert moved.startswith("[") and "add " in moved and "[1843" in moved and moved.endswith(" %")
    assert not any("skip " in line for line in lines) and "gate 0" not in "".join(lines)
    assert any("skipped:" in line and "known already" in line for line in lines)
    assert lines[lines.index("not understood:") + 1].strip() == "The heron slept."
    assert lines[-1] == "nothing is written yet; write it with --apply"
    every = run("read", "m.db", TEXT, "--all").stdout.splitlines()
    assert any(line.strip().startswith("skip") and "(known already)" in line for line in every)
    assert "sure from 90 %" in " ".join(run("read", "--help").stdout.split())


def test_what_is_read_is_in_the_history_with_its_text(run: Any) -> None:
    run("read", "m.db", "x", code=1)  # there is no memory
    run("init", "m.db")
    (Path("diary.txt")).write_text("Tove Jansson was born in Helsinki.")
    assert "written as journal entry 1" in run("read", "m.db", "--file", "diary.txt", "--apply").stdout
    history = run("history", "m.db").stdout
    assert "read\tTove Jansson was born in Helsinki." in history
    assert "+ Tove Jansson | born in | Helsinki  (diary.txt)" in history
    rain = run("read", "m.db", "It rains.").stdout
    assert "not understood:\n    It rains." in rain and "[" not in rain


def test_the_percentage_is_the_confidence_in_the_fact(run: Any) -> None:
    run("init", "m.db")
    plan = json.loads(run("read", "m.db", TEXT, "--json").stdout)
    printed = run("read", "m.db", TEXT).stdout
    facts = [*plan["facts"], *plan["proposed"]]
    assert facts and plan["entry"] is None
    for fact in facts:
        name = f"{fact['subject']} | {fact['relation']} | {fact['object']}"
        line = next(line for line in printed.splitlines() if name in line)
        assert line.endswith(f"{100 * fact['confidence']:.0f} %")


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
