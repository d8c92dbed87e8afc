"""The past of a node without what was undone."""

from __future__ import annotations

from graphmem.core.edits import AddEdge
from graphmem.core.history import recorded_facts, superseding
from graphmem.core.times import to_micros
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


def test_a_changed_value_is_told_by_its_accents_and_a_subject_is_found_without_them() -> None:
    with SQLiteStore.open(":memory:") as store:
        store.apply([AddEdge("José", "lives in", "Oslo")])
        store.apply(superseding(store, AddEdge("José", "lives in", "Óslo"), None))
        assert [str(fact) for fact in store.facts()] == ["José | lives in | Óslo"]
        store.apply(superseding(store, AddEdge("Jose", "lives in", "Rome"), None))
        assert [str(fact) for fact in store.facts()] == ["José | lives in | Rome"]


def test_late_news_end_where_the_next_known_value_begins() -> None:
    with SQLiteStore.open(":memory:") as store:
        store.apply([AddEdge("Ann", "boss", "Bob", valid_from="2010")])
        for name, year in (("Carl", "2005"), ("Dora", "2000"), ("Eve", "1990")):
            store.apply(superseding(store, AddEdge("Ann", "boss", name), year))
        then = [[fact.object for fact in store.facts(as_of=to_micros(str(year)))] for year in (1995, 2002, 2007, 2020)]
        assert then == [["Eve"], ["Dora"], ["Carl"], ["Bob"]]


def test_a_value_that_is_known_to_have_held_earlier_holds_from_then() -> None:
    with SQLiteStore.open(":memory:") as store:
        store.apply([AddEdge("Ann", "lives in", "Oslo", valid_from="2024")])
        store.apply(superseding(store, AddEdge("Ann", "lives in", "oslo"), "2010-05-01"))
        held = [len(store.facts(as_of=to_micros(year))) for year in ("2009", "2012", "2023-12-31", "2024-06", "2030")]
        assert held == [0, 1, 1, 1, 1]
        store.apply(superseding(store, AddEdge("Ann", "lives in", "Oslo"), None))
        assert [fact.valid_from for fact in store.facts()] == ["2024"]
