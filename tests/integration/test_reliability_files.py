"""Damaged files: bits flipped over the whole memory, and garbled snapshots. The figures of docs/reliability.md."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire, UpdateNode
from graphmem.core.errors import GraphMemError
from graphmem.storage.index import snapshot
from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.sqlite import SQLiteStore

ROWS = {
    "facts": "SELECT e.id, s.name, r.name, d.name, e.text, e.valid_from, e.valid_to, e.confidence, e.strength, o.name, "
    "e.attributes, e.retired_at, e.valid_time, e.factuality, e.status, e.qualifiers, e.pinned FROM edges e "
    "JOIN nodes s ON s.id = e.src JOIN nodes d ON d.id = e.dst JOIN relations r ON r.id = e.rel "
    "LEFT JOIN sources o ON o.id = e.source ORDER BY e.id",
    "nodes": "SELECT id, ns, name, norm, kind, text, attributes, strength, created_at, retired_at FROM nodes "
    "ORDER BY id",
    "aliases": "SELECT * FROM aliases ORDER BY ns, norm, node",
    "sources": "SELECT * FROM edge_sources ORDER BY edge, source",
    "journal": "SELECT id, ns, at, action, note, undone, target FROM journal ORDER BY id",
    "vectors": "SELECT node, encoder, data FROM vectors ORDER BY node",
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A memory of every kind of row, without side files but its snapshot."""
    path = tmp_path_factory.mktemp("whole") / "m.db"
    with SQLiteStore.open(path) as store:
        names = [f"Person {number}" for number in range(300)]
        triples = [(name, "knows", names[number * 7 % 300]) for number, name in enumerate(names)]
        triples += [(name, "lives in", f"City {number % 20}") for number, name in enumerate(names)]
        vectors = np.random.default_rng(0).normal(size=(300, 16))
        store.bulk_load(names, triples, vectors, fingerprint="enc", source="wiki")
        store.apply(
            [AddEdge("Ada", "born in", "London", text="Ada was born in London.", source="book", confidence=0.5)]
        )
        store.apply([AddNode("Ada", aliases=("Countess",)), AddNode("Doc 1", "passage", "It was a dark night. " * 50)])
        for number in range(12):
            text = f"version {number} " + "long text " * 40
            fact = AddEdge(f"Person {number}", "likes", f"Thing {number}", valid_from="2001", source="book")
            store.apply([fact, UpdateNode(store.find("Ada").id, text=text)])
        store.apply([Retire(5)])
        store.undo()
        store.apply([UpdateNode(store.find("Person 3").id, name="Persona Three"), Retire(7)])
        store.apply([AddEdge("Person 1", "knows", "Person 9", source="other")])
        store.snapshot("enc")
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def answers(path: Path) -> dict[str, object]:
    """What a memory says, by kind of answer."""
    with SQLiteStore.open(path, read_only=True) as store:
        found: dict[str, object] = {name: store.connection.rows(sql) for name, sql in ROWS.items()}
        found["entries"] = [str(entry) for entry in store.journal(100)]
        found["history"] = [str(store.history(node)) for node in (1, 4, 301, 321)]
        found["present"] = list(map(str, store.facts()))
        found["search"] = [store.search_text(text) for text in ("Person 33", "London Ada", "version", "Thing")]
        found["names"] = [store.resolve_many([f"person {number}" for number in range(0, 300, 7)])]
    return found


