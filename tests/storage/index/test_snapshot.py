"""The packed snapshot is quick, patched, and never trusted over the file."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, Retire
from graphmem.core.errors import ReadOnly
from graphmem.storage.index import adjacency_cache as views
from graphmem.storage.index import snapshot, vector_cache
from graphmem.storage.sqlite import SQLiteStore


@pytest.fixture
def path(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.bulk_load(["a", "b"], [("a", "r", "b"), ("b", "s", "c")], np.eye(2, 8), fingerprint="enc")
        assert store.snapshot("enc") is not None
    return str(tmp_path / "m.db")


def arcs(store, node):
    found = store.index().expand(np.array([node]))
    return sorted(zip(found.target.tolist(), found.relation.tolist(), found.edge.tolist(), strict=True))


def near(store):
    return [store.nearest(query, "enc", 2)[0].tolist() for query in np.eye(2, 8)]


def no_build(monkeypatch):
    def build(*_):
        raise AssertionError("the snapshot was not used")

    monkeypatch.setattr(views, "build", build)


def test_a_new_process_reads_the_snapshot_and_not_the_tables(path, monkeypatch):
    no_build(monkeypatch)
    with SQLiteStore.open(path, read_only=True) as store:
        assert arcs(store, 2) == [(1, 1, 1), (3, 2, 2)]
        assert store.index().relations == ("r", "s")


def test_what_came_later_is_patched_in(path, monkeypatch):
    no_build(monkeypatch)
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("a", "t", "d"), Retire(1)])
        assert arcs(store, 1) == [(4, 4, 3)]
        assert store.index().size == 5
        store.undo()
        assert arcs(store, 1) == [(2, 0, 1)]


def test_one_process_sees_what_another_wrote(path):
    with SQLiteStore.open(path) as writer, SQLiteStore.open(path, read_only=True) as reader:
        assert len(arcs(reader, 1)) == 1
        writer.apply([AddEdge("a", "t", "d")])
        assert len(arcs(reader, 1)) == 2
        writer.snapshot()
        assert len(arcs(reader, 1)) == 2


@pytest.mark.parametrize("harm", ["delete", "cut", "garbage", "foreign"])
def test_a_missing_or_damaged_snapshot_does_no_harm(path, harm, tmp_path):
    file = snapshot.path_for(path, 1)
    if harm == "delete":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-64])
    elif harm == "garbage":
        file.write_bytes(b"\x07" * 500)
    else:
        with SQLiteStore.open(tmp_path / "other.db") as other:
            other.bulk_load([], [("x", "y", "z")])
            other.snapshot()
        file.write_bytes(snapshot.path_for(str(tmp_path / "other.db"), 1).read_bytes())
    with SQLiteStore.open(path) as store:
        assert arcs(store, 2) == [(1, 1, 1), (3, 2, 2)]


GARBLE = ("flip", "byte", "cut", "grow", "swap", "zero", "other")


def garbled(data: bytes, how: str, rng: random.Random, other: bytes) -> bytes:
    """A snapshot as a bad disk or a careless hand leaves it."""
    bad, at = bytearray(data), rng.randrange(len(data))
    if how == "flip":
        bad[at] ^= 1 << rng.randrange(8)
    elif how == "byte":
        bad[at] = (bad[at] + rng.randrange(1, 256)) % 256
    elif how == "cut":
        del bad[at:]
    elif how == "grow":
        bad += bytes(64)
    elif how == "swap":
        one, two = (64 * rng.randrange(len(data) // 64) for _ in range(2))
        bad[one : one + 64], bad[two : two + 64] = data[two : two + 64], data[one : one + 64]
    elif how == "zero":
        bad[at : at + 64] = bytes(len(bad[at : at + 64]))
    else:
        bad = bytearray(data[: len(data) // 2] + other[len(data) // 2 :])
    return bytes(bad)


@pytest.mark.parametrize("how", GARBLE)
def test_a_garbled_snapshot_is_never_believed(path, tmp_path, how, monkeypatch):
    monkeypatch.setattr("graphmem.storage.index.vector_search.PLAIN", 1)
    monkeypatch.setattr(vector_cache, "PLAIN", 1)
    with SQLiteStore.open(tmp_path / "other.db") as other:
        other.bulk_load(["x", "y"], [("x", "t", "y"), ("y", "u", "z")], np.eye(2, 8), fingerprint="enc")
        other.snapshot("enc")
    with SQLiteStore.open(path) as store:
        store.snapshot("enc")
        right = [arcs(store, node) for node in (1, 2, 3)], near(store)
    for file, rival in ((part(path, 1), part(str(tmp_path / "other.db"), 1)) for part in PARTS):
        data, rng = file.read_bytes(), random.Random(how)
        for _ in range(8):
            file.write_bytes(garbled(data, how, rng, rival.read_bytes()))
            with SQLiteStore.open(path, read_only=True) as store:
                found = near(store)
                assert ([arcs(store, node) for node in (1, 2, 3)], found) == right
        with SQLiteStore.open(path) as store:
            assert arcs(store, 2) == right[0][1]
        file.write_bytes(data)


PARTS = (snapshot.path_for, snapshot.codes_path)


def test_a_damaged_snapshot_is_made_again(path):
    file = snapshot.path_for(path, 1)
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"\x07")
    with SQLiteStore.open(path) as store:
        assert arcs(store, 2) == [(1, 1, 1), (3, 2, 2)]
    assert snapshot.read(path, 1) is not None


def test_a_snapshot_of_another_history_is_not_used(path, tmp_path):
    (tmp_path / "old.db").write_bytes((tmp_path / "m.db").read_bytes())
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("a", "t", "d")])
        store.snapshot()
    (tmp_path / "m.db").write_bytes((tmp_path / "old.db").read_bytes())
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("a", "u", "e")])
        assert arcs(store, 1) == [(2, 0, 1), (4, 4, 3)]
        assert store.index().relations == ("r", "s", "u")


def test_dropping_the_snapshot(path):
    with SQLiteStore.open(path) as store:
        snapshot.drop(path, 1)
        snapshot.drop(path, 1)
        assert not snapshot.path_for(path, 1).exists()
        assert len(arcs(store, 1)) == 1
    with SQLiteStore.open(":memory:") as store:
        assert store.snapshot() is None


def test_facts_that_expire_leave_the_view(path, monkeypatch):
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("a", "t", "d", valid_to="2998"), AddEdge("a", "later", "d", valid_from="2999")])
        assert len(arcs(store, 1)) == 2
        monkeypatch.setattr("graphmem.storage.tables.queries.now_micros", lambda: 32_500_000_000_000_000)
        assert [code for _, code, _ in arcs(store, 1)] == [0, 6]


def test_a_large_view_that_had_to_be_built_is_packed_in_the_background(path, monkeypatch):
    monkeypatch.setattr(views, "PACK_ARCS", 2)
    file = snapshot.path_for(path, 1)
    with SQLiteStore.open(path) as store:
        snapshot.drop(path, 1)
        left = file.with_name(file.name + ".0123abcd.new")
        left.write_bytes(b"half")
        os.utime(left, (0, 0))
        store.index()
    assert file.exists()
    assert not left.exists()
    with SQLiteStore.open(path, read_only=True) as store:
        no_build(monkeypatch)
        assert arcs(store, 1) == [(2, 0, 1)]


def test_a_snapshot_that_cannot_be_written_in_the_background_is_left_out(path, monkeypatch):
    monkeypatch.setattr(views, "PACK_ARCS", 2)
    raised = []
    monkeypatch.setattr("threading.excepthook", raised.append)
    snapshot.drop(path, 1)
    snapshot.path_for(path, 1).mkdir()
    with SQLiteStore.open(path) as store:
        assert arcs(store, 1) == [(2, 0, 1)]
    assert not raised


def test_a_read_only_store_writes_no_snapshot(path, monkeypatch):
    monkeypatch.setattr(views, "PACK_ARCS", 2)
    snapshot.drop(path, 1)
    with SQLiteStore.open(path, read_only=True) as store:
        store.index()
        with pytest.raises(ReadOnly):
            store.snapshot()
    assert not snapshot.path_for(path, 1).exists()
