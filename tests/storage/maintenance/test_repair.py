"""Repair works on a copy, by evidence: what is brought back is right, and what is not is said."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire, UpdateNode
from graphmem.core.errors import Busy, NotAMemory, NotKept
from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.compact import compact
from graphmem.storage.maintenance.erase import erase
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables.schema import EDGE_INDEXES

PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file with a bulk load, changed rows, aliases, texts and vectors."""
    path = tmp_path_factory.mktemp("whole") / "m.db"
    with SQLiteStore.open(path) as store:
        names = [f"Person {number}" for number in range(200)]
        triples = [(name, "knows", names[number * 7 % 200]) for number, name in enumerate(names)]
        store.bulk_load(
            names, triples, np.random.default_rng(0).normal(size=(200, 8)), fingerprint="enc", source="wiki"
        )
        for number in range(20):
            store.apply([AddEdge(f"Ada {number}", "lives in", f"City {number}", text="Seen.", source="book")])
        store.apply([AddNode("Ada 1", aliases=("Countess",)), UpdateNode(store.resolve("Ada 2").id, text="long " * 90)])
        store.apply([UpdateNode(store.resolve("Person 3").id, text="A friend."), Retire(9)])
        store.undo()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def path(whole, tmp_path):
    return Path(shutil.copy(whole, tmp_path / "m.db"))


def answers(path):
    with SQLiteStore.open(path, read_only=True) as store:
        nodes = store.nodes(range(1, 241))
        return store.facts(), nodes, store.journal(100), store.search_text("Person 33"), store.history(3)


def sql(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            raw.execute(statement)
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def flipped(path, text, other, nth=0):
    """Replace bytes in the file: the n-th place where a text stands."""
    data, at = path.read_bytes(), -1
    for _ in range(nth + 1):
        at = data.index(text, at + 1)
    path.write_bytes(data[:at] + other + data[at + len(text) :])


def places(path, text):
    return path.read_bytes().count(text)


def test_deleted_and_changed_rows_come_back_from_the_journal(path, whole):
    with closing(sqlite3.connect(path)) as raw:
        ids = [row[0] for row in raw.execute("SELECT id FROM edges WHERE text <> ''")]
    sql(path, f"DELETE FROM edges WHERE id IN ({', '.join(map(str, ids[:5]))})",
        f"UPDATE edges SET dst = 1 WHERE id = {ids[7]}", "DELETE FROM aliases", "DELETE FROM nodes WHERE id = 201",
        "UPDATE nodes SET text = 'forged' WHERE name = 'Ada 2'")  # fmt: skip
    before, after = repair(path)
    assert not before.ok and after.ok and not after.lost, str(after)
    assert any("edges" in item and "journal" in item for item in after.restored)
    assert answers(path) == answers(whole)


@pytest.mark.parametrize("place", range(3))
def test_a_bad_letter_in_a_loaded_name_is_settled_by_its_copies(path, whole, place):
    assert places(path, b"erson 33") >= 3  # the name, its normal form, the index
    flipped(path, b"erson 33", b"evson 33", place)
    assert not check(path).ok
    _, after = repair(path)
    assert after.ok and not after.lost, str(after)
    assert answers(path) == answers(whole)


def test_a_name_changed_by_sql_is_settled_by_search_and_checksum(path, whole):
    sql(path, "UPDATE nodes SET name = 'Nobody', norm = 'nobody' WHERE name = 'Person 50'")
    _, after = repair(path)
    assert after.ok, str(after)
    assert answers(path) == answers(whole)


def test_without_a_majority_nothing_is_rewritten(path, whole):
    sql(path, "UPDATE edges SET strength = 3 WHERE id = 5", "UPDATE edges SET dst = 4 WHERE id = 6")
    sent = "SELECT id, src, dst, strength FROM edges ORDER BY id"
    with closing(sqlite3.connect(path)) as raw:
        held = raw.execute(sent).fetchall()
    before, after = repair(path)
    assert "load" in {problem.kind for problem in before.problems}
    assert any("edges 1 to 200" in item for item in after.lost), str(after)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute(sent).fetchall() == held


@pytest.mark.parametrize("table", ["nodes", "edges"])
def test_a_lost_page_of_a_load_comes_back_from_the_indexes(path, whole, table):
    with closing(sqlite3.connect(path)) as raw:
        root = raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    data = bytearray(path.read_bytes())
    at = (root - 1) * PAGE
    assert data[at] == 5  # an inner page; its first cell leads to the first leaf
    leaf = int.from_bytes(data[at + int.from_bytes(data[at + 12 : at + 14], "big") :][:4], "big")
    data[(leaf - 1) * PAGE : leaf * PAGE] = bytes(PAGE)
    path.write_bytes(bytes(data))
    before, after = repair(path)
    assert not before.ok and after.ok, str(after)
    assert answers(path)[:2] == answers(whole)[:2]


def test_one_bad_blob_costs_one_entry(path, whole):
    sql(path, "UPDATE journal SET changes = x'78da00ff' WHERE id = 4")
    with closing(sqlite3.connect(path)) as raw:
        (edge,) = raw.execute("SELECT id FROM edges WHERE entry = 9").fetchone()
    sql(path, f"DELETE FROM edges WHERE id = {edge}")
    _, after = repair(path)
    assert after.ok
    assert len([item for item in after.lost if "entry" in item]) == 1, str(after)
    with SQLiteStore.open(path) as store:
        assert store.facts() == answers(whole)[0]
        assert len(store.journal(100)) == len(answers(whole)[2])


def test_an_entry_that_cannot_be_read_does_not_hide_the_others(path, whole):
    sql(path, "UPDATE journal SET changes = x'00ff' WHERE id = 4")
    before, after = repair(path)
    assert after.ok and after.original is not None, str(after)
    assert after.lost == ("what entry 4 recorded, which cannot be trusted",)
    with SQLiteStore.open(path) as store:
        assert len(store.journal(100)) == len(answers(whole)[2])
        with pytest.raises(NotKept):
            store.undo(4)
        store.undo()
        assert store.apply([AddNode("later")])
    assert check(path).ok and repair(path)[1].original is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal SET note = 'forged' WHERE id = 4", "UPDATE journal SET changes = 'text' WHERE id = 7",
        "DELETE FROM journal_sums", "UPDATE journal_ranges SET \"last\" = \"last\" - 1 WHERE what = 'edges'",
        "UPDATE journal SET at = at + 1 WHERE id = 5", "UPDATE journal SET action = 'undo' WHERE id = 6",
    ],
)  # fmt: skip
def test_after_a_repair_a_bad_entry_stands_in_no_ones_way(path, whole, damage):
    sql(path, damage)
    before, after = repair(path)
    assert not before.ok and after.ok and any("entry" in item for item in after.lost), str(after)
    assert [str(fact) for fact in answers(path)[0]] == [str(fact) for fact in answers(whole)[0]]
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("new", "knows", "Person 1")])
        compact(store.connection, 1, 1 << 60)
    assert check(path).ok


