"""What no search should trip over: each gets an answer, a defined empty result or a typed error, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphmem.core.errors import InvalidTime, InvalidValue, NotAMemory
from graphmem.memory import GraphMemory
from graphmem.retrieval.retriever import RANKERS, RetrievalConfig, Retriever
from graphmem.retrieval.search.spreading_activation import Budget
from graphmem.text.name_matching import MAX_CHARACTERS

FACTS = [
    ("Ada Lovelace", "born in", "London"), ("Ada Lovelace", "worked with", "Charles Babbage"),
    ("Мастер и Маргарита", "written by", "Михаил Булгаков"), ("東京物語", "directed by", "小津安二郎"),
    ("🜚 Gold", "symbol of", "☉ Sun"),
]  # fmt: skip


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many(FACTS)
        yield opened


def assert_defined(found: Any) -> None:
    """Whatever was found is of one piece."""
    graph = found.subgraph
    assert len(graph.node_ids) == len(graph.relevance) == len(graph.activation)
    assert np.isfinite(graph.relevance).all() and 0 <= graph.truncated_mass <= 1 and 0 <= found.answerable <= 1
    assert graph.edge_index.shape[1] == len(graph.edge_ids) and len(set(graph.node_ids.tolist())) == len(graph.node_ids)
    assert isinstance(found.facts, list)


STRANGE = {
    "nothing": "", "spaces": " \t\n ", "control characters": "\x00\x01\x02\x1b[31m", "a lone surrogate": "\ud800 who",
    "bidi marks": "\u202e\u2066who\u2069", "combining marks": "a" + "\u0301" * 3000, "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 ?",
    "punctuation": "?!;--\"'()[]{}", "search syntax": 'name: "OR" AND NEAR(a b) * ^ -x', "SQL": "'; DROP TABLE x; --",
    "a long query": "who was it? " * 10_000, "one long word": "x" * 100_000, "many words": "a b " * 50_000,
    "numbers": "1e309 NaN -0", "another script": "ཀཁག ꙮ ܐܒܓ",
}  # fmt: skip


@pytest.mark.parametrize("ranker", RANKERS)
@pytest.mark.parametrize("query", STRANGE.values(), ids=STRANGE.keys())
def test_a_strange_query_gets_a_defined_result(memory: GraphMemory, query: str, ranker: Any) -> None:
    assert_defined(memory.retrieve(query, ranker=ranker))


@pytest.mark.parametrize("ranker", RANKERS)
@pytest.mark.parametrize("query", ["", "who is Ada?", "🜚", "x" * 100_000])
def test_an_empty_memory_answers_nothing(encoder: Any, query: str, ranker: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as empty:
        found = empty.retrieve(query, ranker=ranker)
        assert found.nodes == () and found.facts == [] and found.answerable == 0 and found.path_to("Ada") == []


@pytest.mark.parametrize(
    ("query", "seed"),
    [
        ("Кто написал «Мастер и Маргарита»?", "Мастер и Маргарита"),
        ("東京物語の監督は?", "東京物語"),
        ("what is 🜚 Gold?", "🜚 Gold"),
    ],
)
def test_queries_in_any_script_find_what_they_name(memory: GraphMemory, query: str, seed: str) -> None:
    found = memory.retrieve(query)
    assert memory.store.names(found.seeds.nodes) == [seed]


def test_only_the_first_part_of_a_long_query_is_read(memory: GraphMemory) -> None:
    found = memory.retrieve("Ada Lovelace " + "y" * 100_000)
    assert memory.store.names(found.seeds.nodes) == ["Ada Lovelace"] and len(found.seeds.masked_query) <= MAX_CHARACTERS
    assert not memory.retrieve("y " * MAX_CHARACTERS + "Ada Lovelace").seeds.mentions


def test_a_query_that_is_no_text_or_asks_for_nothing_is_refused(memory: GraphMemory) -> None:
    for wrong in (None, 3, b"who", ["who"]):
        with pytest.raises(InvalidValue):
            memory.retrieve(wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidValue):
            memory.retrieve_many([wrong])  # type: ignore[list-item]
    with pytest.raises(InvalidValue):
        memory.retrieve("who", top_k=0)
    with pytest.raises(InvalidValue):
        memory.retrieve("who", ranker="best")  # type: ignore[arg-type]
    with pytest.raises(InvalidTime):
        memory.retrieve("who", as_of="once")


def test_before_a_fact_began_it_is_not_found(memory: GraphMemory) -> None:
    memory.add("Ada Lovelace", "lived in", "Ockham", valid_from="1835")
    found = memory.retrieve("where did Ada Lovelace live?", as_of="1700")
    assert_defined(found)
    assert "Ockham" not in {fact.object for fact in found.facts}
    assert "Ockham" in {fact.object for fact in memory.retrieve("where did Ada Lovelace live?", as_of="1840").facts}


def test_a_namespace_that_does_not_exist_is_empty_and_is_not_made_by_reading(encoder: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with GraphMemory.open(path, encoder=encoder) as memory:
        memory.add_many(FACTS)
    with GraphMemory.open(path, encoder=encoder, namespace="elsewhere", read_only=True) as other:
        for ranker in RANKERS:
            assert other.retrieve("where was Ada Lovelace born?", ranker=ranker).nodes == ()
    with pytest.raises(NotAMemory):
        GraphMemory.open(tmp_path / "missing.db", encoder=encoder, read_only=True)


def test_a_memory_that_cannot_be_written_is_searched_all_the_same(encoder: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with GraphMemory.open(path, encoder=encoder) as memory:
        memory.add_many(FACTS)
    with (
        GraphMemory.open(path, encoder=encoder, read_only=True) as memory,
        GraphMemory.open(path, encoder=encoder) as writer,
    ):
        found = memory.retrieve("a pioneer of computing", ranker="dense")
        assert len(found.nodes) > 3 and not memory.stats()["vectors"]
        writer.add("Grace Hopper", "pioneer of", "compilers")
        assert "Grace Hopper" in {node.name for node in memory.retrieve("Hopper, a pioneer", ranker="dense").nodes}


# ---------------------------------------------------------------- hubs


def hub(encoder: Any, facts: int) -> GraphMemory:
    """A memory in which one node has nearly all facts, and one of these leads on."""
    memory = GraphMemory.open(":memory:", encoder=encoder)
    memory.bulk_load([], [("Hub", "knows", f"n{i}") for i in range(facts)])
    memory.add_many([("n7", "born in", "Paris"), ("Lone", "friend of", "Hub")])
    return memory


def assert_bounded(memory: GraphMemory, budget: Budget, encoder: Any) -> None:
    retriever = Retriever(memory.store, encoder, config=RetrievalConfig(budget=budget))
    for ranker in ("activation", "path", "ppr"):
        for query in (
            "who does Hub know?",
            "whom does the friend of Lone know?",
            "where was the one whom Hub knows born?",
        ):
            found = retriever.retrieve(query, ranker=ranker)
            assert_defined(found)
            assert len(found.subgraph.node_ids) <= budget.nodes + len(found.seeds.nodes)
            if ranker == "ppr" or "who does" in query:
                assert found.subgraph.truncated_mass > 0  # it says that there was more


def test_a_hub_is_crossed_within_the_budget(encoder: Any) -> None:
    with hub(encoder, 3000) as memory:
        assert_bounded(memory, Budget(nodes=50, frontier=100, arcs=400, hub=200), encoder)


@pytest.mark.slow
def test_a_hub_of_a_million_facts(encoder: Any) -> None:
    with hub(encoder, 1_000_000) as memory:
        assert_bounded(memory, Budget(), encoder)
