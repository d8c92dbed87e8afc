"""The store's contract: writing, reading, the past, undo and redo."""

from __future__ import annotations

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, MergeNodes, Restore, Retire, SupersedeEdge, UpdateNode
from graphmem.core.errors import (
    Closed,
    Conflict,
    EncoderMismatch,
    InvalidName,
    InvalidTime,
    InvalidValue,
    InvalidVector,
    NotFound,
)
from graphmem.core.names import normalise
from graphmem.core.times import to_micros
from graphmem.storage.sqlite import SQLiteStore


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    with SQLiteStore.open(":memory:" if request.param == "memory" else tmp_path / "m.db") as opened:
        yield opened


def lines(facts):
    return [str(fact) for fact in facts]


def test_a_fact_makes_its_nodes_and_comes_back_whole(store):
    entry = store.apply(
        [AddEdge("Ada", "born in", "London", text="Ada was born in London.", valid_from="1815-12-10", confidence=0.9,
                 source="wiki:42", attributes={"page": 7})]
    )  # fmt: skip
    (fact,) = store.facts()
    assert (fact.subject, fact.relation, fact.object) == ("Ada", "born in", "London")
    assert (fact.valid_from, fact.confidence, fact.source, fact.text) == (
        "1815-12-10", 0.9, "wiki:42", "Ada was born in London.",
    )  # fmt: skip
    assert fact.recorded_at == entry.at
    assert store.edge(fact.id).attributes == {"page": 7}
    assert entry.edge_ids == (fact.id,)
    assert store.names(entry.node_ids) == ["Ada", "London"]


def test_a_known_fact_is_strengthened_and_keeps_both_sources(store):
    first = store.apply([AddEdge("Ada", "born in", "London", source="wiki", confidence=0.5)])
    again = store.apply([AddEdge("  ADA ", "Born In", "london", source="book", confidence=0.8)])
    assert again.edge_ids == first.edge_ids
    edge = store.edge(first.edge_ids[0])
    assert (edge.strength, edge.confidence, edge.source) == (2.0, 0.8, "wiki")
    assert store.sources(edge.id) == ["wiki", "book"]
    assert store.stats()["nodes"] == 2


def test_a_fact_that_ended_may_begin_again(store):
    store.apply([AddEdge("Ada", "lives in", "London", valid_from="1815", valid_to="1835")])
    store.apply([AddEdge("Ada", "lives in", "London", valid_from="1840")])
    store.apply([AddEdge("Ada", "lives in", "London")])
    edges = store.facts(), store.stats()["facts_recorded"]
    assert (len(edges[0]), edges[1]) == (1, 2)
    assert edges[0][0].valid_from == "1840"


def test_names_win_over_aliases_and_never_make_two_nodes(store):
    store.apply([AddNode("Bob", aliases=("Rob",)), AddNode("Rob")])
    store.apply([AddNode("Robert", aliases=("Bobby",)), AddEdge("bobby", "knows", "Rob")])
    bob, robert = store.resolve("BOB"), store.resolve("Robert")
    assert store.resolve("rob").id == bob.id
    assert lines(store.facts()) == ["Robert | knows | Bob"]
    store.apply([UpdateNode(robert.id, add_aliases=("Bob",), ambiguous=True)])
    assert store.resolve_many([normalise("Bob"), "nobody"]) == {"bob": [bob.id, robert.id], "nobody": []}


def test_superseding_closes_the_old_and_opens_the_new_at_one_instant(store):
    old = store.apply([AddEdge("Ada", "lives in", "London", valid_from="2000")]).edge_ids[0]
    store.apply([SupersedeEdge(old, AddEdge("Ada", "lives in", "Surrey"), at="2010-05-01")])
    assert lines(store.facts()) == ["Ada | lives in | Surrey"]
    assert lines(store.facts(as_of=to_micros("2010-04-30"))) == ["Ada | lives in | London"]
    assert lines(store.facts(as_of=to_micros("2010-05-01"))) == ["Ada | lives in | Surrey"]
    assert store.facts(as_of=to_micros("1999")) == []
    assert store.edge(old).valid_to == to_micros("2010-05-01")
    with pytest.raises(Conflict, match="ended"):
        store.apply([SupersedeEdge(old, AddEdge("Ada", "lives in", "Kent"))])


