"""Show, search and history as a person reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from graphmem.cli.main import main
from graphmem.core.edits import AddEdge, AddNode
from graphmem.memory import GraphMemory

DOCUMENTS = [
    ("Canteen", "Lunch is served from twelve to two. Vegetarian dishes are marked green."),
    ("06_hr", "New staff are met on Monday at nine by Helena Brandt."),
    ("", "Parking is free on Sundays for visitors and staff of the works."),
]
FACTS = [
    ("Owen Fairley", "works at", "Tarnwick Instruments"), ("Owen Fairley", "lives in", "Cardiff"),
    ("Helena Brandt", "works at", "Tarnwick Instruments"), ("Mona Field", "founded", "Tarnwick Instruments"),
    ("Mona Field", "born in", "Leeds"), ("Tom Abara", "allergic to", "penicillin"),
]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*args: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, args)
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def company(run: Any, encoder: Any) -> Any:
    """A memory of facts and documents, with what conversations and readings keep beside them."""
    with GraphMemory.open("m.db", encoder=encoder) as memory:
        memory.add_many(FACTS, source="staff.tsv")
        memory.add_passages(DOCUMENTS, source="handbook")
        marks = [
            AddNode("session:tea #1: so", "episode", "so"),
            AddNode("session:tea", "session", attributes={"count": 1}),
        ]
        memory.store.apply(marks, action="session")
        memory.store.apply([AddNode("reading:00", "reading", aliases=("reading:11",))], action="read", note="so")
    return run


def test_show_counts_and_pages(run: Any) -> None:
    with GraphMemory.open("m.db") as memory:
        memory.add_many([(f"s{i // 2:03}", "r", f"o{i:03}") for i in range(312)])
    first = run("show", "m.db").stdout.splitlines()
    assert first[-1] == "showing 1-100 of 312 facts (page 1 of 4; next: --page 2, everything: --all)"
    last = run("show", "m.db", "--page", "4").stdout
    assert "s155 | r | o311" in last and last.splitlines()[-1] == "showing 301-312 of 312 facts (page 4 of 4)"
    shown = [
        line for page in "1234" for line in run("show", "m.db", "--page", page).stdout.splitlines() if "\t" in line
    ]
    every = [line for line in run("show", "m.db", "--all").stdout.splitlines() if "\t" in line]
    assert shown == every and len(set(shown)) == 312
    assert "there is no page 5: 312 facts make 4 of 100" in run("show", "m.db", "--page", "5", code=1).output
    cut = run("show", "m.db", "--limit", "2", "--json")
    assert len(json.loads(cut.stdout)) == 2 and "of 312 facts" in cut.stderr


def test_show_groups_facts_by_name(company: Any) -> None:
    company("add", "m.db", "Owen Fairley", "works at", "Severn Water")
    lines = company("show", "m.db").stdout.splitlines()
    at = lines.index("Owen Fairley")
    assert [line.partition(" | ")[2].split(" | ")[0] for line in lines[at + 1 : at + 4]] == ["works at"] * 2 + [
        "lives in"
    ]
    assert lines.count("Owen Fairley") == 1 and "7 facts" in lines


def test_show_says_who_names_a_node_and_its_other_names(company: Any) -> None:
    with GraphMemory.open("m.db") as memory:
        memory.add_alias("Tarnwick Instruments", "Tarnwick")
    shown = company("show", "m.db", "tarnwick").stdout
    assert "Tarnwick Instruments  (also: Tarnwick)" in shown and "Mona Field | founded" in shown and "3 facts" in shown


def test_documents_are_listed_by_title_and_their_bookkeeping_is_hidden(company: Any) -> None:
    shown = company("show", "m.db").stdout
    assert "6 facts" in shown and "3 documents: Canteen; 06_hr; Parking is free on Sundays for visitors and" in shown
    for command in (
        ("show",),
        ("show", "Canteen"),
        ("show", "Helena Brandt"),
        ("history",),
        ("search", "who eats lunch"),
    ):
        printed = company(command[0], "m.db", *command[1:]).stdout
        assert not any(word in printed for word in ("has passage", "passage mentions", "¶", "reading:", "session:"))
    counts = dict(line.split(maxsplit=1) for line in company("stats", "m.db").stdout.splitlines())
    assert (counts["facts"], counts["documents"], counts["passages"]) == ("6", "3", "3")
    assert "1 document: Canteen" in company("show", "m.db", "Canteen").stdout
    assert "mentioned in 1 document: 06_hr" in company("show", "m.db", "Helena Brandt").stdout
    assert "has passage" in company("show", "m.db", "--all").stdout
    assert len(json.loads(company("show", "m.db", "--json").stdout)) == 6
    assert "passage" not in company("show", "m.db", "--known-at", "2100").stdout


@pytest.mark.parametrize("name", [(), ("Owen Fairley",)])
def test_show_says_that_nothing_held_then(run: Any, name: tuple[str, ...]) -> None:
    run("add", "m.db", "Owen Fairley", "lives in", "Cardiff", "--valid-from", "2022")
    said = run("show", "m.db", *name, "--as-of", "2020").stdout
    assert said.startswith("nothing held at 2020") and said.endswith("(1 fact holds today)\n")
    assert "was recorded by 2020" in run("show", "m.db", *name, "--known-at", "2020").stdout
    run("init", "empty.db")
    assert run("show", "empty.db").stdout == "no facts yet\n"
    assert "no facts of the relation 'likes'" in run("show", "m.db", "--relation", "likes").stdout


def test_history_shows_text_facts_and_source(run: Any) -> None:
    run("add", "m.db", "Ann", "lives in", "Oslo", "--source", "a letter", "--valid-from", "1990")
    run("add", "m.db", "Ann", "lives in", "Bergen", "--valid-from", "2001", "--replace")
    with GraphMemory.open("m.db") as memory:
        memory.store.apply(
            [AddEdge("Bo", "likes", "tea", "Bo likes tea.", source="chat")], action="read", note="Bo likes tea."
        )
        memory.add("Bo", "likes", "tea")
        memory.merge("Ann", "Bo")
    run("undo", "m.db")
    printed = run("history", "m.db").stdout
    for line in (
        "+ Ann | lives in | Oslo  [1990 → now]  (a letter)",
        "~ Ann | lives in | Oslo: [1990 → now] → [1990 → 2001-01-01]  (a letter)",
        "+ Ann | lives in | Bergen  [2001 → now]",
        "read\tBo likes tea.",
        "+ Bo | likes | tea  (chat)",
        "= Bo | likes | tea  (said again)",
        "~ Ann | likes | tea: Bo | likes | tea → Ann | likes | tea",
        "~ Bo | likes | tea: Ann | likes | tea → Bo | likes | tea",
    ):  # fmt: skip
        assert line in printed
    assert printed.splitlines()[-1] == "6 entries" and "undo of entry 5" in printed and "(undone)" in printed
    assert "Oslo" not in run("history", "m.db", "Bo").stdout


def test_history_names_what_is_gone(run: Any) -> None:
    run("add", "m.db", "Ann", "lives in", "Oslo")
    run("add", "m.db", "Ann", "lives in", "Bergen", "--replace")
    run("undo", "m.db", "2")
    run("undo", "m.db", "1")
    printed = run("history", "m.db").stdout
    assert printed.count("Ann | lives in | Oslo") == 4 and printed.count("Ann | lives in | Bergen") == 2
    assert "node 1" not in printed and "fact 1" not in printed


def test_history_is_paged_and_long_entries_are_cut(run: Any) -> None:
    with GraphMemory.open("m.db") as memory:
        memory.apply([AddEdge("hub", "holds", f"thing {i}") for i in range(30)])
        for i in range(44):
            memory.add("a", "r", str(i))
        memory.add_many([(f"x{i}", "r", "y") for i in range(50)])
    assert run("history", "m.db").stdout.splitlines()[-1] == (
        "showing 1-20 of 46 entries (page 1 of 3; next: --page 2, everything: --all)"
    )
    last = run("history", "m.db", "--page", "3").stdout
    assert "… 20 more changes; all: --all" in last and last.count("hub | holds") == 10
    assert run("history", "m.db", "--all").stdout.count("hub | holds") == 30
    assert "x0 | r | y" in run("history", "m.db", "y").stdout and "… 47 more facts" in run("history", "m.db").stdout
    assert [entry["id"] for entry in json.loads(run("history", "m.db", "--json", "--limit", "2").stdout)] == [46, 45]


def test_a_plan_is_noted_by_its_text() -> None:
    from graphmem.writing.pipeline import WritePlan

    with GraphMemory.open(":memory:") as memory:
        plan = WritePlan("Bo  likes\ntea. " * 50, edits=(AddEdge("Bo", "likes", "tea"),))
        note = memory.apply(plan).note
        assert note.startswith("Bo likes tea. Bo") and len(note) <= 200
        assert memory.apply(plan, note="mine").note == "mine"


def test_search_shows_the_answer_without_noise(company: Any) -> None:
    lines = company("search", "m.db", "Where does Owen Fairley live?").stdout.splitlines()
    assert lines[0] == "Cardiff   ⟵ Owen Fairley | lives in | Cardiff"
    assert lines[-1].endswith("left out; all: --all)") and len(lines) <= 4
    assert not any("Leeds" in line for line in lines)
    every = company("search", "m.db", "Where does Owen Fairley live?", "--all").stdout
    assert "Leeds" in every and "left out" not in every
    found = json.loads(company("search", "m.db", "Where does Owen Fairley live?", "--json").stdout)
    assert {"score", "path", "name"} <= found["nodes"][0].keys() and len(found["nodes"]) > 3


def test_search_puts_the_passage_first_where_the_facts_only_resemble_the_question(company: Any) -> None:
    lines = company("search", "m.db", "When is lunch served?").stdout.splitlines()
    assert next(line for line in lines if not line.startswith("not sure")).startswith("[Canteen] Lunch is served")


def test_search_explains_its_scores_and_says_when_it_is_not_sure(company: Any) -> None:
    scored = company("search", "m.db", "Where does Owen Fairley live?", "--scores").stdout.splitlines()
    assert scored[0].startswith("score of the ranker activation: higher is better") and "Cardiff" in scored[1]
    unsure = company("search", "m.db", "capital of Mongolia").stdout.splitlines()
    assert unsure[0] == "not sure that the memory holds this; the nearest:" and len(unsure) <= 5


def test_every_ranker_of_the_library_can_be_chosen(company: Any) -> None:
    from graphmem.core.types import RANKERS

    for ranker in RANKERS:
        assert "Owen" in company("search", "m.db", "Owen Fairley", "--ranker", ranker, "--all").stdout
    assert "[activation|path|" in company("search", "--help").stdout


def test_hostile_names_do_not_reach_the_terminal(run: Any) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07Ann\nroot | is | admin\u202e"
    with GraphMemory.open("m.db") as memory:
        memory.add(hostile, "knows", "Bo", source=hostile)
        memory.add_alias("Bo", hostile + "2")
    for args in (("show",), ("show", "Bo"), ("history",), ("search", "Bo", "--ranker", "ppr")):
        printed = run(args[0], "m.db", *args[1:]).stdout
        assert "\x1b" not in printed and "\u202e" not in printed and "\\x1b[2J" in printed
        assert not any(line.startswith("root") for line in printed.splitlines())
