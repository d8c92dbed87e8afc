"""Speed of extraction, with one forward pass of the base model over the same windows for comparison.

python tests/benchmarks/reading_speed.py --threads 2
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from graphmem.datasets.plain_text import passage_texts
from graphmem.hub import load_encoder, load_language_model
from graphmem.memory import GraphMemory
from graphmem.reading.hidden_states import tokenise
from graphmem.text.windows import windows
from graphmem.writing.pipeline import read_text, shipped_extractor


def speed(tokens: int, work: Callable[[], object]) -> dict[str, int]:
    """Tokens a second, of wall-clock time and of processor time over all threads."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    return {
        "tokens/s": round(tokens / (time.perf_counter() - began)),
        "tokens/CPU s": round(tokens / (time.process_time() - spent)),
    }


@torch.no_grad()
def plain_forward(base: Any, tokenizer: Any, text: str) -> None:
    """One forward pass of the base over the same windows."""
    pieces = sorted((text[w.start : w.end] for w in windows(text)), key=len)
    for start in range(0, len(pieces), 4):
        rows = [tokenise(tokenizer, piece)[0] for piece in pieces[start : start + 4]]
        longest = max(map(len, rows))
        base(input_ids=torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows]), use_cache=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passages", type=int, default=40)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    base, tokenizer = load_language_model()
    memory = GraphMemory.open(":memory:", encoder=load_encoder())
    model: Any = SimpleNamespace(base=base, tokenizer=tokenizer, memory=memory)
    texts = passage_texts()[: given.passages]
    whole = "\n".join(texts)
    tokens = len(tokenizer(whole)["input_ids"])
    extractor = shipped_extractor(model)
    extractor.read(texts[0])
    plain_forward(base, tokenizer, texts[0])
    rows = {
        "plain forward of the base": speed(tokens, lambda: plain_forward(base, tokenizer, whole)),
        "read without surprise": speed(tokens, lambda: extractor.read(whole, surprise=False)),
        "read": speed(tokens, lambda: extractor.read(whole)),
        "read, decide and apply without surprise": speed(
            tokens, lambda: read_text(model, whole, apply=True, surprise=False, keep=False)
        ),
    }
    plain = rows["plain forward of the base"]["tokens/CPU s"]
    ratios = {name: round(row["tokens/CPU s"] / plain, 2) for name, row in rows.items()}
    print(json.dumps({"tokens": tokens, "threads": given.threads, **rows, "relative to a plain forward": ratios}))


if __name__ == "__main__":
    main()
