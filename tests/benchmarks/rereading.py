"""Repeated retrieval for answers that need more than one search.

    python tests/benchmarks/rereading.py --memory wikimovies.db --n 40

Two questions of WikiMovies' held-out topics are joined to one; an answer is scored by how many of the two it holds. The
same pairs are asked with one search, and with further searches where the next token's entropy passes a threshold; the
searches are counted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from random import Random
from typing import Any

from graphmem.datasets.wikimovies import load_facts, load_questions
from graphmem.generation.decoding import RetrievalSchedule
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel
from graphmem.text.answer_matching import contains

THRESHOLDS = (None, 3.0, 1.5, 0.5, 0.0)


def pairs(n: int, seed: int, split: str) -> list[tuple[str, list[Sequence[str]]]]:
    """Two one-hop questions joined to one, and the right answers to each."""
    drawn = Random(seed).sample([q for q in load_questions(split) if q.hops == 1], 2 * n)
    joined = []
    for a, b in zip(drawn[::2], drawn[1::2], strict=True):
        first, second = a.question.strip(" ?"), b.question.strip(" ?")
        joined.append((f"{first}, and {second}?", [a.answers, b.answers]))
    return joined


def score(model: Any, questions: Sequence[tuple[str, list[Sequence[str]]]], threshold: float | None) -> dict[str, Any]:
    """Shares of answers that hold the first, the second and both; searches an answer."""
    schedule = None
    if threshold is not None:
        schedule = RetrievalSchedule(max_retrievals=3, entropy_threshold=threshold, min_tokens_between=2)
    searches, retrieve = 0, model.memory.retrieve
    hits, texts = [], []

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal searches
        searches += 1
        return retrieve(*args, **kwargs)

    model.memory.retrieve = counted
    try:
        for question, wanted in questions:
            texts.append(model.ask(question, max_new_tokens=32, schedule=schedule).text)
            hits.append([contains(texts[-1], answers) for answers in wanted])
    finally:
        model.memory.retrieve = retrieve
    n = len(questions)
    return {
        "entropy threshold": threshold, "n": n, "first": sum(a for a, _ in hits) / n,
        "second": sum(b for _, b in hits) / n, "both": sum(a and b for a, b in hits) / n,
        "searches": searches / n, "texts": texts[:5],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", default=":memory:", help="memory file of WikiMovies; made in RAM if left out")
    parser.add_argument("--n", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="test", choices=("dev", "test"))
    chosen = parser.parse_args()
    with GraphMemory.open(chosen.memory) as memory:
        if chosen.memory == ":memory:":
            memory.add_many(load_facts(), source="WikiMovies")
        model = GraphMemoryModel.from_pretrained("smollm2-135m", memory=memory)
        questions = pairs(chosen.n, chosen.seed, chosen.split)
        for threshold in THRESHOLDS:
            print(json.dumps(score(model, questions, threshold), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
