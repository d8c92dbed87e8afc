"""Compaction: what it drops, what it keeps, and what is refused after it."""

from __future__ import annotations

import pytest

from graphmem.core.edits import AddEdge, AddNode, MergeNodes, Restore, UpdateNode
from graphmem.core.errors import Conflict, Corrupt, InvalidTime, NotKept, ReadOnly
from graphmem.memory import GraphMemory
from graphmem.storage.maintenance.check import check


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.db"


def times(memory):
    return [(entry.id, entry.at, entry.action, entry.note) for entry in memory.journal()]


def test_the_past_is_dropped_and_the_rest_stays(path):
    with GraphMemory.open(path) as memory:
        memory.add("Ada", "likes", "Tea")
        memory.bulk_load(["Zoe"], [("Bob", "likes", "Tea")])
        memory.store.apply([UpdateNode("Bob", text="A baker. " * 2000), AddEdge("Bob", "knows", "Ada")])
        memory.undo()
        kept = memory.add("Ada", "likes", "Rum")
        memory.add("Ada", "knows", "Zoe")
        before, facts, recorded = times(memory), memory.facts(), [fact.recorded_at for fact in memory.facts()]
        size, after = memory.compact(before=kept.at)
        assert after < size
        assert memory.facts() == facts and [fact.recorded_at for fact in memory.facts()] == recorded
        assert times(memory)[1:] == before and memory.journal(1)[0].action == "compact"
        assert len(memory.facts(known_at=kept.at)) == 3
        for moment in ("2020", before[-1][1]):
            with pytest.raises(NotKept, match="compacted"):
                memory.facts(known_at=moment)
        for entry in (1, 2):
            with pytest.raises(NotKept, match="compacted"):
                memory.undo(entry)
        with pytest.raises(NotKept):
            memory.redo(3)
        with pytest.raises(NotKept, match="a compaction"):
            memory.undo(memory.journal(1)[0])
        assert memory.undo().note == "undo of entry 6"
        memory.undo(kept)
        assert [str(fact) for fact in memory.facts()] == ["Ada | likes | Tea", "Bob | likes | Tea"]
        memory.redo(kept)
        assert len(memory.history("Ada")) >= 5
    report = check(path)
    assert report.ok, str(report)


def test_views_of_before_a_compaction_are_made_again(path):
    with GraphMemory.open(path) as memory, GraphMemory.open(path) as other:
        memory.store.index()
        other.add("Ada", "likes", "Tea")
        other.compact(before="2200")
        assert memory.store.index().degree([1]).tolist() == [1]


def test_a_merged_node_is_not_restored_after_a_compaction(path):
    with GraphMemory.open(path) as memory:
        memory.store.apply([AddNode("Bob"), AddNode("Rob"), MergeNodes(1, 2)])
        memory.compact(before="2200")
        with pytest.raises(Conflict, match="merged"):
            memory.store.apply([Restore(2, "node")])


def test_a_second_compaction_changes_nothing_more(path):
    with GraphMemory.open(path) as memory:
        entry = memory.add("Ada", "likes", "Tea")
        memory.compact(before="2200")
        noted = times(memory)
        memory.compact(before=entry.at)
        assert times(memory) == noted
    assert check(path).ok


def test_wrong_uses_are_typed_errors(path):
    with GraphMemory.open(path) as memory:
        memory.add("Ada", "likes", "Tea")
        with pytest.raises(InvalidTime):
            memory.compact(before="soon")
        with pytest.raises(InvalidTime):
            memory.compact(before=None)
        memory.store.connection.raw.execute("UPDATE journal SET note = 'changed'")
        with pytest.raises(Corrupt, match="repair"):
            memory.compact(before="2200")
    with GraphMemory.open(path, read_only=True) as memory, pytest.raises(ReadOnly):
        memory.compact(before="2200")


def growth(path, updates):
    """Bytes that updates of one node, a transaction each, leave after a compaction."""
    with GraphMemory.open(path) as memory:
        memory.add("Ada", "likes", "Tea")
        (start, _) = memory.compact(before="2000")
        for number in range(updates):
            memory.store.apply([UpdateNode("Ada", strength=2.0 + number)])
        return memory.compact(before="2200")[1] - start


def test_updates_leave_little_after_a_compaction(path):
    assert growth(path, 500) / 500 <= 130


@pytest.mark.slow
def test_a_hundred_thousand_updates_leave_at_most_12_megabytes(path):
    assert growth(path, 100_000) <= 12_000_000
