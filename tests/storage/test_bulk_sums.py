"""Checksums of the rows that bulk loads add."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, Retire, UpdateNode
from graphmem.storage import bulk_sums
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables import bulk_write
from graphmem.storage.tables.change_recorder import altered_entries, reseal

COUNT = bulk_sums.BLOCK + 10


@pytest.fixture
def path(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        names = [f"Name {number}" for number in range(COUNT)]
        triples = [(names[n], "r", names[n * 3 % COUNT]) for n in range(COUNT)]
        store.bulk_load(names, [*triples, triples[5]], source="wiki")
        store.apply([UpdateNode(7, text="words " * 60), AddEdge("Name 1", "r", "Name 3"), Retire(20)])
        store.apply([UpdateNode(7, text="words " * 60 + "more", name="Renamed")])
    return tmp_path / "m.db"


def test_rows_are_compared_as_they_were_loaded(path):
    with closing(sqlite3.connect(path)) as raw:
        found = list(bulk_sums.blocks(raw))
        assert [block.table for block in found] == ["edges", "edges", "nodes", "nodes"]
        assert [block.last - block.first + 1 for block in found] == [bulk_sums.BLOCK, 10] * 2
        assert all(block.sound() for block in found)
        assert 20 in found[0].journalled and found[0].rows[20]["retired_at"] is None
        assert 7 in found[2].journalled and found[2].rows[7]["name"] == "Name 6"
    with SQLiteStore.open(path) as store:
        for _ in range(3):
            store.undo()
        assert store.facts() == []
        store.redo(1)
    assert check(path).ok


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE edges SET dst = dst + 1 WHERE id = 12",
        "UPDATE edges SET strength = 1 WHERE strength = 2",
        "UPDATE edges SET valid_to = 5 WHERE id = 4100",
        "UPDATE edges SET source = NULL WHERE id = 3",
        "UPDATE nodes SET name = 'name 100' WHERE id = 101",
        "UPDATE nodes SET created_at = 5 WHERE id = 101",
        "DELETE FROM edges WHERE id = 15",
    ],
)
def test_every_change_of_a_loaded_row_is_found(path, change):
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute(change)
        raw.commit()
    report = check(path)
    assert "load" in {problem.kind for problem in report.problems}, str(report)


@pytest.mark.parametrize("change", ["sum = x'00000000'", '"last" = "last" + 1', '"first" = "first" - 1'])
def test_the_sums_are_part_of_the_chain(path, change):
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"UPDATE journal_sums SET {change} WHERE what = 'nodes' AND \"last\" = {COUNT}")
        raw.commit()
    assert "journal" in {problem.kind for problem in check(path).problems}


def test_sums_of_whole_rows_hold_for_later_changes(path):
    with closing(sqlite3.connect(path)) as raw:
        altered = altered_entries(raw)
        bulk_sums.seal(raw)
        reseal(raw, altered)
        raw.commit()
    assert check(path).ok
    with SQLiteStore.open(path) as store:
        store.apply([UpdateNode(7, text="words " * 60 + "again"), Retire(30)])
    assert check(path).ok
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE edges SET confidence = 0.5 WHERE id = 8")
        raw.commit()
    assert {problem.kind for problem in check(path).problems} == {"load"}


def test_a_sum_of_facts_covers_every_column():
    table = np.arange(40, dtype=np.int64).reshape(10, 4)
    good = bulk_sums.of_edges(5, table, 2)
    for row in range(10):
        for column in range(4):
            other = table.copy()
            other[row, column] ^= 1
            assert bulk_sums.of_edges(5, other, 2) != good
    assert len({bulk_sums.of_edges(first, table, source) for first in (5, 6) for source in (None, 2)}) == 4


@pytest.mark.parametrize("large", [True, False])
def test_facts_given_twice_have_their_strength_and_ids_go_on_after_an_undo(path, monkeypatch, large):
    monkeypatch.setattr(bulk_write, "REBUILD_FROM", 10 if large else 1 << 30)
    triples = [(f"New {n}", "of", f"Name {n % 7}") for n in range(40)]
    with SQLiteStore.open(path) as store:
        highest = max(fact.id for fact in store.facts())
        store.bulk_load([], triples)
        store.undo()
        store.bulk_load([], [*triples, *triples[10:15], *triples[12:14]], source="again")
        found = {fact.id: fact for fact in store.facts(relation="of")}
        assert sorted(found) == list(range(highest + 41, highest + 81)), "ids of the load that was undone stay unused"
        again = {f"New {n}": 1.0 + (10 <= n < 15) + (12 <= n < 14) for n in range(40)}
        strengths = {edge.id: edge.strength for edge in store.edges(list(found))}
        assert {fact.subject: strengths[fact.id] for fact in found.values()} == again
        order = [fact.subject for _, fact in sorted(found.items())]
        assert (order == [triple[0] for triple in triples]) is not large
        assert {fact.source for fact in found.values()} == {"again"}
    assert check(path).ok
