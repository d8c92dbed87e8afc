"""Seconds and prompt tokens of an answer with graphmem, and with the same facts in the prompt.

    python tests/benchmarks/answer_speed.py --memory wikimovies.db --n 20

Both methods answer the same questions alternately, so that a busy machine slows both alike; CPU seconds of this
process are compared as well. Both get the same retrieval, whose seconds are counted in both and shown separately. The
prompt of in-context facts holds at most 50 facts. An answer ends by itself or after ``--max-tokens`` tokens; the cost
of the first token is shown too, so that the length of an answer does not decide the ratio.
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
from graphmem.evaluation.answers import IN_CONTEXT, facts_prompt
from graphmem.generation.batching import generate_texts
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel

Timed = tuple[float, float, Any]


def timed(work: Callable[[], Any]) -> Timed:
    """Wall seconds, CPU seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def compare(model: GraphMemoryModel, questions: list[str], max_facts: int, max_tokens: int) -> dict[str, Any]:
    """Medians over questions, seconds; the first question warms up and is left out."""
    rows: list[dict[str, Any]] = []
    for question in questions:
        search = timed(lambda q=question: model.memory.retrieve(q, top_k=model.config.max_nodes))
        found = search[2]
        plain = chat_prompt(model.tokenizer, question)
        in_context = facts_prompt(model.tokenizer, question, found.facts, max_facts)
        row: dict[str, Any] = {"facts": min(max_facts, len(found.facts)), "search": search[:2]}
        for length, name in ((max_tokens, ""), (1, "_first")):
            ours = timed(lambda p=plain, f=found, k=length: generate_texts(model, [p], [f], max_new_tokens=k))
            baseline = timed(lambda p=in_context, k=length: generate_texts(model, [p], None, max_new_tokens=k))
            row |= {f"graphmem{name}": ours[:2], f"prompt{name}": baseline[:2]}
            row |= {f"graphmem{name}_tokens": ours[2][0][1], f"prompt{name}_tokens": baseline[2][0][1]}
        rows.append(row)
    rows = rows[1:]
    middle = lambda key: statistics.median(row[key] for row in rows)
    out: dict[str, Any] = {"n": len(rows), "facts": middle("facts")}
    out |= {"prompt_tokens": {"graphmem": middle("graphmem_tokens"), IN_CONTEXT: middle("prompt_tokens")}}
    for which, clock in enumerate(("wall", "cpu")):
        of = lambda key, which=which: statistics.median(row[key][which] for row in rows)
        both = lambda key, which=which: statistics.median(row[key][which] + row["search"][which] for row in rows)
        out[clock] = {"search": of("search"), "graphmem": both("graphmem"), IN_CONTEXT: both("prompt")}
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
    parser.add_argument("--max-tokens", type=int, default=32, help="of an answer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    questions = Random(chosen.seed).sample([q.question for q in load_questions("test")], chosen.n + 1)
    with GraphMemory.open(chosen.memory or ":memory:") as memory:
        if not chosen.memory:
            memory.add_many(load_facts(), source="WikiMovies")
        model = GraphMemoryModel.from_pretrained(chosen.model, memory=memory)
        print(json.dumps(compare(model, questions, chosen.facts, chosen.max_tokens), indent=1))


if __name__ == "__main__":
    main()
