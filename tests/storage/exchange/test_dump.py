"""Dumps of one namespace: that one alone, its history included."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing

import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.storage.exchange.export import export
from graphmem.storage.exchange.load_dump import load_jsonl
from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables.row_images import unpack_names


@pytest.fixture
def path(tmp_path):
    """Two people's memories in one file, written in turn; facts of Bob's that changed and were undone."""
    file = tmp_path / "m.db"
    for turn in range(3):
        with SQLiteStore.open(file, namespace="default") as store:
            store.bulk_load([f"alice node {turn}"], [("alice", f"alice knows {turn}", "alice end")], source="alice.csv")
            store.apply(
                [AddNode("alice", text="alice text", aliases=("alice alias",)), AddEdge("alice", "is", "alice b")]
            )
        with SQLiteStore.open(file, namespace="bob") as store:
            store.apply(
                [AddEdge("bob", f"likes {turn}", "tea", source=f"bob {turn}", confidence=0.5)], note="bob wrote"
            )
            store.bulk_load([], [("bob", f"has {turn}", "rum")], source="bulk bob")
    with SQLiteStore.open(file, namespace="bob") as store:
        store.undo()
        store.redo()
        store.undo()
    with closing(sqlite3.connect(file, isolation_level=None)) as raw:
        raw.execute("INSERT INTO nodes(id, ns, name, norm, created_at) SELECT 99, id, 'bob stray', 'bob stray', 1 "
                    "FROM namespaces WHERE name = 'bob'")  # fmt: skip
    assert repair(file)[1].ok, "its entry, in the namespace of Bob, holds a copy of all names"
    return file


def test_the_memory_of_bob_holds_names_of_alice_in_an_entry_of_his(path):
    with closing(sqlite3.connect(path)) as raw:
        ns, blob = raw.execute("SELECT ns, changes FROM journal ORDER BY id DESC").fetchone()
        assert ("relations", 1, "alice knows 0") in [
            (t, row[1], row[2]) for t, row in unpack_names(blob) if len(row) > 2
        ]
        assert raw.execute("SELECT name FROM namespaces WHERE id = ?", (ns,)).fetchone() == ("bob",)


def dumped(path, namespace, **options):
    out = io.StringIO()
    with SQLiteStore.open(path, namespace=namespace) as store:
        done = export(store, out, **options)
    return out.getvalue(), done


def test_one_namespace_is_dumped_alone_with_its_history(path, tmp_path):
    text, done = dumped(path, "bob")
    assert "alice" not in text.casefold() and done.namespaces == ("bob",)
    (tmp_path / "bob.jsonl").write_text(text)
    load_jsonl(tmp_path / "bob.jsonl", tmp_path / "bob.db")
    assert b"alice" not in (tmp_path / "bob.db").read_bytes().lower()
    with closing(sqlite3.connect(tmp_path / "bob.db")) as raw:
        blobs = raw.execute("SELECT changes FROM journal").fetchall()
    names = [name for (blob,) in blobs for name in unpack_names(blob)]  # a long block is compressed
    assert ("sources", "bob 1") in [(table, row[-1]) for table, row in names] and "alice" not in str(names)
    assert check(tmp_path / "bob.db").ok
    with SQLiteStore.open(path, namespace="bob") as old, SQLiteStore.open(tmp_path / "bob.db", namespace="bob") as new:
        assert new.facts() == old.facts() and new.journal(100) == old.journal(100)
        assert new.history(new.resolve("bob").id) == old.history(old.resolve("bob").id)
        before = len(new.facts())
        new.redo()
        assert len(new.facts()) == before + 1
        entry = new.apply([AddEdge("bob", "likes", "cake")])
        assert entry.id == old.journal(1)[0].id + 2 and new.undo(entry.id).action == "undo"
    assert check(tmp_path / "bob.db").ok


def test_everything_is_dumped_when_asked_for(path):
    whole, done = dumped(path, "default")
    assert "alice" in whole and "bob wrote" in whole and set(done.namespaces) == {"default", "bob"}
    assert dumped(path, "bob", whole=True)[0] == whole
    only, done = dumped(path, "default", whole=False)
    assert "alice" in only and "bob" not in only and done.namespaces == ("default",)


@pytest.mark.parametrize("format", ["csv", "graphml", "cypher", "ntriples"])
def test_other_formats_hold_one_namespace(path, format):
    text, done = dumped(path, "bob", format=format)
    assert "alice" not in text and "likes" in text and done.namespaces == ("bob",)


def test_records_of_interrupted_imports_are_not_dumped(path):
    with SQLiteStore.open(path) as store, store.connection.writing() as raw:
        raw.execute("INSERT INTO meta VALUES ('ingest:1', ?)", (json.dumps({"rejects": [[1, "alice's line"]]}),))
    assert "ingest:" not in dumped(path, "bob")[0]


def test_a_namespace_called_withheld_is_no_exception(tmp_path):
    for name in ("default", "withheld"):
        with SQLiteStore.open(tmp_path / "w.db", namespace=name) as store:
            store.apply([AddEdge(name, "r", "x")])
    (tmp_path / "w.jsonl").write_text(dumped(tmp_path / "w.db", "withheld")[0])
    load_jsonl(tmp_path / "w.jsonl", tmp_path / "back.db")
    with SQLiteStore.open(tmp_path / "back.db", namespace="withheld") as store:
        assert [str(fact) for fact in store.facts()] == ["withheld | r | x"]