def test_rows_that_a_bad_entry_may_have_changed_stay_as_they_are(path):
    with SQLiteStore.open(path) as store:
        node = store.resolve("Ada 7").id
        store.apply([UpdateNode(node, text="first")])
        number = store.apply([UpdateNode(node, text="second")]).id
        store.apply([AddNode("unrelated")])
    sql(path, f"UPDATE journal SET changes = x'00ff' WHERE id = {number}")
    _, after = repair(path)
    assert after.ok and any("left as it is" in item for item in after.lost), str(after)
    with SQLiteStore.open(path) as store:
        assert store.node(node).text == "second" and store.journal(1)[0].action == "repair"
        store.undo()
        assert store.node(node).text == "second" and store.resolve("unrelated") is None
    assert check(path).ok and repair(path)[1].original is None


def test_the_default_namespace_gets_its_name_back(path, whole):
    sql(path, "DELETE FROM namespaces")
    _, after = repair(path)
    assert after.ok and "the name of namespace 1, 'default', from the journal" in after.restored
    assert answers(path) == answers(whole)


def test_a_bad_check_value_is_told_from_bad_content(path, whole):
    sql(path, "UPDATE journal SET chain = zeroblob(16) WHERE id = 5")
    _, after = repair(path)
    assert after.ok and "the check value of entry 5" in after.restored, str(after)
    assert answers(path) == answers(whole)


def test_a_mark_of_undo_is_what_the_undos_say(path, whole):
    sql(path, "UPDATE journal SET undone = 1 - undone WHERE id IN (3, 24)")
    assert "marked" in str(check(path))
    assert repair(path)[1].ok
    assert answers(path) == answers(whole)


@pytest.mark.parametrize("cut", [1, 100, PAGE, 2 * PAGE + 5, 5 * PAGE])
def test_a_file_cut_short_is_filled_up(path, whole, cut):
    os.truncate(path, path.stat().st_size - cut)
    before, after = repair(path)
    assert (not before.ok and after.original is not None) or cut < PAGE, str(after)
    assert not {"sqlite", "schema"} & {problem.kind for problem in after.problems}
    if after.ok and not after.lost:
        assert answers(path) == answers(whole)
    with SQLiteStore.open(path) as store:
        assert len(store.facts()) == 220
        store.apply([AddEdge("new", "knows", "Person 1")])


