"""``graphmem explain``: its lines, its JSON, and the picture that it draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphmem.cli.explain import chains, item_lines, lines_of_answer
from graphmem.core.types import Fact
from graphmem.generation.attribution import Answer, ExplainedItem, Explanation, Quote

FACTS = (
    '{"subject": "Maeve", "relation": "mother", "object": "Gisela", "source": "tree"}\n'
    '{"subject": "Conor", "relation": "mother", "object": "Gisela"}\n'
    '{"subject": "Gisela", "relation": "lives in", "object": "Kendal", "valid_from": "1990"}\n'
)


@pytest.fixture
def run(run_with_base: Any) -> Any:
    """Runs a command line in a folder with a memory."""
    Path("facts.jsonl").write_text(FACTS)
    run_with_base("init", "m.db")
    run_with_base("ingest", "m.db", "facts.jsonl")
    return run_with_base


QUESTION = "How many children does Gisela have as their mother?"


def test_a_count_is_explained_by_its_set_and_each_member(run: Any) -> None:
    lines = run("explain", "m.db", QUESTION, "-o", "why.html").stdout.splitlines()
    assert lines[0].startswith("answer     2: ") and lines[1] == "asked      how many there are (count)"
    assert lines[2].startswith("time       now, ") and lines[3] == "set        ? | mother | Gisela"
    members = "\n".join(lines[4:])
    assert "Maeve —mother→ Gisela [" in members and members.count("Maeve") == members.count("Conor") == 1
    assert lines[-1].startswith("sources ") and "tree" in lines[-1]
    page = Path("why.html").read_text(encoding="utf-8")
    assert "operation: count" in page and "set: ? | mother | Gisela" in page
    assert page.count("<title>Gisela</title>") == 1  # each name is drawn once


def test_json_holds_operation_time_steps_and_members(run: Any) -> None:
    explained = json.loads(run("explain", "m.db", QUESTION, "--json").stdout)["explanation"]
    assert (explained["operation"], explained["complete"], explained["count"]) == ("count", True, 2)
    assert explained["steps"] == ["? | mother | Gisela"] and explained["time"].startswith("now, ")
    assert {member["text"] for member in explained["members"]} == {"Maeve", "Conor"}
    assert {member["evidence"][0]["object"] for member in explained["members"]} == {"Gisela"}
    asked = json.loads(run("ask", "m.db", QUESTION, "--json").stdout)
    assert asked["explanation"]["steps"] == explained["steps"]


def test_a_lookup_shows_the_chain_and_the_time(run: Any) -> None:
    lines = run("explain", "m.db", "Where does Gisela live?", "--at", "2020-05-01").stdout.splitlines()
    assert lines[1].endswith("(lookup)") and lines[2] == "time       now, 1 May 2020"
    assert next(line for line in lines if line.startswith("because")).endswith("since 1990]")
    assert any("Gisela —lives in→ Kendal" in line for line in lines)


def test_no_file_is_replaced_unasked(run: Any) -> None:
    Path("mine.html").write_text("mine")
    assert "--force" in run("explain", "m.db", QUESTION, "-o", "mine.html", code=1).output
    run("explain", "m.db", QUESTION, "-o", "m.db", "--force", code=1)
    run("explain", "no.db", QUESTION, code=1)
    assert Path("mine.html").read_text() == "mine" and not Path("no.db").exists()


def fact(subject: str, relation: str, object: str, number: int, **more: Any) -> Fact:
    return Fact(subject, relation, object, id=number, **more)


def test_chains_name_each_middle_once_and_read_forward() -> None:
    mother, father, trade = fact("A", "mother", "B", 1), fact("B", "father", "C", 2), fact("C", "trade", "D", 3)
    assert chains("D", [trade, father, mother]) == ["A —mother→ B [1] —father→ C [2] —trade→ D [3]"]
    assert chains("A", [mother, fact("A", "lives in", "Bonn", 4, valid_to="2001")]) == [
        "A —mother→ B [1]",
        "A —lives in→ Bonn [4, until 2001]",
    ]
    assert chains("C", [fact("C", "part of", "B", 5), fact("A", "mother", "B", 1)]) == [
        "C —part of→ B [5] ←mother— A [1]"
    ]
    assert chains("X", [mother, mother]) == ["A —mother→ B [1]"] and chains("X", []) == []


def test_circular_facts_end() -> None:
    circle = [fact("A", "r", "B", 1), fact("B", "r", "A", 2), fact("A", "r", "A", 3)]
    lines = chains("A", circle)
    assert sum(line.count("[") for line in lines) == 3


def test_an_item_names_itself_once() -> None:
    both = ExplainedItem("A", "3 m", (fact("A", "mother", "B", 1), fact("A", "height", "3 m", 2)))
    assert list(item_lines(both)) == ["A —mother→ B [1]", "  —height→ 3 m [2]"]
    quoted = ExplainedItem("Per Dahl", evidence=(Quote("Built by\x1b Per Dahl.", "Vik", 1, 9, 17, "2024"),))
    assert list(item_lines(quoted)) == ["Per Dahl", "  Vik (2024): Built by\\x1b Per Dahl."]
    assert list(item_lines(ExplainedItem("badger", "128 GB"))) == ["badger: 128 GB"]


def test_what_is_cut_is_said() -> None:
    items = tuple(ExplainedItem(f"P{at}") for at in range(30))
    explained = Explanation("list", "now", ("? is one of people",), items, (), 100_000, False, "Who else is there?")
    answer = Answer("P0, and more", (), (), None, 0, 0.0, 0.9, explanation=explained)
    lines = list(lines_of_answer(answer, 20))
    assert "           and 99,980 more; all: --all" in lines and lines[1] == "read as    Who else is there?"
    assert lines[-1].endswith("only a part of the facts was looked at")
    assert "           and 99,970 more" in list(lines_of_answer(answer, None))


def test_a_question_back_has_no_explanation() -> None:
    answer = Answer("Ann may mean A or B; say which one.", (), (), None, 0, 0.0, 0.0, status="ambiguous")
    assert list(lines_of_answer(answer)) == ["answer     Ann may mean A or B; say which one.  (ambiguous)"]
