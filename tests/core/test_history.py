"""The past of a node without what was undone."""

from __future__ import annotations

from graphmem.core.edits import AddEdge
from graphmem.core.history import recorded_facts
from graphmem.storage.sqlite import SQLiteStore


def test_what_was_undone_is_left_out_and_what_ended_is_not() -> None:
    with SQLiteStore.open(":memory:") as store:
        store.apply([AddEdge("Ada", "lives in", "London", valid_to="1840")])
        undone = store.apply([AddEdge("Ada", "lives in", "Rome")])
        store.undo(undone.id)
        ada = store.resolve("Ada")
        assert ada is not None
        assert [str(fact) for fact in recorded_facts(store, ada.id)] == ["Ada | lives in | London"]
        assert recorded_facts(store, ada.id, entries=1) == []
