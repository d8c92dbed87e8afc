from __future__ import annotations

import copy
import pickle
import time
from datetime import UTC, datetime
from pathlib import Path

import networkx
import pytest

from graphmem.adapters.networkx import facts_from_networkx
from graphmem.consolidation.graph import ConsolidationConfig
from graphmem.core.edits import AddEdge, WriteDecision
from graphmem.core.errors import (
    Closed,
    Conflict,
    GraphMemError,
    InvalidName,
    InvalidTime,
    InvalidValue,
    NotAMemory,
    NotFound,
    WeightsMismatch,
)
from graphmem.core.types import Fact
from graphmem.memory import GraphMemory
from graphmem.retrieval.checkpoints import SHIPPED
from graphmem.retrieval.retriever import RetrievalConfig
from graphmem.writing.pipeline import WritePlan


@pytest.fixture
def memory() -> GraphMemory:
    with GraphMemory.open(":memory:") as opened:
        yield opened


def lines(facts: list[Fact]) -> list[str]:
    return [str(fact) for fact in facts]


def test_what_is_added_is_found_by_each_part(memory: GraphMemory) -> None:
    memory.add("Ada Lovelace", "born in", "London", source="wiki:42", confidence=0.9)
    memory.add("Ada Lovelace", "field of work", "mathematics")
    assert lines(memory.facts(subject="ada  lovelace")) == [
        "Ada Lovelace | born in | London",
        "Ada Lovelace | field of work | mathematics",
    ]
    assert lines(memory.facts(relation="born in")) == lines(memory.facts(object="London"))
    fact = memory.facts(object="London")[0]
    assert (fact.source, fact.confidence) == ("wiki:42", 0.9)
    assert memory.facts(subject="nobody") == []


def test_adding_again_strengthens_and_stores_nothing_twice(memory: GraphMemory) -> None:
    memory.add_many([("a", "r", "b")] * 3)
    memory.add("A", "r", "B")
    assert len(memory.facts()) == 1 and memory.stats()["nodes"] == 2


def test_add_many_takes_triples_and_facts_and_names_the_bad_item(memory: GraphMemory) -> None:
    memory.add_many([("a", "r", "b"), Fact("b", "r", "c", valid_from="1900", source="s")])
    assert memory.facts(subject="b")[0].valid_from == "1900"
    with pytest.raises(InvalidValue, match="triple 1"):
        memory.add_many([("x", "r", "y"), ("only", "two")])  # type: ignore[list-item]
    with pytest.raises(InvalidValue, match="item 1"):
        memory.add_many([Fact("x", "r", "y"), ("only", "two")])  # type: ignore[list-item]
    assert memory.facts(subject="x") == []


def test_superseding_closes_the_old_interval_and_time_travel_still_sees_it(memory: GraphMemory) -> None:
    memory.add("Ada", "lives in", "London", valid_from="1820")
    memory.supersede("Ada", "lives in", "Surrey", at="1843-06-01")
    assert lines(memory.facts("Ada", "lives in")) == ["Ada | lives in | Surrey"]
    assert lines(memory.facts("Ada", "lives in", as_of="1830")) == ["Ada | lives in | London"]
    assert lines(memory.facts("Ada", "lives in", as_of="1850")) == ["Ada | lives in | Surrey"]
    assert memory.facts("Ada", as_of="1800") == []


def test_without_times_as_of_sees_what_was_written_by_then(memory: GraphMemory) -> None:
    memory.add("Bob", "works at", "Acme")
    time.sleep(0.01)
    before = datetime.now(UTC)
    time.sleep(0.01)
    memory.supersede("Bob", "works at", "Globex")
    assert lines(memory.facts("Bob")) == ["Bob | works at | Globex"]
    assert lines(memory.facts("Bob", as_of=before)) == ["Bob | works at | Acme"]
    assert lines(memory.facts("Bob", known_at=before)) == ["Bob | works at | Acme"]


def test_an_undated_fact_held_before_it_was_recorded_as_far_as_is_known(memory: GraphMemory) -> None:
    memory.add("Bob", "works at", "Acme")
    memory.add("Bob", "lives in", "Oslo", valid_to="2020")
    assert lines(memory.facts("Bob", as_of="2024-11-30")) == ["Bob | works at | Acme"]
    assert lines(memory.facts("Bob", as_of="1990")) == ["Bob | works at | Acme", "Bob | lives in | Oslo"]
    assert memory.facts("Bob", known_at="2024-11-30") == []
    assert memory.facts("Bob", as_of="2024-11-30")[0].valid_from is None


def test_undo_and_redo_are_exact(memory: GraphMemory) -> None:
    memory.add("a", "r", "b")
    before = memory.facts()
    entry = memory.supersede("a", "r", "c")
    after = memory.facts()
    memory.undo(entry)
    assert memory.facts() == before
    memory.redo(entry)
    assert lines(memory.facts()) == lines(after)


def test_retire_needs_something_to_match(memory: GraphMemory) -> None:
    memory.add("a", "r", "b")
    with pytest.raises(InvalidValue):
        memory.retire()
    with pytest.raises(NotFound):
        memory.retire("a", "other")
    memory.undo(memory.retire("a", "r"))
    assert len(memory.facts()) == 1


