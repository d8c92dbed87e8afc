"""Undo and redo: of what is used again, of single columns, and of large loads in little memory."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire, SupersedeEdge, UpdateNode
from graphmem.core.errors import Conflict
from graphmem.core.times import to_micros
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore


@pytest.fixture
def store():
    with SQLiteStore.open(":memory:") as opened:
        yield opened


def lines(store):
    return sorted(f"{fact.subject} | {fact.relation} | {fact.object}" for fact in store.facts())


def names(store):
    return sorted(node.name for node in store.all_nodes())


def test_the_first_fact_about_a_node_that_is_used_again_is_undone(store):
    first = store.apply([AddEdge("Ada", "likes", "Tea")])
    second = store.apply([AddEdge("Ada", "likes", "Rum")])
    store.undo(first.id)
    assert (lines(store), names(store)) == (["Ada | likes | Rum"], ["Ada", "Rum"])
    store.undo(second.id)
    assert (lines(store), names(store)) == ([], [])


@pytest.mark.parametrize("bulk", [False, True])
def test_every_order_of_undo_and_redo_of_facts_about_one_node_ends_the_same(store, bulk):
    facts = [("Ada", "likes", "Tea"), ("Bob", "knows", "Ada"), ("Ada", "knows", "Bob")]
    entries = [store.bulk_load([], [fact]) if bulk else store.apply([AddEdge(*fact)]) for fact in facts]
    held, past = (lines(store), names(store)), []
    for gone in permutations(entries):
        for entry in gone:
            past.append((to_micros(store.undo(entry.id).at), lines(store)))
        assert (lines(store), names(store)) == ([], [])
        left = list(gone)
        while left:  # whatever can be redone first
            done = [entry for entry in left if redone(store, entry.id)]
            assert done
            left = [entry for entry in left if entry not in done]
        assert (lines(store), names(store)) == held
    assert [sorted(map(str, store.facts(known_at=at))) for at, _ in past] == [known for _, known in past]
    assert check_memory(store)


def redone(store, entry):
    try:
        store.redo(entry)
    except Conflict as error:
        assert "builds on" in str(error)
        return False
    return True


def check_memory(store):
    return store.connection.one("PRAGMA foreign_key_check") is None


def test_nodes_that_another_entry_only_touched_go_with_it(store):
    first = store.apply([AddEdge("Ada", "likes", "Tea")])
    alias = store.apply([UpdateNode("Ada", add_aliases=("Countess",))])
    decayed = store.apply([UpdateNode("Ada", strength=0.5), UpdateNode("Tea", strength=0.5, attributes={"n": 1})])
    for entry in (first, decayed, alias):
        store.undo(entry.id)
    assert names(store) == []


def test_a_node_that_stays_loses_what_the_undone_entry_said_about_it(store):
    first = store.apply([AddNode("Ada", "person", "A mathematician.", ("Countess",), {"born": 1815})])
    store.apply([AddEdge("Ada", "likes", "Tea")])
    store.undo(first.id)
    node = store.resolve("Ada")
    assert (node.kind, node.text, node.aliases, node.attributes) == ("entity", "", (), {})
    assert lines(store) == ["Ada | likes | Tea"]
    store.redo(first.id)
    node = store.resolve("countess")
    assert (node.kind, node.text, node.attributes) == ("person", "A mathematician.", {"born": 1815})


def test_a_bulk_load_is_undone_without_the_nodes_that_are_used_again(store):
    first = store.bulk_load(["Zoe"], [("Ada", "likes", "Tea"), ("Bob", "likes", "Tea")])
    store.apply([AddEdge("Ada", "likes", "Rum"), UpdateNode("Bob", text="A baker.")])
    store.undo(first.id)
    assert (lines(store), names(store)) == (["Ada | likes | Rum"], ["Ada", "Bob", "Rum"])
    store.redo(first.id)
    assert names(store) == ["Ada", "Bob", "Rum", "Tea", "Zoe"]
    assert len(lines(store)) == 3 and store.resolve("Bob").text == "A baker."


def test_columns_are_undone_one_by_one_and_a_changed_value_is_a_conflict(store):
    store.apply([AddNode("Ada", text="old")])
    text = store.apply([UpdateNode("Ada", text="new")])
    store.apply([UpdateNode("Ada", strength=7.0)])
    store.undo(text.id)
    assert (store.resolve("Ada").text, store.resolve("Ada").strength) == ("old", 7.0)
    store.redo(text.id)
    later = store.apply([UpdateNode("Ada", text="newer")])
    with pytest.raises(Conflict, match=f"entries {later.id} build on it"):
        store.undo(text.id)
    assert store.resolve("Ada").text == "newer"


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("then", [Retire(1), SupersedeEdge(1, AddEdge("Ada", "likes", "Rum"))])
def test_a_fact_that_was_changed_since_is_a_conflict_that_names_the_entry(store, bulk, then):
    fact = ("Ada", "likes", "Tea")
    first = store.bulk_load([], [fact]) if bulk else store.apply([AddEdge(*fact)])
    later = store.apply([then])
    with pytest.raises(Conflict, match=f"entries {later.id} build on it"):
        store.undo(first.id)
    store.undo(later.id)
    store.undo(first.id)
    assert (lines(store), names(store)) == ([], [])


MEMORY = """
import sys, tracemalloc
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables import journal, row_images
journal.SHOWN_CHANGES = journal.LISTED_IDS = 4 * int(sys.argv[3])
count, row_images.PART_ROWS = int(sys.argv[2]), int(sys.argv[3])
with SQLiteStore.open(sys.argv[1]) as store:
    store.bulk_load([], ((f"name {k}", "likes", f"name {k * 7 % count}") for k in range(count)))
    tracemalloc.start()
    store.undo()
    undo = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    store.redo()
    print(undo, tracemalloc.get_traced_memory()[1])
"""


def peaks(path, count, block):
    command = [sys.executable, "-c", MEMORY, str(path), str(count), str(block)]
    done = subprocess.run(command, check=True, capture_output=True)
    assert check(path).ok
    return [int(number) for number in done.stdout.split()]


def grows_little(tmp_path, small, large, block):
    few, many = peaks(tmp_path / "a.db", small, block), peaks(tmp_path / "b.db", large, block)
    return all(more < 2 * less for less, more in zip(few, many, strict=True))


def test_undo_and_redo_of_a_large_load_take_no_more_memory_than_of_a_small_one(tmp_path):
    assert grows_little(tmp_path, 500, 5_000, 64)


@pytest.mark.slow
def test_undo_and_redo_of_300_000_facts_take_no_more_memory_than_of_30_000(tmp_path):
    assert grows_little(tmp_path, 30_000, 300_000, 4096)