def test_a_fact_that_ended_before_it_was_recorded_held_until_then(store):
    old = store.apply([AddEdge("Ada", "lives in", "London")]).edge_ids[0]
    store.apply([SupersedeEdge(old, AddEdge("Ada", "lives in", "Surrey"), at="2010-05-01")])
    before, after = to_micros("2005"), to_micros("2011")
    assert lines(store.facts(as_of=before)) == ["Ada | lives in | London"]
    assert lines(store.facts(as_of=after)) == ["Ada | lives in | Surrey"]
    assert lines(store.facts(as_of=before, known_at=to_micros("2999"))) == ["Ada | lives in | London"]
    ada = store.resolve("Ada").id
    reached = store.index(as_of=before).expand(np.array([ada])).target
    assert store.names(reached) == ["London"]


def test_superseding_before_the_start_is_history(store):
    old = store.apply([AddEdge("Ada", "lives in", "London", valid_from="2000")]).edge_ids[0]
    store.apply([SupersedeEdge(old, AddEdge("Ada", "lives in", "Surrey"), at="1990")])
    assert lines(store.facts()) == ["Ada | lives in | London"]
    (history,) = store.facts(as_of=to_micros("1995"))
    assert (history.object, history.valid_from, history.valid_to) == ("Surrey", "1990", "2000-01-01")


def test_facts_of_the_future_wait_and_pass(store):
    store.apply(
        [AddEdge("Ada", "will be", "Countess", valid_from="2999"), AddEdge("Ada", "is", "Girl", valid_to="2998")]
    )
    assert lines(store.facts()) == ["Ada | is | Girl"]
    assert lines(store.facts(as_of=to_micros("3000"))) == ["Ada | will be | Countess"]


def test_retiring_and_restoring_a_fact(store):
    entry = store.apply([AddEdge("Ada", "likes", "Tea")])
    store.apply([Retire(entry.edge_ids[0])])
    assert store.facts() == []
    assert lines(store.facts(as_of=to_micros(entry.at))) == ["Ada | likes | Tea"]
    store.apply([Restore(entry.edge_ids[0])])
    assert lines(store.facts()) == ["Ada | likes | Tea"]


def test_retiring_a_node_takes_its_facts_along_and_restoring_brings_them_back(store):
    store.apply([AddEdge("Ada", "likes", "Tea"), AddEdge("Bob", "likes", "Rum")])
    ada = store.resolve("Ada").id
    store.apply([Retire(ada, "node")])
    assert store.resolve("Ada") is None
    assert lines(store.facts()) == ["Bob | likes | Rum"]
    assert [node for node, _ in store.search_text("Ada")] == []
    store.apply([Restore(ada, "node")])
    assert lines(store.facts(subject=ada)) == ["Ada | likes | Tea"]


def test_a_retired_name_comes_back_as_the_same_node(store):
    ada = store.apply([AddNode("Ada")]).node_ids[0]
    store.apply([Retire(ada, "node")])
    assert store.apply([AddEdge("ada", "likes", "Tea")]).node_ids[0] == ada


def test_merging_moves_everything_and_undo_is_exact(store):
    store.apply(
        [AddEdge("Ada", "wrote", "Notes"), AddEdge("Ada King", "wrote", "Notes"), AddEdge("X", "met", "Ada King")]
    )
    before = lines(store.facts())
    keep, absorb = store.resolve("Ada").id, store.resolve("Ada King").id
    store.apply([MergeNodes(keep, absorb)])
    assert lines(store.facts()) == ["Ada | wrote | Notes", "X | met | Ada"]
    assert store.edge(1).strength == 2.0
    assert store.resolve("ada king").id == keep
    assert store.node(absorb).retired
    store.undo()
    assert lines(store.facts()) == before
    assert store.resolve("ada king").id == absorb


