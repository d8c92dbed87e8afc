"""Processor time of a search without text encoding, in random graphs, with other implementations of its parts.

    python tests/benchmarks/retrieval_speed.py 10000 100000 [--plot speed.svg]

A memory has n nodes with names of three words and random unit vectors, and 10 n facts, both ends drawn in proportion
to rank ** -0.5, so that the largest hub has hundreds to thousands of facts. Questions name their topic; ``unnamed``
ones leave one word of its name out and one wrong, so that words and meaning have to find it. All figures are
milliseconds of processor time on one thread, medians over the questions.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.encoding.timed_encoder import TimedEncoder
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.retrieval.retriever import Retriever
from graphmem.retrieval.search import frontier
from graphmem.retrieval.search.pagerank import push
from graphmem.storage.index import int8_scan as scan

RELATIONS = (
    "directed by", "written by", "born in", "works for", "has genre", "capital of", "member of", "release year",
)  # fmt: skip
QUESTIONS = (
    "who directed {}", "where was the writer of {} born", "what genre are the films by the director of {}",
)  # fmt: skip
N_QUERIES = 45
COLUMNS = (
    "nodes", "named: median", "p95", "unnamed: median", "p95", "seeds by", "our scan", "numpy float32 scan",
    "push-PPR", "whole PPR (scipy)", "first search after opening", "memory of the process, MB",
)  # fmt: skip
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]


def triples(size: int, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Names, and facts int64 [10 n, 3]."""
    words = ["".join(rng.choice(SYLLABLES, 3)).capitalize() for _ in range(max(2000, size // 10))]
    names = [
        f"{words[a]} {words[b]} {words[c]} {i:x}"
        for i, (a, b, c) in enumerate(rng.integers(len(words), size=(size, 3)))
    ]
    weight = np.cumsum(np.arange(1, size + 1) ** -0.5)
    ends = np.searchsorted(weight, rng.random((2, 10 * size)) * weight[-1])
    return names, np.stack([ends[0], rng.integers(len(RELATIONS), size=10 * size), ends[1]], axis=1)


def unit_vectors(size: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Random directions, float16 [n, K]: the worst case of an approximate index."""
    out = np.empty((size, width), np.float16)
    for start in range(0, size, 65_536):
        block = rng.standard_normal((min(65_536, size - start), width), dtype=np.float32)
        out[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return out


def cpu(call: Callable[[], Any]) -> float:
    """Milliseconds of processor time."""
    started = time.process_time()
    call()
    return 1e3 * (time.process_time() - started)


def median(calls: list[float]) -> float:
    return float(np.median(calls))


def build(path: str, size: int, encoder: Any) -> list[str]:
    rng = np.random.default_rng(size)
    names, facts = triples(size, rng)
    with GraphMemory.open(path, encoder=encoder) as memory:
        found = ((names[s], RELATIONS[r], names[o]) for s, r, o in facts.tolist())
        memory.bulk_load(names, found, unit_vectors(size, encoder.dim, rng))
        memory.store.index()
        memory.store.nearest(np.ones(encoder.dim), encoder.fingerprint, 10)  # packs the vector cache
    return names


def queries(names: list[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Questions that name their topic, and the same with a word lost and one misspelt."""
    named, unnamed = [], []
    for i, at in enumerate(rng.integers(len(names), size=N_QUERIES).tolist()):
        template, words = QUESTIONS[i % len(QUESTIONS)], names[at].split()
        named.append(template.format(names[at]))
        unnamed.append(template.format(f"{words[0]} {words[1][:-2]}xx"))
    return named, unnamed


def timed(retriever: Retriever, encoder: TimedEncoder, queries: list[str], ranker: str) -> tuple[float, float, str]:
    """Median and 95th percentile of the queries, and the most frequent strategy of their seeds."""
    spent, how = [], []
    for query in queries:
        encoded = encoder.seconds
        found: list[Any] = []
        took = cpu(lambda query=query, found=found: found.append(retriever.retrieve(query, ranker=ranker)))  # type: ignore[misc]
        spent.append(took - 1e3 * (encoder.seconds - encoded))
        how.append(found[0].seeds.strategy)
    spent = spent[3:]
    return median(spent), float(np.quantile(spent, 0.95)), max(set(how), key=how.count)


def alternatives(memory: GraphMemory, encoder: Any, limit: int = 200_000) -> dict[str, float]:
    """Other implementations of a part: a scan of all float vectors, whole PageRank, networkx."""
    store: Any = memory.store
    rng, out = np.random.default_rng(3), {}
    asked = rng.standard_normal((8, encoder.dim)).astype(np.float32)
    out["scan"] = median([cpu(lambda q=q: store.nearest(q, encoder.fingerprint, 10)) for q in asked])
    index = store.index()
    seeds = np.flatnonzero(index.degree(np.arange(index.size)) > 0)[:: max(1, index.size // 10)][:10]
    out["push"] = median([cpu(lambda: push(index, seeds, np.ones(len(seeds)))) for _ in range(5)])
    if index.size > limit:
        return out
    vectors = store.vectors(encoder.fingerprint)[1]
    out["numpy scan"] = median([cpu(lambda q=q: np.argpartition(vectors @ q, -10)) for q in asked])
    source, _, target, _ = index.all_facts()
    out["scipy pagerank"] = median([cpu(whole_pagerank(source, target, index.size, seeds)) for _ in range(3)])
    return out


def whole_pagerank(source: np.ndarray, target: np.ndarray, size: int, seeds: np.ndarray) -> Callable[[], np.ndarray]:
    """Personalised PageRank by power iteration over the whole graph, damping 0.5, to 1e-6."""
    from scipy.sparse import csr_matrix

    both = np.concatenate([source, target]), np.concatenate([target, source])
    degree = np.maximum(np.bincount(both[0], minlength=size), 1)
    matrix = csr_matrix((1 / degree[both[0]], (both[1], both[0])), shape=(size, size))
    start = np.zeros(size)
    start[seeds] = 1 / len(seeds)

    def run() -> np.ndarray:
        mass = start
        for _ in range(30):
            last, mass = mass, 0.5 * start + 0.5 * (matrix @ mass)
            if np.abs(mass - last).sum() < 1e-6:
                break
        return mass

    return run


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--plot", type=Path, help="draw the latencies")
    parser.add_argument("--keep", type=Path, help="folder in which the memories stay for another run")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    encoder = TimedEncoder(load_encoder())
    compiled = scan.compiled.ready() and frontier.compiled.ready()
    print(f"compiled scan: {compiled}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|" + "---|" * len(COLUMNS))
    points = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            points += report(Path(given.keep or folder), size, encoder)
    if given.plot:
        from graphmem.visualization.charts import line_chart

        line_chart(points, given.plot, x_label="nodes", y_label="ms of processor time", log="xy")


def report(folder: Path, size: int, encoder: Any) -> list[Any]:
    from graphmem.visualization.charts import Point

    path = str(folder / f"random{size}.db")
    names = triples(size, np.random.default_rng(size))[0] if Path(path).exists() else build(path, size, encoder)
    named, unnamed = queries(names, np.random.default_rng(1))
    del names
    with GraphMemory.open(path, encoder=encoder) as memory:
        encoded = encoder.seconds
        first = cpu(lambda: memory.retrieve(unnamed[0])) - 1e3 * (encoder.seconds - encoded)
        retriever = Retriever(memory.store, encoder)
        fast = timed(retriever, encoder, named, "activation")
        slow = timed(retriever, encoder, unnamed, "activation")
        other = alternatives(memory, encoder)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rest = (f"{other[k]:.2f}" if k in other else "" for k in ("scan", "numpy scan", "push", "scipy pagerank"))
    own = f"{fast[0]:.1f} | {fast[1]:.1f} | {slow[0]:.1f} | {slow[1]:.1f} | {slow[2]}"
    print(f"| {size:,} | {own} | {' | '.join(rest)} | {first:.0f} | {used:.0f} |", flush=True)
    return [Point("topic named", size, fast[0]), Point("topic not named", size, slow[0])]


if __name__ == "__main__":
    main()