@pytest.mark.parametrize("field", [0, 17, 18, 21, 44, 59, 63, 68])
def test_a_damaged_header_is_mended(path, whole, field):
    data = bytearray(path.read_bytes())
    data[field] ^= 8
    path.write_bytes(bytes(data))
    _, after = repair(path)
    assert after.ok, str(after)
    assert answers(path) == answers(whole)


def test_foreign_objects_are_taken_out(path, whole):
    sql(path, "CREATE TABLE extra(x)", "CREATE TRIGGER t AFTER INSERT ON nodes BEGIN DELETE FROM nodes; END")
    before, after = repair(path)
    assert {problem.kind for problem in before.problems} == {"schema"}
    assert after.ok and any("extra" in item for item in after.restored), str(after)
    assert answers(path) == answers(whole)


def test_originals_are_numbered_and_kept_with_their_logs(path, tmp_path):
    kept = []
    for number in range(3):
        sql(path, "UPDATE meta SET value = 1 WHERE key = 'next_node'")
        Path(f"{path}-journal").unlink(missing_ok=True)
        kept.append(path.read_bytes())
        _, after = repair(path)
        assert after.original == f"{path}.before-repair-{number + 1}"
    assert [Path(f"{path}.before-repair-{number}").read_bytes() for number in (1, 2, 3)] == kept
    assert repair(path)[1].original is None
    assert not list(tmp_path.glob("*.new*"))


def test_a_sound_file_is_not_touched(path):
    data = path.read_bytes()
    assert repair(path)[1].ok
    assert path.read_bytes() == data and [file.name for file in path.parent.iterdir()] == ["m.db"]


def test_a_file_in_use_is_not_repaired(path):
    sql(path, "UPDATE meta SET value = 1 WHERE key = 'next_node'")
    with SQLiteStore.open(path) as store:
        with pytest.raises(Busy, match="close it"):
            repair(path)
        assert len(store.facts()) == 220
    assert not list(path.parent.glob("*before-repair*"))


def test_what_is_no_memory_is_not_repaired(tmp_path):
    (tmp_path / "text").write_text("hello " * 1000)
    with closing(sqlite3.connect(tmp_path / "other.db")) as raw:
        raw.execute("CREATE TABLE precious(x)")
    for name in ("text", "other.db", "absent"):
        with pytest.raises(NotAMemory):
            repair(tmp_path / name)


@pytest.mark.parametrize("seed", range(6))
def test_random_bytes_never_stop_a_repair(path, seed):
    rng, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(20):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(bytes(data))
    before, after = repair(path)
    assert not before.ok and Path(after.original).read_bytes() == bytes(data)
    repaired = path.read_bytes()
    again = repair(path)
    assert again[1].original is None and path.read_bytes() == repaired
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("new", "knows", "other")])


NAMES = ("SELECT id, ns, name, norm FROM relations", "SELECT * FROM sources", "SELECT * FROM namespaces")


def names_of(path):
    with closing(sqlite3.connect(path)) as raw:
        return [raw.execute(f"{query} ORDER BY id").fetchall() for query in NAMES]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM relations",
        "DELETE FROM sources",
        "DELETE FROM namespaces",
        "DELETE FROM relations WHERE id = 2",
        "UPDATE relations SET name = 'Lives In' WHERE id = 2",
        "UPDATE relations SET name = 'dies in', norm = 'dies in' WHERE id = 2",
        "UPDATE sources SET name = 'wikj' WHERE name = 'wiki'",
        "UPDATE sources SET name = name || ' '; DELETE FROM relations",
    ],
)
def test_names_of_dictionaries_come_back_from_the_journal(path, whole, damage):
    sql(path, *damage.split(";"))
    assert not check(path).ok
    _, after = repair(path)
    assert after.ok and not after.lost and any("from the journal" in note for note in after.restored)
    assert answers(path) == answers(whole) and names_of(path) == names_of(whole)
    assert repair(path)[0].ok, "a second repair finds nothing"


@pytest.mark.parametrize("rewrite", ["compact", "erase", "repair"])
def test_an_entry_that_rewrites_the_journal_keeps_the_names(path, rewrite):
    with SQLiteStore.open(path) as store:
        if rewrite == "compact":
            compact(store.connection, 1, 1 << 60)
        elif rewrite == "erase":
            erase(store.connection, 1, "Ada 3")
    if rewrite == "repair":
        sql(path, "UPDATE journal SET changes = 'x' WHERE id = 4")
        assert repair(path)[1].ok
    before = names_of(path)
    sql(path, "DELETE FROM relations", "DELETE FROM sources")
    assert repair(path)[1].ok and names_of(path) == before


