"""Seconds and prompt tokens of an answer read from the memory, against the same facts in the prompt.

    python tests/benchmarks/answer_speed.py --memory wikimovies.db --n 20

Both ways answer the same questions one at a time and take turns, so that a busy machine slows both alike; CPU seconds
of this process are compared as well, which it does not. Both are given the same retrieval: its search is counted in
both, and shown by itself. The rival's prompt holds at most 50 of its facts. An answer ends by itself, or after
``--limit`` tokens; the cost of the first token alone is shown too, so that a talkative rival does not decide the ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from random import Random
from typing import Any

import torch

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.datasets.wikimovies import load_facts, load_questions
from graphmem.evaluation.answers import facts_prompt
from graphmem.generation.batching import generate_texts
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel

Timed = tuple[float, float, Any]


def timed(work: Callable[[], Any]) -> Timed:
    """Wall seconds, CPU seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return time.perf_counter() - wall, time.process_time() - cpu, made


def compare(model: GraphMemoryModel, questions: list[str], facts: int, limit: int) -> dict[str, Any]:
    """Medians over questions, seconds; the first question warms up and is left out."""
    rows: list[dict[str, Any]] = []
    for question in questions:
        search = timed(lambda q=question: model.memory.retrieve(q, top_k=model.config.max_nodes))
        found = search[2]
        read, told = chat_prompt(model.tokenizer, question), facts_prompt(model.tokenizer, question, found.facts, facts)
        row: dict[str, Any] = {"facts": min(facts, len(found.facts)), "search": search[:2]}
        for length, name in ((limit, ""), (1, "_first")):
            said = timed(lambda p=read, f=found, k=length: generate_texts(model, [p], [f], max_new_tokens=k))
            rival = timed(lambda p=told, k=length: generate_texts(model, [p], None, max_new_tokens=k))
            row |= {f"graphmem{name}": said[:2], f"prompt{name}": rival[:2]}
            row |= {f"graphmem{name}_tokens": said[2][0][1], f"prompt{name}_tokens": rival[2][0][1]}
        rows.append(row)
    rows = rows[1:]
    middle = lambda key: statistics.median(row[key] for row in rows)
    out: dict[str, Any] = {"n": len(rows), "facts": middle("facts")}
    out |= {"prompt_tokens": {"graphmem": middle("graphmem_tokens"), "facts in the prompt": middle("prompt_tokens")}}
    for which, clock in enumerate(("wall", "cpu")):
        of = lambda key, which=which: statistics.median(row[key][which] for row in rows)
        both = lambda key, which=which: statistics.median(row[key][which] + row["search"][which] for row in rows)
        out[clock] = {"search": of("search"), "graphmem": both("graphmem"), "facts in the prompt": both("prompt")}
        out[clock]["ratio"] = both("graphmem") / both("prompt")
        out[clock]["ratio_without_search"] = of("graphmem") / of("prompt")
        out[clock]["ratio_first_token_without_search"] = of("graphmem_first") / of("prompt_first")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", help="memory file that holds WikiMovies; one is made in RAM if left out")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--facts", type=int, default=50)
    parser.add_argument("--limit", type=int, default=32, help="most tokens of an answer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    asked = Random(chosen.seed).sample([q.question for q in load_questions("test")], chosen.n + 1)
    with GraphMemory.open(chosen.memory or ":memory:") as memory:
        if not chosen.memory:
            memory.add_many(load_facts(), source="WikiMovies")
        model = GraphMemoryModel.from_pretrained(chosen.model, memory=memory)
        print(json.dumps(compare(model, asked, chosen.facts, chosen.limit), indent=1))


if __name__ == "__main__":
    main()
