"""Every kind of damage is found, and repaired where possible."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire, UpdateNode
from graphmem.core.errors import Corrupt, GraphMemError, NotAMemory, NotKept
from graphmem.storage.index import snapshot
from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.sqlite import SQLiteStore


@pytest.fixture
def path(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.bulk_load(["a", "b", "c"], [("a", "r", "b"), ("b", "s", "c")], np.eye(3, 8), fingerprint="enc")
        store.apply(
            [AddEdge("Ada", "born in", "London", text="Ada was born in London."), AddNode("Ada", aliases=("Countess",))]
        )
        store.apply([UpdateNode(store.resolve("Ada").id, text="A mathematician."), Retire(2)])
        store.undo()
        store.snapshot("enc")
    return str(tmp_path / "m.db")


def sql(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            raw.execute(statement)
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def kinds(report):
    return {problem.kind for problem in report.problems}


def test_a_sound_memory_is_sound(path):
    report = check(path)
    assert report.ok, str(report)
    assert (report.exit_code, str(report)) == (0, f"{path}: sound")
    assert repair(path) == (report, report)
    assert not Path(path + ".before-repair-1").exists()


DAMAGE = {
    "missing index": ("index", "DROP INDEX edges_in"),
    "search of nodes": ("search", "DELETE FROM node_fts_data WHERE id > 10"),
    "search row": ("search", "INSERT INTO node_fts(rowid, name, aliases, text) VALUES (99, 'ghost', '', '')"),
    "search of facts": ("search", "INSERT INTO edge_fts(edge_fts) VALUES ('delete-all')"),
    "lost node": ("foreign key", "DELETE FROM nodes WHERE name = 'Ada'"),
    "vector of nobody": ("foreign key", "UPDATE vectors SET node = 77 WHERE node = 1"),
    "short vector": ("vector", "UPDATE vectors SET data = x'0000' WHERE node = 1"),
    "vector of NaN": ("vector", f"UPDATE vectors SET data = x'{'007e' * 8}' WHERE node = 1"),
    "flipped vector": ("vector", "UPDATE vectors SET data = x'003c0000000000000000000000000100' WHERE node = 1"),
    "vector without a checksum": ("vector", "UPDATE vectors SET sum = NULL WHERE node = 1"),
    "vector of another node": ("vector", "UPDATE vectors SET node = 5 WHERE node = 1"),
    "folded form of nothing": ("search", "INSERT INTO folds VALUES (1, 'nobody', 1)"),
    "lost history": ("journal", "DELETE FROM touched"),
    "wrong mark": ("journal", "UPDATE journal SET undone = 1 WHERE id = 1"),
    "wrong check value": ("journal", "UPDATE journal SET chain = x'00' WHERE id = 2"),
    "unknown encoder": ("vector", "DELETE FROM encoders"),
    "wrong normal form": ("name", "UPDATE nodes SET norm = 'zzz' WHERE name = 'a'"),
    "low counter": ("counter", "UPDATE meta SET value = 1 WHERE key = 'next_node'"),
    "lost counter": ("counter", "DELETE FROM meta WHERE key = 'next_edge'"),
    "fact on a retired node": ("time", "UPDATE nodes SET retired_at = 5 WHERE name = 'a'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_repaired(path, damage):
    kind, statement = DAMAGE[damage]
    sql(path, statement)
    report = check(path)
    assert kind in kinds(report), str(report)
    assert report.exit_code == 1
    before, after = repair(path)
    assert kind in kinds(before)
    assert kind not in kinds(after), str(after)
    assert Path(path + ".before-repair-1").exists()
    with SQLiteStore.open(path) as store:
        assert store.search_text("a")
        store.apply([AddEdge("new", "r", "a")])
        assert store.facts(subject=store.resolve("new").id)


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("value", "UPDATE nodes SET state = 7 WHERE id = 1; DELETE FROM journal_sums; DELETE FROM journal"),
    ],
)
def test_unrepairable_damage_is_reported(path, kind, statement):
    sql(path, *statement.split("; "))
    _, after = repair(path)
    assert kind in kinds(after)
    assert any(not problem.repairable for problem in after.problems)
    assert "cannot be repaired" in str(after)


@pytest.mark.parametrize("which", ["id = 2", "id = 1", "id = (SELECT max(id) FROM journal)", "1"])
def test_missing_entries_are_stood_in_for_and_said(path, which):
    with SQLiteStore.open(path) as store:
        held, count = sorted(map(str, store.facts())), len(store.journal(100))
    sql(path, f"DELETE FROM journal WHERE {which}")
    assert "journal" in kinds(check(path))
    _, after = repair(path)
    assert after.ok and any("they are missing" in note for note in after.lost), str(after)
    with SQLiteStore.open(path) as store:
        assert sorted(map(str, store.facts())) == held
        entries = store.journal(100)
        assert [entry.action for entry in entries].count("lost") == (count if which == "1" else 1)
        assert len({entry.at for entry in entries}) == len(entries)
        with pytest.raises(NotKept):
            store.undo(next(entry.id for entry in entries if entry.action == "lost"))
        store.apply([AddEdge("new", "r", "a")])
    assert check(path).ok


@pytest.mark.parametrize("changed", ["strength = 7", "src = 3, dst = 1, strength = 4"])
def test_a_row_of_a_load_without_evidence_is_taken_as_it_is_and_said(path, changed):
    sql(path, f"UPDATE edges SET {changed} WHERE id = 1")
    before, after = repair(path)
    assert "load" in kinds(before) and after.ok
    assert any("not as entry" in note for note in after.lost), str(after)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET note = 'forged' WHERE id = 2",
        "UPDATE journal_ranges SET last = last + 5 WHERE what = 'edges'",
        "UPDATE journal_ranges SET last = 9223372036854775807",
        "UPDATE journal_ranges SET first = -5",
    ],
)
def test_an_entry_that_cannot_be_trusted_is_emptied_and_said(path, statement):
    sql(path, statement)
    assert "journal" in kinds(check(path))
    before, after = repair(path)
    assert "journal" in kinds(before) and "journal" not in kinds(after), str(after)
    assert "cannot be trusted" in " ".join(after.restored) or "trusted" in str(after)
    with SQLiteStore.open(path) as store:
        assert store.facts(subject=store.resolve("Ada").id)


def test_a_lost_node_comes_back_from_the_journal(path):
    sql(path, "DELETE FROM nodes WHERE name = 'London'")
    repair(path)
    with SQLiteStore.open(path) as store:
        assert [fact.object for fact in store.facts(subject=store.resolve("Ada").id)] == ["London"]


def test_a_snapshot_that_lies_is_found_and_dropped(path):
    file = snapshot.path_for(path, 1)
    data = bytearray(file.read_bytes())
    data[-64 * 4 : -64 * 3] = bytes(64)
    with SQLiteStore.open(path) as store:
        index = store.index()
        packed = index.packed
        bad = type(packed)(packed.indptr, packed.target[::-1].copy(), packed.code, packed.edge)
        found = snapshot.read(path, 1)
        snapshot.write(path, replace(found, index=type(index)(bad, index.relations)))
    assert kinds(check(path)) == {"snapshot"}
    repair(path)
    assert check(path).ok
    assert not file.exists()


def test_damaged_pages_are_salvaged(tmp_path):
    path = str(tmp_path / "m.db")
    with SQLiteStore.open(path) as store:
        names = [f"node {number}" for number in range(5000)]
        store.bulk_load(names, [(names[n], "r", names[(n * 7) % 5000]) for n in range(5000)])
    size = Path(path).stat().st_size
    rng = random.Random(0)
    with open(path, "r+b") as file:
        for page in rng.sample(range(40, size // 4096), 3):
            file.seek(page * 4096)
            file.write(bytes(rng.randrange(256) for _ in range(4096)))
    before = check(path)
    assert not before.ok
    _, after = repair(path)
    assert "sqlite" not in kinds(after), str(after)
    with SQLiteStore.open(path) as store:
        assert store.stats()["nodes"] > 3000
        store.apply([AddEdge("node 1", "new", "x")])


def test_random_damage_is_a_typed_error_or_a_report(path):
    snapshot.drop(path, 1)
    good = Path(path).read_bytes()
    for seed in range(25):
        rng = random.Random(seed)
        bad = bytearray(good)
        for _ in range(200):
            bad[rng.randrange(100, len(bad))] = rng.randrange(256)
        Path(path).write_bytes(bytes(bad))
        for suffix in ("-wal", "-shm"):
            Path(path + suffix).unlink(missing_ok=True)
        try:
            found = check(path)
        except GraphMemError:
            continue
        assert not found.ok


def test_what_is_no_memory_is_refused(tmp_path):
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(NotAMemory):
        check(tmp_path / "text")
    with pytest.raises(NotAMemory):
        check(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_damaged_file_raises_corrupt_when_read(tmp_path):
    path = tmp_path / "m.db"
    with SQLiteStore.open(path) as store:
        store.bulk_load([], [(f"s{n}", "r", f"o{n}") for n in range(2000)])
    data = bytearray(path.read_bytes())
    data[8192:] = b"\x5a" * (len(data) - 8192)
    path.write_bytes(bytes(data))
    with pytest.raises(Corrupt, match="graphmem check"):
        SQLiteStore.open(path).facts()


@pytest.mark.parametrize("table", ["nodes", "edges"])
def test_rows_that_another_program_added_are_found(path, table):
    counter = {"nodes": "next_node", "edges": "next_edge"}[table]
    new = f"(SELECT value FROM meta WHERE key = '{counter}')"
    columns = {
        "nodes": f"(id, ns, name, norm, kind, text, strength, created_at) VALUES ({new}, 1, 'x', 'x', 'x', '', 1, 1)",
        "edges": f"(id, ns, src, rel, dst, entry, confidence, strength, text) VALUES ({new}, 1, 1, 1, 3, 2, 1, 1, '')",
    }[table]
    sql(path, f"INSERT INTO {table} {columns}", f"UPDATE meta SET value = value + 1 WHERE key = '{counter}'")
    assert any(f"{table} " in problem.what and "no journal entry" in problem.what for problem in check(path).problems)
    _, after = repair(path)
    assert after.ok and any(f"{table} " in note and "known to no entry" in note for note in after.restored)