def test_merge_moves_facts_and_keeps_the_name_as_alias(memory: GraphMemory) -> None:
    memory.add_many([("Ada Lovelace", "born in", "London"), ("A. Lovelace", "wrote", "Note G")])
    memory.merge("Ada Lovelace", "A. Lovelace")
    assert len(memory.facts(subject="Ada Lovelace")) == 2
    assert memory.node("a. lovelace") == memory.node("Ada Lovelace")


def test_history_names_what_touched_a_node(memory: GraphMemory) -> None:
    memory.add("a", "r", "b")
    memory.add("c", "r", "d")
    memory.supersede("a", "r", "e")
    assert [entry.action for entry in memory.history("a")] == ["add", "supersede"]
    with pytest.raises(NotFound, match="no node named 'zz'"):
        memory.history("zz")


@pytest.mark.parametrize("name", ["", "   ", "x" * 2000, "a\x00b", "\ud800", 7, None])
def test_bad_names_are_refused_and_nothing_is_written(memory: GraphMemory, name: object) -> None:
    with pytest.raises(InvalidName):
        memory.add(name, "r", "b")  # type: ignore[arg-type]
    assert memory.stats()["nodes"] == 0


def test_one_bad_edit_takes_the_whole_transaction_back(memory: GraphMemory) -> None:
    with pytest.raises(GraphMemError):
        memory.apply([AddEdge("a", "r", "b"), AddEdge("", "r", "b")])
    assert memory.stats()["nodes"] == 0


def test_bad_times_and_confidences_are_refused(memory: GraphMemory) -> None:
    with pytest.raises(InvalidTime):
        memory.add("a", "r", "b", valid_from="soon")
    with pytest.raises(InvalidTime):
        memory.add("a", "r", "b", valid_from="2000", valid_to="1999")
    with pytest.raises(InvalidValue):
        memory.add("a", "r", "b", confidence=1.5)


