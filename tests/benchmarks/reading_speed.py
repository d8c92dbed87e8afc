"""How fast text is read: tokens a second from text to candidates, and from text to a plan, with a memory behind it.

python tests/benchmarks/reading_speed.py --threads 2
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from types import SimpleNamespace
from typing import Any

import torch

from graphmem.lexicon import DATA
from graphmem.memory import GraphMemory
from graphmem.reading import learned_reader, read_text
from graphmem.resolver import find_encoder, find_language_model


def passages(count: int) -> list[str]:
    """Natural paragraphs that ship with the package."""
    with gzip.open(DATA / "plain_text.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for _, line in zip(range(count), lines, strict=False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passages", type=int, default=40)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    base, tokenizer = find_language_model()
    memory = GraphMemory.open(":memory:", encoder=find_encoder())
    model: Any = SimpleNamespace(base=base, tokenizer=tokenizer, memory=memory)
    texts = passages(given.passages)
    tokens = sum(len(tokenizer(text)["input_ids"]) for text in texts)
    reader = learned_reader(model)
    reader.read(texts[0])
    began = time.perf_counter()
    found = reader.read("\n".join(texts))
    reading = time.perf_counter() - began
    began = time.perf_counter()
    for text in texts:
        read_text(model, text, apply=True)
    planning = time.perf_counter() - began
    rows = {"tokens": tokens, "threads": given.threads, "candidates": len(found)}
    rows |= {"read tokens/s": round(tokens / reading), "read, judge and apply tokens/s": round(tokens / planning)}
    print(json.dumps(rows | {"facts stored": memory.stats()["facts"]}))


if __name__ == "__main__":
    main()