def test_renaming_keeps_the_old_name_as_an_alias(store):
    node = store.apply([AddNode("Istanbul"), AddNode("Constantinople")]).node_ids[1]
    with pytest.raises(Conflict, match="MergeNodes"):
        store.apply([UpdateNode(node, name="istanbul")])
    store.apply([UpdateNode(node, name="Byzantium", text="An old city.", attributes={"a": 1}, strength=3.0)])
    found = store.resolve("constantinople")
    assert (found.id, found.name, found.text, found.attributes, found.strength) == (
        node, "Byzantium", "An old city.", {"a": 1}, 3.0,
    )  # fmt: skip


def test_state_vectors_are_kept_exactly(store):
    node = store.apply([AddNode("Ada")]).node_ids[0]
    state = np.linspace(-1, 1, 8, dtype=np.float32)
    store.apply([UpdateNode(node, state=state)])
    np.testing.assert_array_equal(store.state(node), state)
    store.undo()
    assert store.state(node) is None
    store.redo()
    np.testing.assert_array_equal(store.state(node), state)
    with pytest.raises(InvalidVector):
        store.apply([UpdateNode(node, state=np.array([np.nan]))])


def test_undo_names_the_entries_that_build_on_it(store):
    first = store.apply([AddEdge("Ada", "likes", "Tea")])
    second = store.apply([AddEdge("Ada", "likes", "Tea", source="again")])
    with pytest.raises(Conflict, match=str(second.id)):
        store.undo(first.id)
    store.undo(second.id)
    store.undo(first.id)
    assert (store.facts(), store.stats()["nodes"], store.resolve("Ada")) == ([], 0, None)
    with pytest.raises(Conflict, match="cannot be reverted"):
        store.redo(second.id)
    store.redo(first.id)
    store.redo(second.id)
    assert lines(store.facts()) == ["Ada | likes | Tea"]


def test_undoing_twice_and_undoing_an_undo_are_refused(store):
    entry = store.apply([AddNode("Ada")])
    undo = store.undo()
    with pytest.raises(Conflict, match="undone already"):
        store.undo(entry.id)
    with pytest.raises(Conflict, match="redo entry"):
        store.undo(undo.id)
    with pytest.raises(NotFound):
        store.undo()
    store.redo()
    with pytest.raises(Conflict, match="not undone"):
        store.redo(entry.id)
    with pytest.raises(NotFound):
        store.redo()


def test_what_was_known_then_survives_edits_undo_and_merges(store):
    moments, seen = [], []

    def note(entry):
        moments.append(to_micros(entry.at))
        seen.append(lines(store.facts()))

    note(store.apply([AddEdge("Ada", "lives in", "London"), AddEdge("Ada K", "wrote", "Notes")]))
    note(store.apply([SupersedeEdge(1, AddEdge("Ada", "lives in", "Surrey"))]))
    note(store.undo())
    note(store.apply([UpdateNode(1, name="Ada L")]))
    note(store.apply([MergeNodes(1, store.resolve("Ada K").id)]))
    note(store.bulk_load([], [("Bob", "likes", "Tea"), ("Ada L", "likes", "Tea")]))
    note(store.undo())
    note(store.redo())
    assert [lines(store.facts(known_at=moment)) for moment in moments] == seen
    assert store.facts(known_at=moments[0] - 1) == []


def test_history_tells_all_that_touched_a_node(store):
    store.apply([AddEdge("Ada", "likes", "Tea")], note="noted")
    store.apply([AddEdge("Bob", "likes", "Rum")])
    store.bulk_load([], [("Ada", "likes", "Milk")], note="bulk")
    store.undo()
    noted = [(entry.action, entry.note, entry.undone) for entry in store.history(store.resolve("Ada").id)]
    assert noted == [("apply", "noted", False), ("bulk_load", "bulk", True), ("undo", "undo of entry 3", False)]
    added = store.history(1)[0].changes[0]
    assert (added["table"], added["action"], added["after"]["name"]) == ("nodes", "add", "Ada")


