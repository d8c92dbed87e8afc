"""The store's floors, measured in one run against plain sqlite3: ``python tests/benchmarks/store_floors.py``.

Prints one row a floor and size of graph; asserts nothing. Ratios compare runs of the same minute on the same machine.
CPU seconds stand beside wall seconds because other work on the machine moves the latter.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import store_graph

from graphmem.core.edits import AddEdge
from graphmem.storage.sqlite import SQLiteStore

READ = Path(__file__).with_name("store_read.py")


def timed(work) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    cpu = time.process_time()
    wall = store_graph.seconds(work)
    return wall, time.process_time() - cpu


def row(floor: str, n: int, value: str, target: str) -> None:
    print(f"{floor:<44} {n:>9,} {value:>44}   {target}", flush=True)


def ingest(graph: store_graph.Graph, folder: Path, repeats: int) -> Path:
    """Bulk load against plain sqlite3, best of some repeats. Returns the memory."""
    n, triples = len(graph.names), list(graph.triples())
    plain, ours, named = [], [], []
    for repeat in range(repeats):
        ids = {}
        plain_file, path = folder / f"plain{n}-{repeat}.db", folder / f"memory{n}-{repeat}.db"
        plain.append(timed(lambda path=plain_file: store_graph.plain_sqlite(graph, path)))
        named.append(timed(lambda ids=ids: store_graph.name_ids(graph.names, triples, ids)))
        ours.append(timed(lambda path=path: load(path, graph, triples)))
        if repeat:
            for file in folder.glob(f"*{n}-{repeat}.db*"):
                file.unlink()
    best = [min(column) for column in (plain, ours, named)]
    wall, cpu = (best[1][kind] / best[0][kind] for kind in (0, 1))
    row(
        "bulk ingest / plain sqlite3",
        n,
        f"{best[1][0]:.2f} / {best[0][0]:.2f} s = {wall:.2f} x (CPU {cpu:.2f} x)",
        "<= 1.6 x",
    )
    same = best[1][0] / (best[0][0] + best[2][0])
    row("  ... that also looks names up in a dict", n, f"{same:.2f} x", "")
    return folder / f"memory{n}-0.db"


def load(path: Path, graph: store_graph.Graph, triples: list[tuple[str, str, str]]) -> None:
    with SQLiteStore.open(path) as store:
        store.bulk_load(graph.names, triples, graph.vectors, fingerprint="random")


def size(path: Path, plain: Path, n: int) -> None:
    """Bytes a fact, tables and indexes of facts only, and of the whole file."""

    def pages(file: Path, like: str) -> int:
        with closing(sqlite3.connect(file)) as raw:
            return raw.execute("SELECT sum(pgsize) FROM dbstat WHERE name GLOB ?", (like,)).fetchone()[0]

    facts = store_graph.FACTS_PER_NODE * n
    ours, theirs = pages(path, "edges*") / facts, pages(plain, "edges*") / facts
    row("bytes a fact / plain tables", n, f"{ours:.1f} / {theirs:.1f} = {ours / theirs:.2f} x", "<= 1.5 x")
    whole = path.stat().st_size / plain.stat().st_size
    row("  ... the whole file, vectors as fp16 / f32", n, f"{whole:.2f} x", "")


def read(path: Path, n: int) -> None:
    """Open, sample and search in a process of its own."""
    with SQLiteStore.open(path) as store:
        wall, _ = timed(lambda: store.snapshot("random"))
    found = json.loads(subprocess.run([sys.executable, str(READ), str(path)], check=True, capture_output=True).stdout)
    row("write the snapshot", n, f"{wall:.2f} s", "")
    row("open to first neighbourhood, snapshot", n, f"{found['open'] * 1e3:.1f} ms", "<= 300 ms")
    row("two-hop 10 x 10 from 10 seeds", n, f"{found['sample'] * 1e6:.0f} us CPU", "<= 200 us, flat within 1.5 x")
    cold = f"{found['cold']:.0f} MB, {found['cold_own']:.0f} MB without mapped files"
    row("resident, vector codes not yet mapped", n, cold, "<= 300 MB")
    row(
        "resident after a nearest-neighbour search",
        n,
        f"{found['warm']:.0f} MB, {found['warm_own']:.0f} MB own",
        "<= 2,500 MB",
    )


def adds(folder: Path, count: int = 3000) -> None:
    """Single durable adds, journal and full-text search included."""
    with SQLiteStore.open(folder / "adds.db") as store:
        wall, cpu = timed(
            lambda: [
                store.apply([AddEdge(f"subject {k}", f"relation {k % 9}", f"object {k % 97}")]) for k in range(count)
            ]
        )
    row("single durable adds", count, f"{count / wall:,.0f} a second (CPU: {count / cpu:,.0f})", ">= 1,000 a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where the files go; a temporary folder if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        print(f"{'floor':<44} {'nodes':>9} {'measured':>44}   target")
        adds(folder)
        for n in options.nodes:
            graph = store_graph.make(n)
            path = ingest(graph, folder, 1 if n > 200_000 else 3)
            del graph
            size(path, folder / f"plain{n}-0.db", n)
            read(path, n)
            for file in folder.glob(f"*{n}-*"):
                file.unlink()


if __name__ == "__main__":
    np.set_printoptions(suppress=True)
    main()
