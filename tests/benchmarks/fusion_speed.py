"""Seconds of a forward pass with and without a memory attached, and of an answer against facts in the prompt.

    python tests/benchmarks/fusion_speed.py --repeats 7
    python tests/benchmarks/fusion_speed.py --repeats 7 --memory wikimovies.db

With a memory, passages of plain text are read as well, beside the names around what they name (search left out).
Passes of both kinds take turns, and medians are compared, so that a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from graphmem.core.types import Subgraph
from graphmem.datasets.wikimovies import load_facts
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel


def found(names: list[str]) -> Any:
    """A retrieval of these names, best first."""
    scores, none = -0.3 * np.arange(len(names), dtype=np.float32), np.zeros(0, np.int64)
    graph = Subgraph(np.arange(len(names)), scores, np.exp(scores), np.zeros((2, 0), np.int64), none, none)
    nodes = [SimpleNamespace(id=i, name=name) for i, name in enumerate(names)]
    return SimpleNamespace(nodes=nodes, subgraph=graph, answerable=0.9)


@torch.inference_mode()
def compare(model: GraphMemoryModel, ids: torch.Tensor, repeats: int, retrieval: Any) -> dict[str, float]:
    """Median seconds of base and attached forward of a prompt [1, T]; projection of the slots included."""

    def timed(**options: Any) -> float:
        started = time.perf_counter()
        model(ids, use_cache=False, **options)
        return time.perf_counter() - started

    base, attached = [], []
    for _ in range(repeats + 1):
        with model.memory_disabled():
            base.append(timed())
        attached.append(timed(retrieval=retrieval))
    bare, read = statistics.median(base[1:]), statistics.median(attached[1:])
    return {"tokens": ids.shape[1], "base_seconds": bare, "attached_seconds": read, "ratio": read / bare}


def plain_text(model: GraphMemoryModel, tokens: int, texts: int = 3) -> list[tuple[torch.Tensor, Any]]:
    """The beginnings of long passages of the shipped corpus, each with what the memory finds for it."""
    rows = [model.tokenizer(text, return_tensors="pt")["input_ids"] for text in texts()]
    ids = [row[:, :tokens] for row in rows if row.shape[1] >= tokens][:texts]
    return [(row, model.memory.retrieve(model.tokenizer.decode(row[0]), top_k=model.config.nodes)) for row in ids]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--weights")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--nodes", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", help="memory file that holds WikiMovies: plain text is read beside it as well")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    memory: Any = GraphMemory.open(chosen.memory, read_only=True) if chosen.memory else SimpleNamespace()
    model = GraphMemoryModel.from_pretrained(chosen.model, chosen.weights, memory=memory)
    retrieval = found(sorted({s for s, _, _ in load_facts()})[:: 20_000 // chosen.nodes // 2][: chosen.nodes])
    for tokens in (32, 256, 512):
        torch.manual_seed(0)
        ids = torch.randint(20, 40_000, (1, tokens))
        print(json.dumps({"text": "random", **compare(model, ids, chosen.repeats, retrieval)}), flush=True)
        for text, own in plain_text(model, tokens) if chosen.memory else ():
            print(json.dumps({"text": "plain", **compare(model, text, chosen.repeats, own)}), flush=True)


if __name__ == "__main__":
    main()
