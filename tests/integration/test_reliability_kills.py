"""Every writing operation killed at random moments: the file is valid, nothing acknowledged or older is lost."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphmem.core.edits import AddEdge, AddNode, UpdateNode
from graphmem.memory import GraphMemory
from graphmem.storage.exchange.export import export
from graphmem.storage.exchange.load_dump import load_jsonl
from graphmem.storage.exchange.merge import merge
from graphmem.storage.maintenance.backup import backup, restore
from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.sqlite import SQLiteStore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")

OLD = Path(__file__).parents[1] / "storage" / "tables" / "data" / "schema3.db.gz"
HELD = 120  # facts of the memory that the operations begin with
LOAD = 400  # facts of a load
PERSON = "Zebulon Quartermain"

Ack = Callable[[int], None]
"""Tells the parent that a step is done: the store has returned."""


def base(folder: Path) -> Path:
    path = folder / "m.db"
    with GraphMemory.open(path) as memory:
        memory.bulk_load([], [(f"held {k}", "next to", f"held {k + 1}") for k in range(HELD - 20)])
        for k in range(20):
            memory.add(f"held {k}", "seen in", f"place {k % 3}", text=f"Seen {k} times.")
    return path


def held(path: Path) -> None:
    """The file is sound and holds every fact of the beginning."""
    with GraphMemory.open(path) as memory:
        facts = {str(fact) for fact in memory.facts()}
    assert {f"held {k} | next to | held {k + 1}" for k in range(HELD - 20)} <= facts
    assert {f"held {k} | seen in | place {k % 3}" for k in range(20)} <= facts
    report = check(path)
    assert report.ok, str(report)


def count(path: Path, relation: str) -> int:
    with GraphMemory.open(path) as memory:
        return len(memory.facts(relation=relation))


@dataclass(frozen=True)
class Operation:
    """Prepares a folder; acts on it in a child, which may be killed; verifies it by the steps acknowledged."""

    prepare: Callable[[Path], object]
    act: Callable[[Path, Ack], object]
    verify: Callable[[Path, list[int]], object]


def applies(folder: Path, ack: Ack) -> None:
    with SQLiteStore.open(folder / "m.db") as store:
        for number in range(100):
            store.apply([AddEdge(f"new {number}", "was", "acknowledged"), UpdateNode("held 1", text="text " * number)])
            ack(number)


def bulk_loads(folder: Path, ack: Ack) -> None:
    with SQLiteStore.open(folder / "m.db") as store:
        for number in range(8):
            store.bulk_load([], [(f"load {number} {k}", "was", f"acknowledged {k}") for k in range(LOAD)])
            ack(number)


def verify_writes(each: int) -> Callable[[Path, list[int]], None]:
    def verify(folder: Path, done: list[int]) -> None:
        held(folder / "m.db")
        found = count(folder / "m.db", "was")
        assert found % each == 0 and len(done) * each <= found <= (len(done) + 1) * each

    return verify


def with_load(folder: Path) -> None:
    with GraphMemory.open(base(folder)) as memory:
        memory.bulk_load([], [(f"load {k}", "was", f"loaded {k % 50}") for k in range(LOAD)])


def undoes(folder: Path, ack: Ack) -> None:
    with SQLiteStore.open(folder / "m.db") as store:
        for number in range(6):
            store.undo() if number % 2 == 0 else store.redo()
            ack(number)


def verify_undo(folder: Path, done: list[int]) -> None:
    held(folder / "m.db")
    now = len(done) % 2 == 0  # the load is there
    assert count(folder / "m.db", "was") in ((LOAD if now else 0), (0 if now else LOAD))


def old_file(folder: Path) -> None:
    (folder / "m.db").write_bytes(gzip.decompress(OLD.read_bytes()))


def verify_migration(folder: Path, _: list[int]) -> None:
    with SQLiteStore.open(folder / "m.db") as store:
        assert len(store.facts()) == 3
    with closing(sqlite3.connect(folder / "m.db.schema3")) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (3,)
    assert check(folder / "m.db").ok


def with_person(folder: Path) -> None:
    with GraphMemory.open(base(folder)) as memory:
        memory.store.apply([AddEdge(PERSON, "lives in", "place 1"), AddNode(PERSON, text="A baker.", aliases=("Zeb",))])
        memory.add(PERSON, "lives in", "place 2", text=f"{PERSON} lives there.", source=f"mail of {PERSON}")


def verify_erasure(folder: Path, _: list[int]) -> None:
    held(folder / "m.db")
    with GraphMemory.open(folder / "m.db") as memory:
        gone = memory.node(PERSON) is None
        assert len(memory.facts(relation="lives in")) == (0 if gone else 2)
    if gone:
        assert PERSON.lower().encode() not in (folder / "m.db").read_bytes().lower()


def verify_held(folder: Path, _: list[int]) -> None:
    held(folder / "m.db")


def damaged(folder: Path) -> None:
    with closing(sqlite3.connect(base(folder))) as raw:
        raw.execute("UPDATE nodes SET norm = 'elsewhere' WHERE id = 3")
        raw.execute("INSERT INTO node_fts(node_fts) VALUES ('delete-all')")
        raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(folder / "m.db", folder.parent / f"{folder.name}.original")


def verify_repair(folder: Path, _: list[int]) -> None:
    """The original is still there, under its own name or as a copy, and a repair comes to its end."""
    original = (folder.parent / f"{folder.name}.original").read_bytes()
    kept = [file for file in folder.iterdir() if file.read_bytes()[100:] == original[100:]]  # but for SQLite's counters
    assert kept or check(folder / "m.db").ok
    repair(folder / "m.db")
    held(folder / "m.db")


def with_dump(folder: Path) -> None:
    with SQLiteStore.open(base(folder)) as store:
        export(store, folder / "dump.jsonl")


def verify_import(folder: Path, done: list[int]) -> None:
    assert (folder / "new.db").exists() or not done
    held(folder / "new.db" if (folder / "new.db").exists() else folder / "m.db")


def with_backup(folder: Path) -> None:
    backup(base(folder), folder / "backup.db")
    with GraphMemory.open(folder / "m.db") as memory:
        memory.add("later", "was", "written")


def with_other(folder: Path) -> None:
    base(folder)
    with SQLiteStore.open(folder / "other.db") as store:
        store.bulk_load([], [(f"load {k}", "was", f"loaded {k % 50}") for k in range(LOAD)])


def merges(folder: Path, ack: Ack) -> None:
    with SQLiteStore.open(folder / "m.db") as store:
        merge(store, folder / "other.db")


def verify_merge(folder: Path, _: list[int]) -> None:
    held(folder / "m.db")
    assert count(folder / "m.db", "was") in (0, LOAD)


def in_memory(act: Callable[[GraphMemory], object]) -> Callable[[Path, Ack], None]:
    def run(folder: Path, _: Ack) -> None:
        with GraphMemory.open(folder / "m.db") as memory:
            act(memory)

    return run


OPERATIONS = {
    "apply": Operation(base, applies, verify_writes(1)),
    "bulk_load": Operation(base, bulk_loads, verify_writes(LOAD)),
    "undo": Operation(with_load, undoes, verify_undo),
    "migration": Operation(old_file, in_memory(lambda _: None), verify_migration),
    "compact": Operation(with_load, in_memory(lambda m: m.compact(before="2200")), verify_held),
    "erase": Operation(with_person, in_memory(lambda m: m.erase(PERSON, dry_run=False, passages=True)), verify_erasure),
    "consolidate": Operation(base, in_memory(lambda m: m.consolidate(at="2060")), verify_held),
    "repair": Operation(damaged, lambda folder, _: repair(folder / "m.db"), verify_repair),
    "import": Operation(
        with_dump, lambda folder, _: load_jsonl(folder / "dump.jsonl", folder / "new.db"), verify_import
    ),
    "restore": Operation(
        with_backup, lambda folder, _: restore(folder / "backup.db", folder / "m.db", overwrite=True), verify_held
    ),
    "merge": Operation(with_other, merges, verify_merge),
}


def child(operation: Operation, folder: Path, delay: float | None) -> tuple[list[int], float]:
    """Run an operation in a child, killed after a delay; the steps that it acknowledged, and seconds that it took."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:  # never returns: nothing of the test's process may run twice
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            operation.act(folder, lambda number: os.write(write_end, f"{number}\n".encode()) and None)
            os.write(write_end, b"-1\n")
        finally:
            os._exit(0)
    os.close(write_end)
    start = time.perf_counter()
    if delay is not None:
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(read_end) as pipe:
        steps = [int(line) for line in pipe.read().split()]
    os.waitpid(pid, 0)
    return steps, time.perf_counter() - start