def flips(whole: Path, folder: Path, count: int) -> Counter[str]:
    """Flip one bit a time; what is counted is what the test allows or forbids."""
    right, counts = answers(whole), Counter[str]()
    for seed in range(count):
        rng, path = random.Random(seed), folder / f"{seed}" / "m.db"
        path.parent.mkdir()
        data = bytearray(whole.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        for name in ("read.db", "check.db", "m.db"):
            path.with_name(name).write_bytes(bytes(data))
        try:
            changed = answers(path.with_name("read.db")) != right
        except GraphMemError:
            changed = True
        try:
            detected = not check(path.with_name("check.db")).ok
        except GraphMemError:
            detected = True
        _, after = repair(path)
        wrong = answers(path) != right
        counts["flips"] += 1
        counts["that change an answer"] += changed
        counts["detected"] += detected
        counts["change an answer undetected"] += changed and not detected
        counts["all answers right after repair"] += not wrong
        counts["survive repair unreported"] += wrong and after.ok and not after.lost
        if after.original is not None:
            counts["originals lost"] += Path(after.original).read_bytes() != bytes(data)
        shutil.rmtree(path.parent)
    return counts


def garblings(whole: Path, folder: Path, count: int) -> Counter[str]:
    """Garble the snapshot; every answer of the graph is compared."""
    path = Path(shutil.copy(whole, folder / "m.db"))
    with SQLiteStore.open(path) as store:
        right, other = store.index().all_facts(), None
        store.snapshot("enc")
    with SQLiteStore.open(folder / "other.db") as store:
        store.bulk_load([], [(f"Person {n}", "hates", f"Person {n + 1}") for n in range(300)])
        store.snapshot()
        other = snapshot.path_for(str(folder / "other.db"), 1).read_bytes()
    file, counts = snapshot.path_for(str(path), 1), Counter[str]()
    good = file.read_bytes()
    for seed in range(count):
        rng, bad = random.Random(seed), bytearray(good)
        at, how = rng.randrange(len(bad)), seed % 6
        if how == 0:
            bad[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            bad[at : at + 20] = rng.randbytes(len(bad[at : at + 20]))
        elif how == 2:
            del bad[at:]
        elif how == 3:
            one, two = (64 * rng.randrange(len(good) // 64) for _ in range(2))
            bad[one : one + 64], bad[two : two + 64] = good[two : two + 64], good[one : one + 64]
        elif how == 4:
            bad[at:] = bytes(len(bad) - at)
        else:
            bad = bytearray(other if seed % 12 == 5 else good[:at] + other[at:])
        file.write_bytes(bytes(bad))
        with SQLiteStore.open(path, read_only=True) as store:
            found = store.index().all_facts()
        counts["garblings"] += 1
        counts["wrong answers"] += not all(np.array_equal(a, b) for a, b in zip(found, right, strict=True))
    return counts


ACTS = {
    "repair": "from graphmem.storage.maintenance.repair import repair as act; args = sys.argv[1:2]",
    "restore": "from graphmem.storage.maintenance.backup import restore as act; args = sys.argv[2:0:-1]",
    "backup": "from graphmem.storage.maintenance.backup import backup as act; args = sys.argv[2:0:-1]",
}
RUN = "import sys; {}; print('go', flush=True); act(*args, **({{}} if len(args) == 1 else {{'overwrite': True}}))"
WRITE = """
import os, sys
from graphmem.core.edits import AddEdge
from graphmem.storage.sqlite import SQLiteStore
store = SQLiteStore.open(sys.argv[1])
store.apply([AddEdge("last", "was", "acknowledged")])
os._exit(9)
"""


def said(path: Path) -> list[str]:
    with SQLiteStore.open(path) as store:
        return list(map(str, store.facts()))


def kills(whole: Path, folder: Path, count: int) -> Counter[str]:
    """Kill an act at a random moment; the memory is then the old one with its log, or the new one."""
    counts, other = Counter[str](), folder / "other.db"
    with SQLiteStore.open(other) as store:
        store.apply([AddEdge("new", "is", "new")])
    for seed in range(count):
        rng, name = random.Random(seed), list(ACTS)[seed % len(ACTS)]
        path = folder / f"{seed}" / "m.db"
        path.parent.mkdir()
        shutil.copy(whole, path)
        if name == "repair":
            with closing(sqlite3.connect(path)) as raw:
                raw.execute("UPDATE edges SET confidence = 0.25 WHERE id = 601")
                raw.commit()
        subprocess.run([sys.executable, "-c", WRITE, str(path)], check=False)
        assert Path(f"{path}-wal").stat().st_size
        before = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        run = [sys.executable, "-c", RUN.format(ACTS[name]), str(path), str(other)]
        with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None and process.stdout.readline()
            time.sleep(rng.random() * (0.6 if name == "repair" else 0.05))
            process.kill()
        counts["kills"] += 1
        for kept in path.parent.glob("*.before-repair-*"):
            if not kept.name.endswith("-wal") and len(kept.read_bytes()) == len(before[0]):
                counts["kept copies"] += 1
        facts = said(path)
        old, new = "last | was | acknowledged" in facts, facts == ["new | is | new"]
        counts["acknowledged writes lost"] += not (old or (new and name != "repair"))
        counts["unfinished files left"] += len(list(path.parent.glob("*.new*")))
        counts["damaged"] += not repair(path)[1].ok
        counts["acknowledged writes lost"] += said(path) != facts and name != "repair"
        shutil.rmtree(path.parent)
    return counts


def show(counts: Counter[str]) -> None:
    for name, count in counts.items():
        print(f"| {name} | {count} |")


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_no_flipped_bit_changes_an_answer_unseen(whole, tmp_path, count):
    counts = flips(whole, tmp_path, count)
    show(counts)
    assert counts["flips"] == count
    assert not counts["change an answer undetected"]
    assert not counts["survive repair unreported"]
    assert not counts["originals lost"]


@pytest.mark.parametrize("count", [6, pytest.param(120, marks=pytest.mark.slow)])
def test_a_kill_leaves_the_old_memory_or_the_new_one(whole, tmp_path, count):
    counts = kills(whole, tmp_path, count)
    show(counts)
    assert counts["kills"] == count
    assert not counts["acknowledged writes lost"]
    assert not counts["unfinished files left"]
    assert not counts["damaged"]


@pytest.mark.parametrize("count", [30, pytest.param(500, marks=pytest.mark.slow)])
def test_no_garbled_snapshot_is_believed(whole, tmp_path, count):
    counts = garblings(whole, tmp_path, count)
    show(counts)
    assert counts["garblings"] == count
    assert not counts["wrong answers"]
