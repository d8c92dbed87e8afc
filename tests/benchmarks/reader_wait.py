"""Waits of a reader while another process loads facts: ``python tests/benchmarks/reader_wait.py --facts 1000000``.

A child process loads the facts in one transaction; this process asks for the facts of one node all the time, once with
a connection that stays open and once with a new one each time. Prints quantiles in milliseconds; asserts nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from graphmem.core.edits import AddEdge
from graphmem.storage.sqlite import SQLiteStore

LOAD = """
import sys
from graphmem.storage.sqlite import SQLiteStore
count = int(sys.argv[2])
triples = [(f"s{n // 10}", f"r{n % 7}", f"o{n}") for n in range(count)]
with SQLiteStore.open(sys.argv[1]) as store:
    print("go", flush=True)
    store.bulk_load([], triples)
"""


def waits(path: Path, facts: int, *, again: bool) -> tuple[np.ndarray, float]:
    """Milliseconds of each read during a load, and the seconds of the load; ``again`` opens the file for each read."""
    child = subprocess.Popen([sys.executable, "-c", LOAD, str(path), str(facts)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "go\n"
    found, begun = [], time.perf_counter()
    store = SQLiteStore.open(path, read_only=True)
    while child.poll() is None:
        start = time.perf_counter()
        if again:
            store.close()
            store = SQLiteStore.open(path, read_only=True)
        store.facts(1, limit=20)
        found.append(1000 * (time.perf_counter() - start))
        time.sleep(0.002)
    store.close()
    return np.asarray(found), time.perf_counter() - begun


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for again in (False, True):
            path = Path(folder) / f"m{again}.db"
            with SQLiteStore.open(path) as store:
                store.apply([AddEdge(f"known {n}", "likes", "tea") for n in range(1000)])
            found, seconds = waits(path, options.facts, again=again)
            p50, p99 = np.percentile(found, [50, 99])
            what = "opened each time" if again else "kept open"
            print(
                f"{options.facts:,} facts in {seconds:.1f} s; connection {what}: {len(found):,} reads, "
                f"median {p50:.1f} ms, p99 {p99:.1f} ms, longest {found.max():.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
