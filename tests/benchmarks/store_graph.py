"""The synthetic graph of the store's benchmarks, and plain sqlite3 to measure against.

n nodes with 20-character names and 384-d unit vectors, 10 n facts, both ends drawn with weight rank^-0.5.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DIM = 384
FACTS_PER_NODE = 10
RELATIONS = [f"relation {number}" for number in range(20)]


@dataclass(frozen=True)
class Graph:
    """Names, facts by positions, and vectors float32 [n, DIM]."""

    names: list[str]
    src: np.ndarray
    relation: np.ndarray
    dst: np.ndarray
    vectors: np.ndarray

    def triples(self):
        """Facts by names, one at a time."""
        names = self.names
        columns = (self.src.tolist(), self.relation.tolist(), self.dst.tolist())
        for src, relation, dst in zip(*columns, strict=True):
            yield names[src], RELATIONS[relation], names[dst]


def make(n: int, seed: int = 0) -> Graph:
    """The graph of n nodes."""
    rng = np.random.default_rng(seed)
    cumulated = np.cumsum(np.arange(1, n + 1) ** -0.5)
    ends = np.searchsorted(cumulated, rng.random((2, FACTS_PER_NODE * n)) * cumulated[-1])
    place = rng.permutation(n)  # hubs lie anywhere, not at the first ids
    vectors = rng.standard_normal((n, DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    letters = rng.integers(0, 26, (n, 12), dtype=np.uint8) + ord("a")
    names = [f"{row.tobytes().decode()} {number:07d}" for number, row in enumerate(letters)]
    relation = rng.integers(0, len(RELATIONS), FACTS_PER_NODE * n)
    return Graph(names, place[ends[0]], relation, place[ends[1]], vectors)


def plain_sqlite(graph: Graph, path: Path) -> None:
    """What plain sqlite3 takes: executemany in one transaction, ids ready-made, two edge indexes built at the end."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("CREATE TABLE nodes(id INTEGER PRIMARY KEY, name TEXT NOT NULL, vector BLOB)")
    raw.execute("CREATE TABLE edges(src INTEGER NOT NULL, relation INTEGER NOT NULL, dst INTEGER NOT NULL)")
    raw.execute("BEGIN")
    rows = (
        (number, name, row.tobytes()) for number, (name, row) in enumerate(zip(graph.names, graph.vectors, strict=True))
    )
    raw.executemany("INSERT INTO nodes VALUES (?, ?, ?)", rows)
    columns = (graph.src.tolist(), graph.relation.tolist(), graph.dst.tolist())
    raw.executemany("INSERT INTO edges VALUES (?, ?, ?)", zip(*columns, strict=True))
    raw.execute("CREATE INDEX edges_src ON edges(src)")
    raw.execute("CREATE INDEX edges_dst ON edges(dst)")
    raw.execute("COMMIT")
    raw.close()


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def resident_mb() -> tuple[float, float]:
    """Resident memory of this process in MB: all of it, and without pages that belong to mapped files."""
    fields = {}
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        fields[key] = value
    rss, file = (int(fields[key].split()[0]) / 1024 for key in ("VmRSS", "RssFile"))
    return rss, rss - file


def name_ids(names: list[str], triples: list[tuple[str, str, str]], ids: dict[str, int]) -> list[tuple[int, int, int]]:
    """What plain sqlite3 must do first when it is given names: look every one up in a dict."""
    ids.update((name, number) for number, name in enumerate(names))
    relations = {name: number for number, name in enumerate(RELATIONS)}
    return [(ids[subject], relations[relation], ids[object]) for subject, relation, object in triples]
