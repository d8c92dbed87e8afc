"""Questions and plain text that do not concern the memory of an experiment."""

from __future__ import annotations

from random import Random

from graphmem.core.paths import DATA
from graphmem.datasets.files import read_rows
from graphmem.datasets.plain_text import passage_texts


def everyday(count: int, seed: int = 0) -> list[tuple[str, tuple[str, ...]]]:
    """``count`` of the everyday questions, at most all 40."""
    rows = [(row["question"], tuple(row["answers"])) for row in read_rows(DATA / "everyday_questions.jsonl")]
    return Random(seed).sample(rows, min(count, len(rows)))


def plain_texts(count: int, seed: int = 0) -> list[str]:
    """Wikipedia introductions (2WikiMultiHopQA) whose titles were held out of training."""
    held = passage_texts("test")
    return Random(seed).sample(held, min(count, len(held)))