def test_files_that_are_no_memory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAMemory):
        GraphMemory.open(tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look at " * 20)
    with pytest.raises(NotAMemory):
        GraphMemory.open(text)
    assert text.read_text().startswith("not a database")


def test_a_closed_memory_says_so(tmp_path: Path) -> None:
    memory = GraphMemory.open(tmp_path / "m.db")
    memory.close()
    memory.close()
    with pytest.raises(Closed):
        memory.facts()


def test_it_is_still_there_after_reopening(tmp_path: Path) -> None:
    with GraphMemory.open(tmp_path / "m.db") as memory:
        memory.add("a", "r", "b")
    with GraphMemory.open(tmp_path / "m.db") as memory:
        assert lines(memory.facts()) == ["a | r | b"]


def test_networkx_round_trip(memory: GraphMemory) -> None:
    memory.add_many([("a", "r", "b"), ("a", "s", "b"), ("b", "r", "a")])
    graph = memory.to_networkx()
    assert isinstance(graph, networkx.MultiDiGraph) and graph.number_of_edges() == 3
    with GraphMemory.open(":memory:") as copy:
        copy.add_many(facts_from_networkx(graph))
        assert sorted(lines(copy.facts())) == sorted(lines(memory.facts()))


def test_pyg_holds_the_same_graph(memory: GraphMemory) -> None:
    memory.add_many([("a", "r", "b"), ("b", "s", "c")])
    data = memory.to_pyg()
    arcs = {
        (data.node_names[s], data.relation_names[t], data.node_names[o])
        for (s, o), t in zip(data.edge_index.T.tolist(), data.edge_type.tolist(), strict=True)
    }
    assert arcs == {("a", "r", "b"), ("b", "s", "c")}


def test_consolidating_twice_changes_nothing_more(memory: GraphMemory) -> None:
    memory.add_many([("a", "r", "b"), ("c", "r", "d")])
    before = lines(memory.facts())
    memory.consolidate()
    assert memory.consolidate().entry is None and lines(memory.facts()) == before


def test_a_memory_searches_with_the_weights_that_it_is_given(tmp_path: Path) -> None:
    question = "where was Ada born?"
    with GraphMemory.open(":memory:", retriever=SHIPPED) as memory:
        memory.add("Ada", "born in", "London")
        assert memory.retrieve(question).nodes[0].name == "London" and memory.retriever.weights == str(SHIPPED)
    with GraphMemory.open(":memory:", retriever=tmp_path / "none.safetensors") as memory:
        memory.add("Ada", "born in", "London")
        assert [str(fact) for fact in memory.facts()] == ["Ada | born in | London"]  # read at the first search only
        with pytest.raises(WeightsMismatch, match="cannot read"):
            memory.retrieve(question)


def test_the_config_bounds_every_search(encoder: object) -> None:
    with GraphMemory.open(":memory:", encoder=encoder, config=RetrievalConfig(max_facts=1)) as memory:
        memory.add_many([("Ada", "born in", "London"), ("Ada", "field of work", "mathematics")])
        assert len(memory.retrieve("Where was Ada born?").facts) == 1
        assert memory.retriever.config.max_facts == 1


def test_an_open_memory_is_true_even_when_empty() -> None:
    memory = GraphMemory.open(":memory:")
    assert memory and len(memory) == 0
    memory.close()
    assert not memory


def test_a_pinned_fact_survives_reading_and_consolidation_and_not_its_user(memory: GraphMemory) -> None:
    memory.add("Ada", "lives in", "London")
    memory.add("ada-", "likes", "maths")
    fact = memory.facts("Ada", "lives in")[0]
    memory.pin(fact)
    pinned = memory.facts("Ada", "lives in")[0]
    assert pinned.pinned and not fact.pinned
    plan = WritePlan("", decisions=(WriteDecision("update", 1.0, 0.0, None, fact, {"against_id": fact.id}),))
    with pytest.raises(Conflict, match="pinned"):
        memory.apply(plan)
    memory.consolidate(ConsolidationConfig(capacity=0))
    assert memory.facts() == [memory.facts("Ada", "lives in")[0]]
    memory.supersede("Ada", "lives in", "Surrey")
    assert lines(memory.facts("Ada", "lives in")) == ["Ada | lives in | Surrey"]
    memory.undo()
    memory.unpin(pinned.id or 0)
    assert not memory.facts("Ada", "lives in")[0].pinned
    memory.undo()
    assert memory.facts("Ada", "lives in")[0].pinned


def test_history_lists_facts_of_any_time_and_factuality(memory: GraphMemory) -> None:
    memory.add("Ada", "lives in", "London", valid_from="1830", valid_to="1843")
    memory.add("Ada", "lives in", "Surrey", valid_from="1843")
    memory.add("Ada", "lives in", "Mars", valid_from="2200")
    memory.apply([AddEdge("Ada", "lives in", "Rome", factuality="planned"), AddEdge("Ada", "likes", "tea")])
    memory.retire("Ada", "likes", "tea")
    memory.add_passages([("Ada", "Ada lives in Surrey.")], encode=False)
    ever = memory.facts("Ada", "lives in", history=True)
    assert [fact.object for fact in ever] == ["London", "Surrey", "Mars", "Rome"]
    assert (ever[0].valid_to, ever[3].factuality) == ("1843", "planned")
    assert [fact.object for fact in memory.facts(history=True)] == ["London", "Surrey", "Mars", "Rome"]
    assert [fact.object for fact in memory.facts(history=True, limit=1)] == ["London"]
    assert [fact.object for fact in memory.facts()] == ["Surrey"]
    for options in ({"as_of": "1840"}, {"known_at": "2026"}):
        with pytest.raises(InvalidValue, match="history"):
            memory.facts(history=True, **options)


def test_pinning_needs_a_stored_fact(memory: GraphMemory) -> None:
    with pytest.raises(InvalidValue, match="stored fact"):
        memory.pin(Fact("a", "b", "c"))
    with pytest.raises(NotFound):
        memory.pin(7)
    memory.add("a", "b", "c")
    memory.retire("a")
    with pytest.raises(Conflict, match="retired"):
        memory.pin(1)


def test_searches_in_batches_count_as_uses_too(memory: GraphMemory) -> None:
    memory.add("Ada Lovelace", "born in", "London")
    for search in (
        lambda: memory.retrieve("Ada Lovelace", ranker="ppr"),
        lambda: memory.retrieve_many(["Ada Lovelace"], ranker="ppr"),
    ):
        search()
        assert memory.consolidate().strengthened == 2


def test_records_have_no_facts_and_no_entity_becomes_one(memory: GraphMemory) -> None:
    memory.add_node("session:t", kind="session")
    memory.add_node("session:jazz")
    for use in (
        lambda: memory.add("Ada", "attends", "session:t"),
        lambda: memory.add_many([("session:t", "has", "Ada")]),
        lambda: memory.bulk_load(["x"], [("Ada", "attends", "session:t")]),
        lambda: memory.add_node("session:t", text="other"),
        lambda: memory.add_node("session:jazz", kind="session"),
    ):
        with pytest.raises(Conflict, match="is the name of a"):
            use()
    memory.add("Ada", "attends", "session:jazz")
    assert lines(memory.facts("Ada")) == ["Ada | attends | session:jazz"]


def test_copies_share_the_open_file_and_pickles_are_typed_errors(tmp_path: Path) -> None:
    with GraphMemory.open(tmp_path / "m.db") as memory:
        memory.add("Ann", "lives in", "Oslo")
        found = memory.retrieve("Where does Ann live?")
        for copied in (copy.copy(memory), copy.deepcopy(memory), copy.deepcopy({"memory": memory})["memory"]):
            copied.add("Bob", "lives in", "Oslo")
            assert len(memory.facts()) == 2
        assert copy.deepcopy(found).nodes == found.nodes
        for whole in (memory, memory.store, found):
            with pytest.raises(InvalidValue, match="cannot be pickled"):
                pickle.dumps(whole)
        assert pickle.loads(pickle.dumps((found.nodes, memory.facts()))) == (found.nodes, memory.facts())
