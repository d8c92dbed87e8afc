from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click import Context
from click.testing import CliRunner, Result

from graphmem.cli.main import main


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*args: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, args)
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def filled(run):
    run("add", "m.db", "Ada Lovelace", "born in", "London", "--source", "wiki:42")
    run("add", "m.db", "Ada Lovelace", "lives in", "London", "--valid-from", "1820")
    return run


def test_init_add_show(filled) -> None:
    filled("init", "other.db")
    assert "Ada Lovelace | born in | London  (wiki:42)" in filled("show", "m.db", "ada lovelace").output
    facts = json.loads(filled("show", "m.db", "London", "--json").output)
    assert {fact["relation"] for fact in facts} == {"born in", "lives in"}


def test_replace_ends_the_current_fact(filled) -> None:
    filled("add", "m.db", "Ada Lovelace", "lives in", "Surrey", "--valid-from", "1843", "--replace")
    assert "Surrey" in filled("show", "m.db", "Ada Lovelace", "--relation", "lives in").output
    assert "Surrey" not in filled("show", "m.db", "Ada Lovelace", "--as-of", "1830").output
    assert "1843" in filled("show", "m.db", "--as-of", "1830").output


def test_history_undo_redo(filled) -> None:
    assert "2 entries" in filled("history", "m.db").output
    filled("undo", "m.db")
    assert "lives in" not in filled("show", "m.db").output
    filled("redo", "m.db")
    assert "lives in" in filled("show", "m.db").output
    assert json.loads(filled("history", "m.db", "London", "--json").output)[0]["action"] == "add"


def test_a_fact_is_pinned_and_let_go(filled) -> None:
    assert filled("pin", "m.db", "1").output == "1\tAda Lovelace | born in | London  (wiki:42)  pinned\n"
    assert "pinned" in filled("show", "m.db").output and "not pinned → pinned" in filled("history", "m.db").output
    assert "pinned" not in filled("unpin", "m.db", "1").output and "pinned" not in filled("show", "m.db").output
    assert "99" in filled("pin", "m.db", "99", code=1).output
    assert json.loads(filled("pin", "m.db", "1", "--json").output)["action"] == "pin"


def test_stats_as_text_and_json(filled) -> None:
    assert json.loads(filled("stats", "m.db", "--json").output)["facts"] == 2
    assert "facts" in filled("stats", "m.db").output


def test_search_without_a_model_of_any_kind(filled) -> None:
    found = json.loads(filled("search", "m.db", "London", "--ranker", "ppr", "--json").output)
    assert found["nodes"][0]["name"] == "Ada Lovelace"


@pytest.mark.parametrize("name", ["-5", "-3.5e4", "-.5", "- 5", "−7", "-¿?", "-1-k"])
def test_a_name_may_look_like_a_negative_number(run, name: str) -> None:
    run("add", "m.db", name, "equals", name + "0", "--source", "-1")
    assert f"{name} | equals | {name}0" in run("show", "m.db", name).output


def test_an_unknown_option_is_told_how_a_name_is_given(run) -> None:
    assert "goes after `--`" in run("add", "m.db", "-x", "is", "y", code=2).output
    assert "--source" in run("add", "m.db", "x", "--sorce", "y", "z", code=2).output
    assert "-x | is | y" in run("add", "m.db", "--", "-x", "is", "y").output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("show", "missing.db"), "graphmem init missing.db"),
        (("show", "m.db", "Charles"), "no node named 'Charles'"),
        (("add", "m.db", " ", "r", "o"), "empty"),
        (("add", "m.db", "s", "r", "o", "--valid-from", "soon"), "soon"),
        (("undo", "m.db", "99"), "99"),
    ],
)
def test_errors_say_what_is_wrong_and_exit_with_one(filled, args: tuple[str, ...], says: str) -> None:
    assert says in filled(*args, code=1).output


def test_a_file_that_is_no_memory(run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("words " * 500)
    assert "Error" in run("stats", "notes.txt", code=1).output


def test_wrong_usage_exits_with_two(filled) -> None:
    filled("search", "m.db", "x", "--ranker", "magic", code=2)
    filled("read", "m.db", code=2)
    filled("add", "new.db", "a", "r", "b", "--replace", "--valid-to", "2000", code=2)
    assert not Path("new.db").exists()


def test_every_command_has_help(run) -> None:
    for name in main.list_commands(Context(main)):
        what = {"train": ["retriever"], "experiment": ["reason"]}.get(name, [])
        assert len(run(name, *what, "--help").output) > 40


def test_consolidate_says_what_it_did(filled) -> None:
    filled("add", "m.db", "Ada-Lovelace", "knows", "Charles")
    output = filled("consolidate", "m.db", "--half-life", "10", "--at", "2100-01-01", "--capacity", "2").output
    assert output.startswith("1 merged, 0 promoted, 0 strengthened,") and "1 archived" in output
    again = json.loads(filled("consolidate", "m.db", "--at", "2100-01-01", "--capacity", "2", "--json").output)
    assert "entry" not in again
    refused = filled("consolidate", "m.db", "--half-life", "0", code=1).output
    assert refused.startswith("Error: --half-life must be")  # the option as it was given, not a field of a class


def test_errors_speak_of_commands_not_of_calls(filled) -> None:
    filled("undo", "m.db", "2")
    assert "`graphmem redo FILE 2`" in filled("undo", "m.db", "2", code=1).output


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_write_protected_memory_can_be_looked_at(filled, tmp_path: Path) -> None:
    (tmp_path / "m.db").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert "Ada Lovelace | born in | London" in filled("show", "m.db").output
        assert "2 entries" in filled("history", "m.db").output
        assert "read_only" not in filled("add", "m.db", "a", "b", "c", code=1).output
    finally:
        tmp_path.chmod(0o755)


def test_an_error_of_the_system_is_one_line(filled, tmp_path: Path) -> None:
    long = "x" * 300
    assert filled("export", "m.db", f"{long}.jsonl", code=1).output.startswith("Error: ")
