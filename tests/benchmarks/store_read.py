"""What a fresh process takes to read a memory; run by ``store_floors.py``, prints JSON."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import store_graph

from graphmem.storage.sqlite import SQLiteStore

QUERIES = 500


def main(path: str) -> None:
    begin = time.perf_counter()
    store = SQLiteStore.open(path, read_only=True)
    index = store.index()
    store.names(index.expand(np.array([1]), 10).target)
    opened = time.perf_counter() - begin
    rng = np.random.default_rng(0)
    seeds = rng.integers(1, index.size, (QUERIES, 10))
    for row in seeds[:50]:
        index.sample(row, (10, 10), rng)
    begin = time.process_time()
    for row in seeds:
        index.sample(row, (10, 10), rng)
    sampled = (time.process_time() - begin) / QUERIES
    for row in seeds[:50]:
        store.search_text(" ".join(store.names(row[:2])))
    cold, cold_own = store_graph.resident_mb()
    store.nearest(np.ones(store_graph.DIM, np.float32), "random", 10)
    warm, warm_own = store_graph.resident_mb()
    found = {"open": opened, "sample": sampled, "cold": cold, "cold_own": cold_own, "warm": warm, "warm_own": warm_own}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
