"""Copies of a memory in use."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import InvalidValue, NotAMemory
from graphmem.storage.maintenance.backup import backup, restore, vacuum
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore


@pytest.fixture
def path(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddEdge("Ada", "likes", "Tea")])
    return tmp_path / "m.db"


def test_backup_and_restore_bring_back_a_moment(path, tmp_path):
    copy = backup(path, tmp_path / "copy.db")
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("Ada", "likes", "Rum")])
        assert len(store.index().packed.edge) + store.index().patches > 2
        restore(copy, path, overwrite=True)
        assert [fact.object for fact in store.facts()] == ["Tea"]
        store.apply([AddEdge("Ada", "likes", "Milk")])
        targets = store.index().expand(store.index().packed.target[:1] * 0 + 1).target
        assert sorted(store.names(targets)) == ["Milk", "Tea"]
    assert check(path).ok
    assert check(copy).ok
    with SQLiteStore.open(restore(copy, tmp_path / "new.db")) as store:
        assert len(store.journal()) == 1


def test_a_backup_taken_while_writing_is_one_moment(path, tmp_path):
    stop = threading.Event()

    def write():
        with SQLiteStore.open(path) as store:
            number = 0
            while not stop.is_set():
                store.apply([AddNode(f"left {number}"), AddNode(f"right {number}")])
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            copy = backup(path, tmp_path / f"copy{number}.db")
            assert check(copy).ok
            with SQLiteStore.open(copy, read_only=True) as store:
                assert store.stats()["nodes"] % 2 == 0
    finally:
        stop.set()
        writer.join()


def test_backup_does_not_overwrite_unasked(path, tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InvalidValue, match="overwrite"):
        backup(path, tmp_path / "taken")
    with pytest.raises(InvalidValue, match="itself"):
        backup(path, path, overwrite=True)
    with pytest.raises(InvalidValue, match="folder"):
        backup(path, tmp_path / "no" / "where.db")
    assert (tmp_path / "taken").read_text() == "mine"
    backup(path, tmp_path / "taken", overwrite=True)
    assert check(tmp_path / "taken").ok


def test_restore_refuses_what_is_no_memory(path, tmp_path):
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(NotAMemory):
        restore(tmp_path / "text", tmp_path / "new.db")
    with pytest.raises(InvalidValue, match="itself"):
        restore(path, path)
    backup(path, tmp_path / "copy.db")
    with pytest.raises(InvalidValue, match="overwrite"):
        restore(path, tmp_path / "copy.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE precious(x)")
    other.commit()
    other.close()
    with pytest.raises(NotAMemory, match="another application"):
        restore(path, tmp_path / "other.db", overwrite=True)
    assert sqlite3.connect(tmp_path / "other.db").execute("SELECT name FROM sqlite_schema").fetchall() == [
        ("precious",)
    ]


def test_vacuum_makes_the_file_smaller_and_forgets_nothing(path):
    with SQLiteStore.open(path) as store:
        store.bulk_load([], [(f"s{n}", "r", f"o{n}") for n in range(5000)])
        store.undo()
        entries = len(store.journal(100))
    before, after = vacuum(path)
    assert after < before
    assert check(path).ok
    with SQLiteStore.open(path) as store:
        assert len(store.journal(100)) == entries
        store.redo()
        assert store.stats()["facts"] == 5001