def test_a_name_that_another_row_took_is_reported(path):
    sql(path, "DELETE FROM sources")
    with SQLiteStore.open(path) as store:
        store.apply(
            [AddEdge("New", "lives in", "Oslo", source="other"), AddEdge("New", "knows", "Oslo", source="book")]
        )
    _, after = repair(path)
    assert after.ok or after.lost, "what cannot be decided is said"
    with SQLiteStore.open(path, read_only=True) as store:
        assert len(store.facts()) == len({fact.id for fact in store.facts()}) and check(path).ok == after.ok


INSERTED = (
    "INSERT INTO nodes(id, ns, name, norm, created_at) VALUES (900, 1, 'Stray', 'stray', 5)",
    "INSERT INTO edges(id, ns, src, rel, dst, entry) VALUES (901, 1, 900, 1, 1, 99)",
)


def test_rows_of_another_program_are_recorded_as_they_are(path):
    sql(path, *INSERTED)
    assert any("known to no journal entry" in problem.what for problem in check(path).problems)
    _, after = repair(path)
    assert after.ok and any("known to no entry" in note for note in after.restored)
    with SQLiteStore.open(path) as store:
        assert "Stray | knows | Person 0" in map(str, store.facts())
        assert store.journal(1)[0].action == "repair" and store.history(900)
        erase(store.connection, 1, "Stray")
    assert check(path).ok


def test_a_row_under_a_damaged_id_gets_its_own_back(path, whole):
    sql(path, "UPDATE edges SET id = 777 WHERE id = 215", "UPDATE nodes SET id = 888 WHERE name = 'Ada 5'")
    assert not check(path).ok
    _, after = repair(path)
    assert after.ok and answers(path) == answers(whole)


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        ("DELETE FROM edges WHERE id = 7", 199),
        ("UPDATE edges SET confidence = 0.5, dst = 12, src = 13 WHERE id = 7", 200),
        ("UPDATE nodes SET kind = 'other', name = 'X', norm = 'x' WHERE id = 7", 200),
    ],
)
def test_rows_of_a_load_that_nothing_brings_back_are_taken_as_they_are(path, damage, left):
    sql(
        path, "DROP INDEX edges_out", "DROP INDEX edges_in", damage, "INSERT INTO node_fts(node_fts) VALUES ('rebuild')"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.executescript(";".join(EDGE_INDEXES.values()))
    assert any(problem.kind == "load" for problem in check(path).problems)
    _, after = repair(path)
    assert after.ok and after.lost, "the file is sound, and the report says what is lost"
    with SQLiteStore.open(path) as store:
        assert "not as entry" in store.journal(1)[0].note
        assert len(store.facts(relation="knows")) == left
        erase(store.connection, 1, "Ada 3")
    assert repair(path)[0].ok


MOVED = (
    "UPDATE relations SET id = -1 WHERE id = 2",
    "UPDATE relations SET id = 70 WHERE id = 1",
    "UPDATE sources SET id = 0 WHERE id = 1",
    "UPDATE namespaces SET id = 7",
    "UPDATE edges SET id = 0 WHERE id = 52",
    "UPDATE nodes SET id = -7 WHERE id = 52",
)


@pytest.mark.parametrize("damage", MOVED)
def test_a_row_under_another_id_is_found_and_put_back(path, whole, damage):
    sql(path, damage)
    _, after = repair(path)
    assert after.ok and check(path).ok, str(after)
    assert answers(path) == answers(whole) and names_of(path) == names_of(whole)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal_sums SET first = x'00ff' WHERE what = 'edges'",
        "UPDATE journal_ranges SET first = 'x' WHERE what = 'edges'",
        "UPDATE journal_ranges SET last = x'00'",
        "DELETE FROM touched",
        "DELETE FROM meta WHERE key = 'next_node'",
        "UPDATE meta SET key = x'00ff' WHERE key = 'next_entry'",
    ],
)
def test_damage_beside_the_rows_is_mended_and_said(path, whole, damage):
    sql(path, damage)
    assert not check(path).ok
    _, after = repair(path)
    assert after.ok and (after.restored or after.lost), str(after)
    with SQLiteStore.open(path, read_only=True) as new, SQLiteStore.open(whole, read_only=True) as old:
        assert new.facts() == old.facts()
