"""Search for evidence: facts of every valid time, chains and windows of passages, bounded in number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

import pytest

from graphmem.core.times import to_micros
from graphmem.core.types import Node
from graphmem.memory import GraphMemory
from graphmem.retrieval.evidence import (
    LONGEST_WINDOW,
    SHORT_WINDOW,
    EvidenceBudget,
    EvidenceSearch,
    EvidenceUnit,
    windows_of,
)
from graphmem.retrieval.passages.links import title_of

STORY = " ".join(
    [f"Ann passed the harbour on day {n}." for n in range(12)] + ["The lighthouse was built by Per Dahl in 1871."]
    + [f"It rained all through day {n}." for n in range(40)]
)  # fmt: skip


@pytest.fixture
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        yield opened


def find(memory: GraphMemory, question: str, as_of: str | None = None, **budget: int) -> list[EvidenceUnit]:
    search = EvidenceSearch(memory.store, memory.retriever.queries, EvidenceBudget(**budget) if budget else None)
    return search.find(memory.retrieve(question, as_of=as_of), None if as_of is None else to_micros(as_of))


def checked(units: list[EvidenceUnit]) -> list[str]:
    """The texts, each once, after a look at where the units come from."""
    for unit in units:
        assert len(unit.facts) == len(unit.edges) and bool(unit.facts) != (unit.passage is not None)
        if unit.passage is not None:
            text = unit.text[slice(*unit.evidence.object)]
            assert unit.passage.text[unit.start : unit.start + len(text)] == text
    texts = [unit.text for unit in units]
    assert len(texts) == len(set(texts))
    return texts


def test_facts_of_any_valid_time_or_of_the_time_asked_for(memory: GraphMemory) -> None:
    memory.add("Ann Berg", "works at", "Acme", valid_from="1990", valid_to="1995")
    memory.add("Ann Berg", "works at", "Beta", valid_from="1995")
    memory.add("Olav", "works at", "Gamma")
    now = checked(find(memory, "Where did Ann Berg work before Beta?"))
    assert "Ann Berg | works at | Acme | from 1990 until 1995" in now
    assert "Ann Berg | works at | Beta | since 1995" in now
    assert now.index("Olav | works at | Gamma") > 1, "facts about the name in the question come first"
    then = checked(find(memory, "Where does Ann Berg work?", as_of="1992"))
    assert "Ann Berg | works at | Beta | since 1995" not in then
    assert "Ann Berg | works at | Acme | from 1990 until 1995" in then


def test_two_facts_in_a_row_are_a_chain(memory: GraphMemory) -> None:
    memory.add_many([
        ("Ann Berg", "works at", "Acme"), ("Acme", "has its seat in", "Bergen"), ("Olav", "leads", "Acme"),
        ("Ann Berg", "likes", "tea"),
    ])  # fmt: skip
    units = find(memory, "In which town does Ann Berg work?")
    chains = {unit.text: unit for unit in units if len(unit.facts) == 2}
    assert {"Ann Berg | works at | Acme ; Acme | has its seat in | Bergen",
            "Ann Berg | works at | Acme ; Olav | leads | Acme"} <= set(checked(units))  # fmt: skip
    chain = chains["Ann Berg | works at | Acme ; Olav | leads | Acme"]
    assert chain.text[slice(*chain.evidence.object)] == "Olav" and chain.edges[1].src == memory.store.find("Olav").id


def test_chains_of_two_facts_go_on_to_a_third(memory: GraphMemory) -> None:
    memory.add_many([
        ("Ann Berg", "works at", "Acme"), ("Acme", "has its seat in", "Bergen"), ("Bergen", "mayor", "Olav Lie"),
        ("Bergen", "twin town", "Turku"), ("Olav Lie", "likes", "tea"), ("Ann Berg", "likes", "tea"),
    ])  # fmt: skip
    question = "Who is the mayor of the town in which the employer of Ann Berg has its seat?"
    search = EvidenceSearch(memory.store, memory.retriever.queries)
    found = memory.retrieve(question)
    units = [unit for unit in search.find(found) if len(unit.facts) < 3]
    longer = search.longer_chains(found, units)
    right = "Ann Berg | works at | Acme ; Acme | has its seat in | Bergen ; Bergen | mayor | Olav Lie"
    assert right in checked(longer) and all(len(unit.facts) == 3 for unit in longer)
    chain = next(unit for unit in longer if unit.text == right)
    assert right[slice(*chain.evidence.object)] == "Olav Lie"
    assert not {unit.text for unit in longer} & {unit.text for unit in units}
    ends = [{end for edge in unit.edges for end in (edge.src, edge.dst)} for unit in longer]
    assert all(len(nodes) == 4 for nodes in ends), "no chain leads back"
    assert search.longer_chains(found, [unit for unit in units if len(unit.facts) == 1]) == []


def test_the_windows_of_a_passage_have_two_sizes_and_cover_it() -> None:
    passage = Node(1, "passage:1", "passage", STORY, attributes={"title": "Vik"}, date="2024-03-06")
    units = windows_of(passage)
    checked(units)
    covered: dict[str, set[int]] = {"long": set(), "short": set()}
    for unit in units:
        start, end = unit.evidence.object
        size = "short" if end - start <= SHORT_WINDOW else "long"
        assert end - start <= LONGEST_WINDOW and unit.text.startswith("Vik (6 March 2024) | ")
        covered[size].update(range(unit.start, unit.start + end - start))
    letters = {k for k, letter in enumerate(STORY) if letter != " "}
    assert letters <= covered["short"] and letters <= covered["long"]
    assert len(units) < 4 * len(STORY) / SHORT_WINDOW


@pytest.mark.parametrize("text", ["x" * 5000, ".", "。" * 300, "A. " * 2000, "\n\n", "one sentence only"])
def test_windows_of_any_text_lie_in_it(text: str) -> None:
    units = windows_of(Node(1, "passage:1", "passage", text))
    checked(units)
    assert units and len(units) <= 4 + 4 * len(text) // 40


def test_passages_are_found_with_their_dates(memory: GraphMemory) -> None:
    memory.add_passages([("Vik", STORY), ("", "Nothing of that kind is said here.")], date="2024-03-06")
    units = find(memory, "Who built the lighthouse of Vik?")
    checked(units)
    held = [unit for unit in units if "Per Dahl" in unit.text]
    assert {len(unit.text) < 350 for unit in held} == {True, False}, "in a short window and in a long one"
    assert all(unit.passage is not None and "(6 March 2024)" in unit.text for unit in held)
    assert not any(unit.facts for unit in units), "a passage's links are no evidence"


def test_facts_alone_make_no_windows_and_nothing_makes_nothing(memory: GraphMemory) -> None:
    assert find(memory, "Who built the lighthouse?") == []
    memory.add("Ann Berg", "lives in", "Oslo")
    units = find(memory, "Where does Ann Berg live?")
    assert checked(units) == ["Ann Berg | lives in | Oslo"]
    assert find(memory, "Where does nobody that it knows live?") != [], "without a name, the nearest facts"
    assert find(memory, " \t ") == []


def test_the_budget_bounds_every_kind(memory: GraphMemory) -> None:
    memory.add_many([("Hub", f"relation {n}", f"Spoke {n}") for n in range(80)])
    memory.add_many([(f"Spoke {n}", "is part of", f"Wheel {n}") for n in range(80)])
    memory.add_passages([(f"Story {n}", f"Hub {n}. " + STORY) for n in range(5)], encode=False)
    small = find(memory, "What does Hub have to do with the lighthouse?", facts=5, paths=2, chains=3, windows=4)
    checked(small)
    kinds = [len(unit.facts) for unit in small]
    assert kinds.count(1) == 5 and kinds.count(0) == 4 and 3 <= len([k for k in kinds if k > 1]) <= 2 + 3
    assert [unit.score for unit in small[:5]] == sorted((unit.score for unit in small[:5]), reverse=True)


def test_retired_facts_are_no_evidence(memory: GraphMemory) -> None:
    memory.add_many([("Ann Berg", "lives in", "Oslo"), ("Ann Berg", "likes", "tea")])
    memory.retire("Ann Berg", "lives in")
    assert checked(find(memory, "Where does Ann Berg live?")) == ["Ann Berg | likes | tea"]


@pytest.mark.parametrize(
    "question", ["Where " * 50_000, "\x00 \ud800", '"*) OR (" NEAR/3 ^', "?" * 10_000, "🦀" * 5_000]
)
def test_hostile_questions_find_evidence_or_none(memory: GraphMemory, question: str) -> None:
    memory.add("Ann Berg", "lives in", "Oslo")
    memory.add_passages([("Vik", STORY)])
    try:
        retrieval = memory.retrieve(question)
    except ValueError:
        return  # refused before it comes here
    units = EvidenceSearch(memory.store, memory.retriever.queries).find(retrieval)
    assert len(checked(units)) == len(units) <= sum(astuple(EvidenceBudget()))


def test_a_memory_that_may_only_be_read_gives_evidence(encoder: Any, tmp_path: Any) -> None:
    path = tmp_path / "memory.db"
    with GraphMemory.open(path, encoder=encoder) as written:
        written.add("Ann Berg", "lives in", "Oslo", valid_from=str(datetime.now(UTC).date()))
    with GraphMemory.open(path, encoder=encoder, read_only=True) as memory:
        assert len(find(memory, "Where does Ann Berg live?")) == 1


def test_a_window_that_names_another_title_is_read_with_that_passage(encoder: Any) -> None:
    texts = [
        ("Alpha Run (film)", "Alpha Run is a film of 1975. It was directed by Ada Moss in the town of Vik."),
        ("Ada Moss", "Ada Moss was born in Halden. She painted boats."),
        ("Bo Lind", "Bo Lind was born in Oslo."),
    ]
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_passages(texts)
        question = "Where was the director of Alpha Run born?"
        linked = [unit for unit in find(opened, question) if unit.origin is not None]
        assert 0 < len(linked) <= EvidenceBudget().linked
        best = next(unit for unit in linked if "Halden" in unit.text)
        assert best.origin is not None and best.origin.passage is not None and best.passage is not None
        assert (title_of(best.origin.passage), title_of(best.passage)) == ("Alpha Run (film)", "Ada Moss")
        start, end = best.evidence.object
        assert best.passage.text[best.start :].startswith(best.text[start:end])  # spans lie in the second window
        assert not any("Bo Lind" in unit.text for unit in linked)  # no window names it
        assert all(unit.origin is None for unit in find(opened, question, linked=0))