def kill(name: str, folder: Path, kills: int, seed: int) -> int:
    """Kill an operation some times at random moments of its run; how many kills came before its end."""
    operation, rng, early = OPERATIONS[name], random.Random(seed), 0
    (folder / "fresh").mkdir(parents=True)
    operation.prepare(folder / "fresh")
    seconds = 0.0
    for number in range(-1, kills):  # the first run is not killed: it shows how long one takes
        work = folder / f"run{number}"
        shutil.copytree(folder / "fresh", work)
        if (folder / "fresh.original").exists():
            shutil.copy(folder / "fresh.original", folder / f"run{number}.original")
        steps, took = child(operation, work, None if number < 0 else rng.random() * seconds)
        seconds = took if number < 0 else seconds
        assert number >= 0 or steps[-1:] == [-1], f"{name} failed without being killed"
        early += -1 not in steps
        operation.verify(work, [step for step in steps if step >= 0])
        shutil.rmtree(work)
    return early


@pytest.mark.parametrize("name", OPERATIONS)
def test_killed_operations_lose_nothing(tmp_path: Path, name: str) -> None:
    kill(name, tmp_path / name, 2, 0)


@pytest.mark.slow
def test_a_thousand_kills_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    early = {name: kill(name, tmp_path / name, 91, 1) for name in OPERATIONS}
    with capsys.disabled():
        print(f"\n{91 * len(early)} kills, of them before the end of the operation: {early}")
    assert sum(early.values()) > 45 * len(early)
