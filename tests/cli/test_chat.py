"""Conversations through a pipe and at a terminal, with the shipped weights."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from graphmem.cli.main import main
from graphmem.hub import load_language_model
from graphmem.memory import GraphMemory

COMMAND = [sys.executable, "-c", "from graphmem.cli.main import main; main()", "chat"]


@pytest.fixture(scope="module")
def parts() -> Any:
    return load_language_model()


@pytest.fixture
def chat(parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a conversation, with the base loaded once; returns its result."""
    monkeypatch.setattr("graphmem.hub.load_language_model", lambda name=None: parts)

    def run(*lines: str, options: tuple[str, ...] = ()) -> Result:
        text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        result = CliRunner().invoke(main, ["chat", str(tmp_path / "m.db"), *options], input=text)
        assert result.exit_code == 0, result.output
        return result

    return run


def test_what_was_written_is_listed_explained_and_undone(chat: Any, tmp_path: Path) -> None:
    said = chat("Kalle Berg lives in Turku.", "Where does Kalle Berg live?", "/why", "/facts", "/undo", "/facts")
    lines = said.stdout.splitlines()
    assert lines[0].startswith("(add    Kalle Berg | lives in | Turku") and lines[0].endswith(" %)")
    assert lines[1:3] == ["Turku", "because Kalle Berg | lives in | Turku  (session:default)"]
    assert lines[3] == "because Kalle Berg lives in Turku.", "the turn itself"
    assert lines[4].startswith("probability that the memory holds the answer: ")
    assert lines[5] == "1\tKalle Berg | lives in | Turku  (session:default)"
    assert lines[-1] == "nothing was written in this conversation" and "- Kalle Berg | lives in | Turku" in said.stdout
    with GraphMemory.open(tmp_path / "m.db") as memory:
        assert memory.facts() == []


def test_answers_from_documents_and_unknown_ones_are_explained(chat: Any, tmp_path: Path) -> None:
    text = "The lighthouse of Vik was built by Per Dahl in 1871."
    with GraphMemory.open(tmp_path / "m.db") as memory:
        memory.add_passages([("Vik", f"{text} It is white.")])
    said = chat("Who built the lighthouse of Vik?", "/why").stdout.splitlines()
    assert "Per Dahl" in said[0] and said[1] == f"because Vik: {text}"
    unknown = chat("Where does Olav Moe live?", "/why", options=("--session", "another")).stdout.splitlines()
    assert unknown[-2] == "the memory does not say" and "made it up" not in "".join(said + unknown)


def test_a_line_that_is_no_utf_8_is_refused_alone(chat: Any, tmp_path: Path) -> None:
    said = chat("Andr\udce9 lives in Rome.", "/facts Andr\udce9", "Kalle Berg lives in Turku.")
    assert said.stderr.count("it was not read") == 2 and "(add    Kalle Berg | lives in | Turku" in said.stdout
    with GraphMemory.open(tmp_path / "m.db") as memory:
        assert [str(fact) for fact in memory.facts()] == ["Kalle Berg | lives in | Turku"]


def test_a_fact_is_forgotten_by_its_number_in_a_later_call(chat: Any, tmp_path: Path) -> None:
    chat("Kalle Berg lives in Turku.")
    said = chat("/facts", "/facts Kalle Berg", "/forget x", "/forget 1", "/facts Kalle Berg", "/why")
    assert said.stdout.count("1\tKalle Berg | lives in | Turku") == 2
    assert "no facts about Kalle Berg" in said.stdout and "nothing was asked yet" in said.stdout
    assert "needs the number of a fact" in said.stderr
    with GraphMemory.open(tmp_path / "m.db") as memory:
        assert memory.facts() == []


def test_commands_are_listed_and_unknown_ones_are_not_read_as_text(chat: Any, tmp_path: Path) -> None:
    said = chat("/help", "/nope Kalle Berg lives in Turku.", "/undo", "", "/quit", "Ann lives in Oslo.")
    for command in ("/facts", "/why", "/undo", "/forget", "/name", "/help", "/quit"):
        assert command in said.stdout
    assert "there is no command /nope" in said.stderr and "left to undo" in said.stderr
    assert "> " not in said.stdout and "Ann" not in said.stdout
    with GraphMemory.open(tmp_path / "m.db") as memory:
        assert memory.facts() == []


def test_the_first_person_needs_a_speaker_and_is_never_somebody_else(chat: Any, tmp_path: Path) -> None:
    said = chat(
        "Kalle Berg lives in Turku.", "I live in Bergen.", "My name is Kim.", "/name Kim Lund", "I live in Oslo."
    )
    assert "no --speaker is given" in said.stderr
    assert said.stdout.count("/name NAME") == 1  # said once
    with GraphMemory.open(tmp_path / "m.db") as memory:
        assert {str(fact) for fact in memory.facts()} == {"Kalle Berg | lives in | Turku", "Kim Lund | lives in | Oslo"}
    again = chat("I work for Nokia.")  # the name is remembered with the conversation
    assert "no --speaker" not in again.stderr and "Kim Lund |" in again.stdout
    assert "no --speaker" in chat("/help", options=("--session", "another")).stderr


def test_json_lines_hold_commands_too(chat: Any) -> None:
    said = chat("Kalle Berg lives in Turku.", "/facts", options=("--json",)).stdout.splitlines()
    turns = [json.loads(line) for line in said]
    assert [turn["turn"] for turn in turns] == ["Kalle Berg lives in Turku.", "/facts"]
    assert turns[0]["decisions"] and turns[1]["answer"].startswith("1\tKalle Berg")


@contextmanager
def terminal(db: Path) -> Iterator[Any]:
    """A conversation at a pseudo-terminal: the process, a function that waits for a text, one that types."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, str(db)], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test in the background ignores it
    )  # fmt: skip
    os.close(theirs)
    seen = [""]

    def until(text: str) -> str:
        while text not in seen[0]:
            assert select.select([ours], [], [], 240)[0], f"{text!r} did not come after {seen[0]!r}"
            seen[0] += os.read(ours, 4096).decode(errors="replace")
        before, _, seen[0] = seen[0].partition(text)
        return before + text

    try:
        yield child, until, lambda text: os.write(ours, text.encode())
    finally:
        child.kill()
        child.wait()
        os.close(ours)


@contextmanager
def interrupting(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGINT until the end: one that comes between the prompt and the read is seen with the next line alone."""
    done = threading.Event()

    def interrupt() -> None:
        child.send_signal(signal.SIGINT)
        while not done.wait(20):
            child.send_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.slow
def test_a_terminal_has_a_prompt_and_asks_for_the_name_once(tmp_path: Path) -> None:
    with terminal(tmp_path / "m.db") as (child, until, send):
        until("Your name")
        send("Kim Lund\n")
        until("> ")
        send("I live in Oslo.\n")
        until("(add    Kim Lund | lives in | Oslo")
        until("> ")
        send("\x04")
        assert child.wait(timeout=120) == 0
    with terminal(tmp_path / "m.db") as (child, until, _):
        assert "Your name" not in until("> ")
        with interrupting(child):
            assert "Traceback" not in until("Interrupted; finished transactions are kept.")
        assert child.wait(timeout=120) == 130