def test_an_error_in_any_edit_leaves_nothing_behind(store):
    with pytest.raises(NotFound):
        store.apply([AddEdge("Ada", "likes", "Tea"), Retire(99)])
    assert (store.stats()["nodes"], store.journal()) == (0, [])


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (AddNode(""), InvalidName),
        (AddNode("a\x00b"), InvalidName),
        (AddNode("x" * 1_000_000), InvalidName),
        (AddNode("\ud800"), InvalidName),
        (AddNode(7), InvalidName),
        (AddNode("a", text="x" * 2_000_000), InvalidValue),
        (AddNode("a", attributes={"x": object()}), InvalidValue),
        (AddNode("a", attributes={"x": float("nan")}), InvalidValue),
        (AddEdge("a", "r", "b", confidence=1.5), InvalidValue),
        (AddEdge("a", "r", "b", confidence=float("nan")), InvalidValue),
        (AddEdge("a", "", "b"), InvalidName),
        (AddEdge("a", "r", "b", valid_from="soon"), InvalidTime),
        (AddEdge("a", "r", "b", valid_from="2001", valid_to="2000"), InvalidTime),
        (Retire("1"), InvalidValue),
        (MergeNodes(1, 1), NotFound),
        ("add", InvalidValue),
    ],
)
def test_bad_edits_are_typed_errors(store, edit, error):
    with pytest.raises(error):
        store.apply([edit])
    assert store.stats()["nodes"] == 0


def test_search_finds_nodes_by_name_alias_and_text(store):
    store.apply([AddNode("Ada Lovelace", aliases=("Enchantress",), text="A mathematician."), AddNode("Alan Turing")])
    assert [node for node, _ in store.search_text("lovelace")] == [1]
    assert [node for node, _ in store.search_text('enchantress OR "')] == [1]
    assert [node for node, _ in store.search_text("MATHEMATICIAN")] == [1]
    assert store.search_text("?!") == []
    store.apply([UpdateNode(1, text="A poet's daughter.")])
    assert store.search_text("mathematician") == []
    store.undo()
    assert len(store.search_text("mathematician")) == 1


def test_search_finds_facts_by_text_and_by_names(store):
    store.apply(
        [AddEdge("Ada", "met", "Babbage", text="They met at a soirée in 1833."), AddEdge("Ada", "wrote", "Notes")]
    )
    assert store.search_text("soiree", what="edge")[0][0] == 1
    assert store.search_text("who wrote Notes?", what="edge")[0][0] == 2
    assert store.search_text("wrote", what="edge")[0][0] == 2
    store.apply([Retire(1)])
    assert [edge for edge, _ in store.search_text("soiree", what="edge")] == []
    with pytest.raises(InvalidValue):
        store.search_text("x", what="fact")


def test_namespaces_are_isolated(tmp_path):
    with (
        SQLiteStore.open(tmp_path / "m.db", namespace="a") as a,
        SQLiteStore.open(tmp_path / "m.db", namespace="b") as b,
    ):
        a.apply([AddEdge("Ada", "likes", "Tea")])
        entry = b.apply([AddEdge("Ada", "hates", "Tea")])
        assert lines(a.facts()) == ["Ada | likes | Tea"]
        assert lines(b.facts()) == ["Ada | hates | Tea"]
        assert a.index().relations == ("likes",)
        assert [node for node, _ in b.search_text("Ada")] == [entry.node_ids[0]]
        with pytest.raises(NotFound):
            a.node(entry.node_ids[0])
        with pytest.raises(NotFound):
            a.apply([Retire(entry.edge_ids[0])])
        with pytest.raises(NotFound):
            a.undo(entry.id)


