"""Vectors for search follow the file at once: in this process and in others, with and without the cache beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, MergeNodes, Restore, Retire, UpdateNode
from graphmem.core.errors import EncoderMismatch
from graphmem.storage.index import snapshot
from graphmem.storage.index import vector_cache as vector_views
from graphmem.storage.index import vector_search as dense
from graphmem.storage.sqlite import SQLiteStore

WIDTH = 8


@pytest.fixture(params=["plain", "coded"])
def path(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "coded":
        for module in (dense, vector_views):
            monkeypatch.setattr(module, "PLAIN", 4)
        monkeypatch.setattr(dense, "OVERLAY", 2)
        monkeypatch.setattr(vector_views, "PACK_VECTORS", 5)
    return str(tmp_path / "m.db")


def vectors(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float16).astype(np.float32)
    return found


def filled(path: str, count: int = 20) -> SQLiteStore:
    store = SQLiteStore.open(path)
    store.bulk_load([f"n{i}" for i in range(count)], [], vectors(count), fingerprint="enc")
    return store


def truth(store: SQLiteStore, query: np.ndarray, limit: int) -> list[int]:
    ids, found = store.vectors("enc")
    return ids[np.lexsort((ids, -(found @ query)))[:limit]].tolist()


def assert_true(store: SQLiteStore, limit: int = 5) -> None:
    for query in vectors(3, seed=9):
        ids, scores = store.nearest(query, "enc", limit)
        assert ids.tolist() == truth(store, query, limit)
        assert truth(store, query, 1)[0] in store.approximate_nearest(query, "enc", 10)
        known, found = store.vectors("enc")
        np.testing.assert_allclose(scores, (found @ query)[np.searchsorted(known, ids)], rtol=1e-4, atol=1e-4)
    without = [node.id for node in store.without_vectors("enc", 10_000)]
    assert store.missing_vectors("enc").tolist() == without


EDITS = [
    lambda store: store.apply([AddNode("new")]),
    lambda store: store.put_vectors(np.array([21]), vectors(1, 5), "enc"),
    lambda store: store.apply([Retire(3, "node")]),
    lambda store: store.apply([Restore(3, "node")]),
    lambda store: store.apply([UpdateNode(4, name="renamed")]),
    lambda store: store.apply([UpdateNode(5, kind="person")]),
    lambda store: store.undo(),
    lambda store: store.put_vectors(np.array([4]), vectors(1, 6), "enc"),
    lambda store: store.put_vectors(np.array([7, 8]), vectors(2, 7), "enc"),
    lambda store: store.apply([MergeNodes(9, 10)]),
    lambda store: store.undo(),
    lambda store: store.bulk_load(["x", "y", "z"], [("x", "r", "w")], vectors(3, 8), fingerprint="enc"),
    lambda store: store.undo(),
    lambda store: store.apply([AddEdge("n1", "likes", "n2")]),
    lambda store: store.apply([UpdateNode(6, text="words"), Retire(1, "node")]),
]


def test_every_kind_of_edit_is_seen_at_once_here_and_elsewhere(path: str) -> None:
    with filled(path) as store, SQLiteStore.open(path) as other:
        for edit in EDITS:
            assert_true(store)
            assert_true(other)
            edit(store)
        assert_true(store)
        assert_true(other)
    with SQLiteStore.open(path, read_only=True) as later:
        assert_true(later)


def test_a_name_or_text_that_changes_needs_a_new_vector(path: str) -> None:
    with filled(path) as store:
        store.apply([UpdateNode(2, name="other"), UpdateNode(3, text="changed"), UpdateNode(4, add_aliases=("also",))])
        assert store.missing_vectors("enc").tolist() == [2, 3]


def test_namespaces_do_not_mix(path: str) -> None:
    with filled(path) as store, SQLiteStore.open(path, namespace="b") as other:
        assert not len(other.nearest(vectors(1)[0], "enc", 3)[0])
        other.bulk_load(["only"], [], vectors(1, 3), fingerprint="enc")
        assert other.nearest(vectors(1)[0], "enc", 3)[0].tolist() == [21]
        assert_true(store)


def test_another_encoder_is_an_error_that_names_the_way_out(path: str) -> None:
    with filled(path) as store:
        with pytest.raises(EncoderMismatch, match="reencode"):
            store.nearest(np.ones(WIDTH), "other", 3)
        store.put_vectors(np.arange(1, 21), np.ones((20, 4)), "other")
        assert len(store.nearest(np.ones(4), "other", 3)[0]) == 3
        with pytest.raises(EncoderMismatch):
            store.nearest(np.ones(WIDTH), "enc", 3)


def test_likeness_of_some_nodes(path: str) -> None:
    with filled(path) as store:
        store.apply([AddNode("new")])
        query = vectors(1, 4)[0]
        found = store.similarity(query, "enc", np.array([20, 21, 1, 999]))
        exact = store.vectors("enc")[1] @ query
        np.testing.assert_allclose(found[[0, 2]], exact[[19, 0]], atol=0.05)
        assert np.isnan(found[[1, 3]]).all()


def test_lent_vectors_are_found_and_never_written(path: str) -> None:
    with filled(path) as store:
        store.apply([AddNode("new")])
        before = store.stats()["vectors"]
        store.keep_vectors(np.array([21]), 10 * vectors(1, 4), "enc")
        assert store.nearest(vectors(1, 4)[0], "enc", 1)[0].tolist() == [21]
        assert not len(store.missing_vectors("enc")) and store.stats()["vectors"] == before
        store.apply([AddNode("newer")])
        assert store.nearest(vectors(1, 4)[0], "enc", 1)[0].tolist() == [21]
        assert store.missing_vectors("enc").tolist() == [22]


# ---------------------------------------------------------------- the cache beside the file


@pytest.fixture
def coded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for module in (dense, vector_views):
        monkeypatch.setattr(module, "PLAIN", 4)
    monkeypatch.setattr(vector_views, "PACK_VECTORS", 5)
    with filled(str(tmp_path / "m.db")) as store:
        assert_true(store)
    return str(tmp_path / "m.db")


def no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: Any) -> None:
        raise AssertionError("the codes beside the file were not used")

    monkeypatch.setattr(vector_views, "build", build)


def test_codes_are_kept_beside_the_file_and_patched(coded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert snapshot.codes_path(coded, 1).exists()
    no_build(monkeypatch)
    with SQLiteStore.open(coded) as store:
        assert_true(store)
        store.apply([AddNode("new"), Retire(2, "node")])
        store.put_vectors(np.array([21]), vectors(1, 5), "enc")
        assert_true(store)
    with SQLiteStore.open(coded, read_only=True) as store:
        assert_true(store)


@pytest.mark.parametrize("harm", ["delete", "cut", "garble"])
def test_lost_or_damaged_codes_do_no_harm(coded: str, harm: str) -> None:
    file = snapshot.codes_path(coded, 1)
    data = file.read_bytes()
    if harm == "delete":
        file.unlink()
    else:
        file.write_bytes(data[:-100] if harm == "cut" else b"x" * len(data))
    with SQLiteStore.open(coded) as store:
        assert_true(store)


def test_codes_of_another_history_are_not_believed(coded: str, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    with SQLiteStore.open(coded) as store:
        store.apply([AddNode("a"), AddNode("b")])
        store.connection.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(coded, backup)
        store.put_vectors(np.array([21]), vectors(1, 5), "enc")
        store.snapshot("enc")  # packs the codes of this history
        assert_true(store)
    shutil.copy(backup, coded)
    with SQLiteStore.open(coded) as store:
        store.put_vectors(np.array([22]), vectors(1, 6), "enc")  # as many writes, but another node
        assert_true(store)


def test_vectors_are_lent_to_a_file_that_has_none_and_is_only_read(path: str) -> None:
    with SQLiteStore.open(path) as store:
        store.bulk_load([f"n{i}" for i in range(20)], [])
    with SQLiteStore.open(path, read_only=True) as store:
        ids = np.array([node.id for node in store.all_nodes()])
        assert not len(store.nearest(vectors(1)[0], "enc", 3)[0])
        store.keep_vectors(ids, vectors(20), "enc")
        assert store.nearest(vectors(20)[7], "enc", 1)[0].tolist() == [ids[7]]
