"""Processor time of a query, text encoding taken off, on random graphs: nodes, 10 facts each, hubs.

    python tests/benchmarks/retrieval_speed.py 10000 100000

Both ends of a fact are drawn in proportion to rank ** -0.5, so the largest hub has hundreds to thousands of facts.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from graphmem.activation import Budget
from graphmem.evaluation_retrieval import TimedEncoder
from graphmem.graph import Arcs
from graphmem.learned import SHIPPED, ActivationGNN, QuestionReader, load_weights
from graphmem.rankers import Search
from graphmem.resolver import find_encoder
from graphmem.seeds import Seeds

RELATIONS = (
    "directed by",
    "written by",
    "born in",
    "works for",
    "has genre",
    "capital of",
    "member of",
    "release year",
)
QUESTIONS = ("who directed it", "where was the writer of it born", "what genre are the films by the director of it")


class RandomGraph:
    """A graph index of ``size`` nodes and ten times as many facts."""

    relations = RELATIONS

    def __init__(self, size: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.size = size
        weight = np.cumsum(np.arange(1, size + 1) ** -0.5)
        ends = np.searchsorted(weight, rng.random((2, 10 * size)) * weight[-1])
        code = 2 * rng.integers(len(RELATIONS), size=10 * size)
        origin = np.concatenate(ends)
        order = np.argsort(origin, kind="stable")
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(origin, minlength=size))])
        self.target = np.concatenate(ends[::-1])[order]
        self.code = np.concatenate([code, code + 1])[order]
        self.edge = np.tile(np.arange(10 * size), 2)[order]

    def degree(self, nodes: np.ndarray) -> np.ndarray:
        return self.starts[nodes + 1] - self.starts[nodes]

    def expand(self, nodes: np.ndarray, limit: int | None = None) -> Arcs:
        counts = self.degree(nodes) if limit is None else np.minimum(self.degree(nodes), limit)
        origin = np.repeat(np.arange(len(nodes)), counts)
        rank = np.arange(len(origin)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = self.starts[nodes][origin] + rank
        return Arcs(origin, self.target[at], self.code[at], self.edge[at])


def main(sizes: list[int]) -> None:
    import torch

    torch.set_num_threads(1)
    encoder = TimedEncoder(find_encoder())
    modules = load_weights(SHIPPED, encoder.fingerprint)
    ranker = ActivationGNN(QuestionReader(modules["gates"], encoder), modules["gnn"])
    print("| nodes | CPU ms median | p95 | nodes in the subgraph, median |\n|---|---|---|---|")
    for size in sizes:
        index, rng, spent, found = RandomGraph(size), np.random.default_rng(1), [], []
        for i in range(63):
            seeds = Seeds(rng.integers(size, size=1), np.ones(1, np.float32), asked=QUESTIONS[i % 3], how="fused")
            encoded, started = encoder.seconds, time.process_time()
            ranked = ranker.rank(Search(QUESTIONS[i % 3], seeds, index, None, encoder, Budget()))
            spent.append(1e3 * (time.process_time() - started - (encoder.seconds - encoded)))
            found.append(len(ranked.graph.node_ids))
        spent = spent[3:]
        print(
            f"| {size:,} | {np.median(spent):.1f} | {np.quantile(spent, 0.95):.1f} | {np.median(found):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
