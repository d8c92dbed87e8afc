"""Reading at the command line: checklists, files, offers ticked by a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from graphmem.cli.main import main
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
    assert "not understood:\n    It rains.\n[x] keep" in rain and rain.count("[") == 1


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


FIELDS = "# Brackwater Mill\n\nOwner: Jane Doe\nOpened: 1987\n"


def objects() -> list[str]:
    with GraphMemory.open("m.db", read_only=True) as memory:
        return sorted(fact.object for fact in memory.facts())


def test_files_are_read_one_after_another_and_resumed(run: Any) -> None:
    run("init", "m.db")
    Path("mill.md").write_text(FIELDS)
    Path("farm.txt").write_text("Kettle Farm\nVet: Dr Hay\nTown: Norvik\nOpened: in the spring of 1901\n")
    printed = run("read", "m.db", "mill.md", "farm.txt", "--apply").stdout
    assert printed.index("mill.md") < printed.index("Jane Doe") < printed.index("farm.txt") < printed.index("Dr Hay")
    assert objects() == ["1987", "Dr Hay", "Jane Doe", "Norvik", "in the spring of 1901"]
    again = run("read", "m.db", "mill.md", "farm.txt", "--apply").stdout
    assert again.splitlines() == ["mill.md: read before", "farm.txt: read before"]
    found = json.loads(run("read", "m.db", "mill.md", "--again", "--json").stdout)
    assert [row["file"] for row in found] == ["mill.md"] and len(found[0]["facts"]) == 2


def test_a_file_that_cannot_be_read_is_named_at_the_end(run: Any) -> None:
    run("init", "m.db")
    Path("bad.pdf").write_bytes(b"nothing")
    Path("mill.md").write_text(FIELDS)
    result = run("read", "m.db", "bad.pdf", "mill.md", "--apply", code=1)
    assert "bad.pdf is no readable PDF" in result.stderr and len(objects()) == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "give TEXT, or FILEs"),
        (("no.md",), "there is no file no.md"),
        (("one text", "another text"), "either one TEXT"),
        (("text", "--interactive", "--json"), "leave out --json"),
    ],
)
def test_what_is_to_be_read_must_be_clear(run: Any, args: tuple[str, ...], words: str) -> None:
    run("init", "m.db")
    assert words in run("read", "m.db", *args, code=2).output


OFFERS = "Rumour has it that Ann Berg lives in Rome. Rumour has it that Bo Lind was born in Paris."


@pytest.mark.parametrize(
    ("answers", "accepted"), [("n\nn\n", 0), ("y\nn\n", 1), ("a\n", 2), ("q\n", 0), ("what\ny\nq\n", 1)]
)
def test_a_person_ticks_offers(run: Any, answers: str, accepted: int) -> None:
    run("init", "m.db")
    result = CliRunner().invoke(main, ["read", "m.db", OFFERS, "--interactive"], input=answers)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("write it?") >= 1
    with GraphMemory.open("m.db", read_only=True) as memory:
        kept = [fact for fact in memory.facts(history=True) if fact.factuality == "uncertain"]
        assert len(kept) == accepted and memory.facts() == []
        assert len(memory.store.passage_ids()) == 1


def test_a_text_is_left_out_where_that_is_asked_for(run: Any) -> None:
    run("init", "m.db")
    run("read", "m.db", OFFERS, "--apply", "--no-keep", "--at", "2020-05-01")
    with GraphMemory.open("m.db", read_only=True) as memory:
        assert len(memory.store.passage_ids()) == 0
