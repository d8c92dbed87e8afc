"""The journal: what changed and no more, the past from it, and entries of wrong clocks."""

from __future__ import annotations

import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire, UpdateNode
from graphmem.core.times import to_micros
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables import change_recorder, journal, queries, validation
from graphmem.storage.tables import row_images as rows

LONG = "".join(f"sentence {number} of a long text. " for number in range(3000))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.db"


def journal_bytes(store):
    parts = "SELECT sum(length(changes)) FROM journal_parts"
    return store.connection.one(f"SELECT sum(length(changes)) + coalesce(({parts}), 0) FROM journal")[0]


def test_edits_of_a_long_text_are_journalled_as_what_differs(path):
    versions = [LONG[: 500 * k] + f"edit {k}" + LONG[500 * k :] for k in range(30)]
    with SQLiteStore.open(path) as store:
        node = store.apply([AddNode("Ada", text=versions[0])]).node_ids[0]
        first = journal_bytes(store)
        for text in versions[1:]:
            store.apply([UpdateNode("Ada", text=text)])
        assert journal_bytes(store) < 3 * first
        entries = store.history(node)
        changes = [entry.changes[-1] for entry in entries[1:]]
        assert [(c["before"]["text"], c["after"]["text"]) for c in changes] == list(
            zip(versions, versions[1:], strict=False)
        )
        assert [entry.changes[-1]["after"]["text"] for entry in store.journal(2)] == versions[:-3:-1]
        for text in versions[-2::-1]:
            store.undo()
            assert store.node(node).text == text
        store.redo()
        assert store.node(node).text == versions[1]
        replayed = journal.replay(store.connection.raw)["nodes", (node,)]
        assert replayed["text"] == versions[1]
    assert check(path).ok


@pytest.mark.parametrize(
    "texts", [("a" * 300, "a" * 301), ("x" + "é" * 400, "é" * 400), ("ab" * 200, "ab" * 100), ("", LONG)]
)
def test_what_differs_gives_both_texts_back(texts):
    row = rows.padded("nodes", (1, 1, "n", "n", "entity", texts[0], None, 1.0, 5))
    (delta,) = rows.unpack(rows.pack([rows.Change("nodes", row, rows.changed("nodes", row, text=texts[1]))]))
    assert delta.key == (1,) and set(delta.before) == {"text"}
    assert (delta.back({"text": texts[1]})["text"], delta.forth({"text": texts[0]})["text"]) == texts
    assert rows.agrees(delta.after["text"], texts[1]) and not rows.agrees(delta.after["text"], texts[1] + "?")


def test_a_change_is_shown_by_its_columns(path):
    with SQLiteStore.open(path) as store:
        store.apply([AddNode("Ada", text="old")])
        entry = store.apply([UpdateNode("Ada", text="new")])
        (change,) = entry.changes
        assert change == {
            "table": "nodes",
            "id": 1,
            "action": "change",
            "before": {"text": "old"},
            "after": {"text": "new"},
        }
        assert store.journal(1) == [entry]


def test_whole_images_of_earlier_versions_are_read(path):
    before = [1, 1, "n", "n", "entity", "old", None, 1.0, 5]
    after = [*before[:5], "new", None, 2.0, 5]
    (delta,) = rows.unpack(rows.pack_items([["nodes", before, after]]))
    assert (delta.before, delta.after) == ({"text": "old", "strength": 1.0}, {"text": "new", "strength": 2.0})


def test_the_rows_of_a_load_as_they_were_loaded(path):
    with SQLiteStore.open(path) as store:
        store.bulk_load([], [("Ada", "likes", "Tea"), ("Bob", "likes", "Tea")])
        store.apply([AddEdge("Ada", "likes", "Tea", confidence=0.5), UpdateNode("Bob", name="Robert")])
        store.apply([Retire(1), UpdateNode("Robert", text="A baker.")])
        raw = store.connection.raw
        assert journal.first_before(raw, "edges", range(1, 3)) == {1: {"strength": 1.0, "retired_at": None}}
        assert journal.first_before(raw, "nodes", {3}) == {3: {"name": "Bob", "norm": "bob", "text": ""}}


def at(monkeypatch, micros):
    clock = (lambda: micros) if micros else validation.now_micros
    for module in (change_recorder, queries):
        monkeypatch.setattr(module, "now_micros", clock)


def test_a_clock_that_once_ran_ahead_does_not_drag_later_entries_along(path, monkeypatch):
    start, hour = to_micros("2026-01-01"), 3_600_000_000
    with SQLiteStore.open(path) as store:
        times = []
        for number, moment in enumerate([start, to_micros("5024"), start + hour, start + 2 * hour]):
            at(monkeypatch, moment)
            times.append(to_micros(store.apply([AddEdge("Ada", "likes", f"tea {number}")]).at))
            if number == 2:
                store.apply([Retire(1)])
        assert times == [start, to_micros("5024"), start + hour, start + 2 * hour]
        found = {
            when: [fact.id for fact in store.facts(known_at=when)] for when in (start, start + hour, start + 3 * hour)
        }
        assert found == {start: [1], start + hour: [1, 2, 3], start + 3 * hour: [2, 3, 4]}
        assert [fact.id for fact in store.facts()] == [2, 3, 4]
        assert [fact.id for fact in store.facts(as_of=start + hour)] == [1, 2, 3, 4], "none has a start"
        assert [entry.id for entry in store.journal()] == [5, 4, 3, 2, 1]
        store.undo()
        assert [fact.id for fact in store.facts()] == [2, 3]
    assert check(path).ok


@pytest.mark.parametrize("back", [1, 3_600_000_000, None])
def test_a_clock_that_goes_back_or_is_lost_leaves_entries_in_order(path, monkeypatch, back):
    start = to_micros("2026-01-01")
    with SQLiteStore.open(path) as store:
        times = []
        for moment in [start, start - back if back else 0 + 1, start + 1]:
            at(monkeypatch, moment)
            times.append(to_micros(store.apply([AddEdge("Ada", "likes", f"tea {len(times)}")]).at))
        assert times == [start, start + 1, start + 2]
        assert [len(store.facts(known_at=when)) for when in times] == [1, 2, 3]
