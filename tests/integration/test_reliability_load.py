"""Many writers and readers at once with a bulk load in between, and a full disk under every operation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import GraphMemError
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

WORKER = """
import json, random, sys, time
import numpy as np
from graphmem.core.edits import AddEdge, UpdateNode
from graphmem.storage.sqlite import SQLiteStore

role, path, worker, until = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
rng, done, waits, errors = random.Random(worker), 0, [], []
with SQLiteStore.open(path, read_only=role == "read") as store:
    while role == "load" or time.time() < until:
        start = time.perf_counter()
        try:
            if role == "load":
                store.bulk_load([], [(f"{worker} s{n % 20000}", "loaded", f"{worker} o{n}") for n in range(60_000)])
                done += 1
                break
            if role == "write":
                store.apply([AddEdge(f"{worker} {done}", "was", "acknowledged", text="some words " * 9)])
                done += 1
            else:
                index = store.index()
                node = rng.randrange(1, max(2, index.size))
                pick = rng.random()
                if pick < 0.4:
                    index.expand(np.array([node]))
                elif pick < 0.7:
                    store.facts(node, limit=20)
                elif pick < 0.9:
                    store.resolve(f"w{rng.randrange(16)} {rng.randrange(50)}")
                else:
                    store.search_text(f"acknowledged {node}", limit=5)
                done += 1
        except Exception as error:
            errors.append(repr(error))
        waits.append(time.perf_counter() - start)
print(json.dumps({"role": role, "worker": worker, "done": done, "errors": errors[:3], "waits": waits}))
"""


def mixed_load(path, writers, readers, seconds):
    """Run writers, readers and one bulk load for some seconds; return reads' waits in ms and writes' count."""
    SQLiteStore.open(path).apply([AddEdge("first", "was", "acknowledged")])
    until = str(time.time() + seconds + 3)
    counts = {"write": writers, "read": readers, "load": 1}
    roles = [(role, f"{role[0]}{n}") for role, count in counts.items() for n in range(count)]
    children = [
        subprocess.Popen([sys.executable, "-c", WORKER, role, str(path), worker, until], stdout=subprocess.PIPE)
        for role, worker in roles
    ]
    found = [json.loads(child.communicate()[0]) for child in children]
    assert [child.returncode for child in children] == [0] * len(roles)
    assert [item["errors"] for item in found if item["errors"]] == []
    written = {item["worker"]: item["done"] for item in found if item["role"] == "write"}
    with SQLiteStore.open(path) as store:
        names = [f"{worker} {n}" for worker, done in written.items() for n in range(done)]
        lost = [name for name, ids in store.resolve_many([name.casefold() for name in names]).items() if not ids]
        assert lost == []
        assert len(store.facts(relation="loaded")) == 60_000
    assert check(path).ok
    waits = 1000 * np.array([wait for item in found if item["role"] == "read" for wait in item["waits"]])
    return waits, sum(written.values())


def test_writers_and_readers_beside_a_bulk_load(tmp_path):
    waits, written = mixed_load(tmp_path / "m.db", 3, 3, 4)
    assert len(waits) > 20 and written > 10


@pytest.mark.slow
def test_sixteen_writers_and_sixteen_readers_for_a_minute(tmp_path):
    waits, written = mixed_load(tmp_path / "m.db", 16, 16, 60)
    p50, p99 = np.percentile(waits, [50, 99])
    print(
        f"\n{written} writes, {len(waits)} reads: median {p50:.1f} ms, p99 {p99:.0f} ms, longest {waits.max():.0f} ms"
    )
    assert written > 100 and len(waits) > 100


@contextmanager
def small_disk(folder, size):
    """A file system of a few megabytes, mounted for the block."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _operations(path, dump, facts):
    """Every writing operation of the store's surface: name and call."""
    from graphmem.storage.exchange.export import export
    from graphmem.storage.exchange.ingest import ingest
    from graphmem.storage.exchange.load_dump import load_jsonl
    from graphmem.storage.maintenance.backup import backup, restore, vacuum
    from graphmem.storage.maintenance.repair import repair

    folder = path.parent

    def opened(work):
        def run():
            with SQLiteStore.open(path) as store:
                work(store)

        return run

    return {
        "apply": opened(lambda s: [s.apply([AddNode(f"n{n}", text="x" * 60_000)]) for n in range(80)]),
        "bulk_load": opened(lambda s: s.bulk_load([], [(f"s{n}", "r", f"o{n}") for n in range(60_000)])),
        "undo": opened(lambda s: [s.undo(1), s.redo(1), s.undo(1)]),
        "put_vectors": opened(lambda s: s.put_vectors(np.arange(1, 2001), np.ones((2000, 384), np.float32), "encoder")),
        "touch": opened(lambda s: [s.touch(list(range(1, 2001))) for _ in range(30)]),
        "snapshot": opened(lambda s: s.snapshot()),
        "ingest": opened(lambda s: ingest(s, facts)),
        "backup": lambda: backup(path, folder / "copy.db"),
        "restore": lambda: restore(path, folder / "restored.db"),
        "import": lambda: load_jsonl(dump, folder / "imported.db"),
        "vacuum": lambda: vacuum(path),
        "repair": lambda: repair(path),
        "export": opened(lambda s: export(s, folder / "facts.jsonl", format="jsonl")),
    }


def test_a_full_disk_under_every_operation(tmp_path):
    source, dump, facts = tmp_path / "source.db", tmp_path / "dump.jsonl", tmp_path / "facts.tsv"
    with SQLiteStore.open(source) as store:
        store.bulk_load([], [(f"a{n}", "likes", f"b{n % 700}") for n in range(2000)])
        from graphmem.storage.exchange.export import export

        export(store, dump, format="jsonl")
    facts.write_text("".join(f"x{n}\tr\ty{n}\n" for n in range(60_000)))
    size = source.stat().st_size
    outcomes = {}
    for number, name in enumerate(_operations(source, dump, facts)):
        with small_disk(tmp_path / f"disk{number}", size + 300_000) as disk:
            path = disk / "m.db"
            path.write_bytes(source.read_bytes())
            if name == "repair":
                with SQLiteStore.open(path) as store:
                    store.connection.raw.execute("UPDATE nodes SET norm = 'wrong' WHERE id = 3")
            (disk / "ballast").write_bytes(bytes(120_000))
            try:
                _operations(path, dump, facts)[name]()
                outcomes[name] = "fitted"
            except GraphMemError as error:
                outcomes[name] = type(error).__name__
            except Exception as error:
                outcomes[name] = repr(error)
            (disk / "ballast").unlink()
            left = sorted(item.name for item in disk.iterdir() if ".new" in item.name or "salvaged" in item.name)
            if left:
                outcomes[name] += f", left {left}"
            copy = tmp_path / f"after_{name}.db"
            for suffix in ("", "-wal"):
                part = disk / f"m.db{suffix}"
                if part.exists():
                    (tmp_path / f"after_{name}.db{suffix}").write_bytes(part.read_bytes())
        report = check(copy)
        assert report.ok or name == "repair", (name, str(report))
        with SQLiteStore.open(copy) as store:
            assert len(store.facts(relation="likes")) in ({2000} if name != "undo" else {0, 2000}), name
    print("\n", outcomes)
    assert {name: found for name, found in outcomes.items() if found not in ("DiskFull", "fitted")} == {}
    assert list(outcomes.values()).count("DiskFull") >= 7, outcomes