def test_vectors_round_trip_and_mismatch_is_an_error(store):
    ids = np.array(store.apply([AddNode("Ada"), AddNode("Bob")]).node_ids)
    vectors = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    store.put_vectors(ids[::-1], vectors, "enc")
    back_ids, back = store.vectors("enc")
    assert back_ids.tolist() == ids.tolist()
    np.testing.assert_allclose(back, vectors[::-1], atol=2e-3)
    assert store.without_vectors("enc") == []
    with pytest.raises(EncoderMismatch, match="enc"):
        store.vectors("other")
    assert [node.id for node in store.without_vectors("other")] == ids.tolist()
    with pytest.raises(InvalidVector):
        store.put_vectors(ids, vectors[:, :3], "enc")
    with pytest.raises(InvalidVector, match="vector 1"):
        store.put_vectors(ids, np.array([[0.0, 1.0], [np.nan, 0.0]]), "third")
    with pytest.raises(NotFound):
        store.put_vectors(np.array([99]), vectors[:1], "enc")


def test_a_closed_store_says_so(tmp_path):
    store = SQLiteStore.open(tmp_path / "m.db")
    store.close()
    store.close()
    with pytest.raises(Closed):
        store.facts()
    with pytest.raises(Closed):
        store.apply([AddNode("Ada")])


def test_everything_is_there_after_reopening(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddEdge("Ada", "likes", "Tea")])
        store.undo()
    with SQLiteStore.open(tmp_path / "m.db") as store:
        assert store.facts() == []
        store.redo()
        assert lines(store.facts()) == ["Ada | likes | Tea"]


def test_reading_and_writing_in_one_transaction(store):
    store.apply([AddNode("counter", attributes={"n": 1})])

    def more(open_store):
        node = open_store.resolve("counter")
        return [UpdateNode(node.id, attributes={"n": node.attributes["n"] + 1})]

    store.update(more)
    assert store.resolve("counter").attributes == {"n": 2}


def test_use_is_counted(store):
    node = store.apply([AddNode("Ada")]).node_ids[0]
    ((_, created, *unused),) = store.usage()
    assert unused == [0, 0]
    store.touch(np.array([node]))
    store.touch([node])
    ((_, _, count, at),) = store.usage()
    assert count == 2 and at >= created


def test_cycles_self_loops_and_parallel_facts_are_fine(store):
    edits = [AddEdge("a", "r", "a"), AddEdge("a", "r", "b"), AddEdge("b", "r", "a")]
    store.apply(edits + [AddEdge("a", f"r{n}", "b") for n in range(10_000)])
    assert store.index().degree(np.array([1, 2])).tolist() == [10_004, 10_002]
    assert len(store.facts(object=2)) == 10_001


def test_a_bulk_load_through_two_names_of_one_node_makes_one_fact(store):
    store.apply([AddNode("cat", aliases=("bob",))])
    store.bulk_load([], [("bob", "knows", "bob"), ("bob", "knows", "cat"), ("cat", "knows", "dan")])
    assert lines(store.facts()) == ["cat | knows | cat", "cat | knows | dan"]
    assert store.edge(1).strength == 2.0


@pytest.mark.parametrize("fresh", [False, True])
def test_a_large_load_is_the_same_whether_names_are_shared_objects_or_equal_ones(monkeypatch, fresh):
    monkeypatch.setattr("graphmem.storage.tables.bulk_read.CHUNK", 64)
    monkeypatch.setattr("graphmem.storage.tables.bulk_read.SORT_FROM", 100)
    monkeypatch.setattr("graphmem.storage.tables.bulk_write.REBUILD_FROM", 100)
    rng = np.random.default_rng(0)
    names = [f"Name {number}" for number in range(200)] + ["NAME 7"]
    kinds = ["r", "s", "R"]
    picked = list(zip(*rng.integers(0, [[201], [3], [201]], (3, 1000)).tolist(), strict=True))
    triples = [(names[s], kinds[r], names[o]) for s, r, o in picked]
    if fresh:
        triples = [tuple("".join(list(part)) for part in triple) for triple in triples]
    truth: dict[str, int] = {}
    for s, r, o in picked:
        key = f"Name {s % 200 if s < 200 else 7} | {kinds[r % 2]} | Name {o if o < 200 else 7}"
        truth[key] = truth.get(key, 0) + 1
    with SQLiteStore.open(":memory:") as store:
        store.bulk_load(names, triples)
        assert sorted(lines(store.facts())) == sorted(truth)
        assert {str(fact): store.edge(fact.id).strength for fact in store.facts()} == truth
        assert store.stats()["nodes"] == 200
        assert store.search_text("name 199")[0][0] == store.resolve("name 199").id
        indexes = {row[0] for row in store.connection.rows("SELECT name FROM sqlite_schema WHERE type = 'index'")}
        assert {"edges_out", "edges_in", "nodes_by_norm"} <= indexes
        store.undo()
        assert (store.stats()["facts"], store.stats()["nodes"]) == (0, 0)


@pytest.mark.parametrize(
    ("triple", "what"),
    [(("a", "r"), "triple 1"), ("abc", "triple 1"), (("a", "", "b"), "triple 1: relation"), ((1, "r", "b"), "subject"),
     (None, "triple 1"), (("a", "r", "b", "c"), "triple 1")],
)  # fmt: skip
def test_a_bad_triple_is_named_and_nothing_is_written(store, triple, what):
    with pytest.raises(InvalidValue, match=what):
        store.bulk_load(["x"], [("a", "r", "b"), triple])
    with pytest.raises(InvalidValue, match=r"names\[1\]"):
        store.bulk_load(["x", " "], [])
    with pytest.raises(InvalidVector, match="fingerprint"):
        store.bulk_load(["x"], [], np.ones((1, 3)))
    with pytest.raises(InvalidVector):
        store.bulk_load(["x"], [], np.ones((2, 3)), fingerprint="f")
    assert (store.stats()["nodes"], store.journal()) == (0, [])


def test_restoring_tells_a_merged_node_from_a_retired_namesake(store):
    store.apply([AddNode("Rob"), AddNode("Bob", aliases=("Rob",), ambiguous=True), AddNode("Robert")])
    store.apply([Retire(1, "node")])
    assert store.resolve("rob").id == 2
    store.apply([Restore(1, "node")])
    assert store.resolve("rob").id == 1
    store.apply([MergeNodes(3, 1)])
    with pytest.raises(Conflict, match="merged"):
        store.apply([Restore(1, "node")])


def test_a_failed_call_inside_a_transaction_takes_only_itself_back(store):
    with store.connection.writing():
        store.apply([AddNode("kept")])
        with pytest.raises(NotFound):
            store.apply([AddNode("lost"), Retire(99)])
        store.apply([AddNode("also kept")])
    assert [node.name for node in store.all_nodes()] == ["kept", "also kept"]
    assert [entry.id for entry in store.journal()] == [2, 1]
    with pytest.raises(NotFound), store.connection.writing():
        store.apply([AddNode("gone")])
        store.apply([Retire(99)])
    assert store.stats()["nodes"] == 2


def test_no_read_by_id_or_name_walks_a_whole_table(store):
    store.bulk_load([], [(f"s{n}", f"r{n % 3}", f"o{n % 50}") for n in range(500)], note="many")
    asked = []
    raw = store.connection.raw
    for analysed in (False, True):
        if analysed:
            raw.execute("ANALYZE")
        raw.set_trace_callback(asked.append)
        store.nodes([1, 2])
        store.names([1, 2])
        store.resolve("s3")
        store.resolve_many(["s4", "o3"])
        store.edge(3)
        store.facts_by_id([1, 2])
        store.facts(subject=1)
        store.facts(object=2)
        store.all_nodes(after=5, limit=3)
        store.search_text("s7")
        raw.set_trace_callback(None)
    walked = [
        (sql, step[3])
        for sql in asked
        if sql.startswith(("SELECT", " "))
        for step in raw.execute("EXPLAIN QUERY PLAN " + sql)
        if step[3] in ("SCAN n", "SCAN e", "SCAN s", "SCAN d")
        or step[3].startswith(("SCAN nodes", "SCAN edges"))
        or "nodes_by_norm (ns=?)" in step[3]
    ]
    assert len(asked) > 20
    assert walked == []
