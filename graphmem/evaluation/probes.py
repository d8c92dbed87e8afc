"""Probes over WikiMovies: questions about two topics, and operations on sets, answered without a language model.

The memory holds the whole graph. An answer is right if it names one of the gold answers and nothing else; where all
are wanted, if it names all of them and nothing else; yes/no if it begins with it. Half of the questions, by the hash
of their text, may be developed and trained on; the other half is reported. Beside each figure stands untrained
personalised PageRank: its best node, or as many as are wanted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Literal

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import held
from graphmem.datasets.files import data_folder, read_rows
from graphmem.evaluation.report import Report
from graphmem.evaluation.statistics import bootstrap_interval, mean
from graphmem.generation.answering import AskOptions, read_answer
from graphmem.generation.attribution import Answer

Half = Literal["development", "reported", "all"]
HALVES: tuple[Half, ...] = ("development", "reported", "all")

TWO_TOPICS = ("director and actor", "two actors", "two films", "director and year", "director and genre")
"""Kinds of questions about two topics; the others want an operation."""

_SILENT = SimpleNamespace(decoder=SimpleNamespace(writes=False))
"""Stands for a model whose memory layers write nothing: answers are names, spans and sets as they were found."""


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """Questions of one kind, or of several together.

    Attributes:
        right, interval: share of right answers with its 95 % interval.
        pagerank: the same share for personalised PageRank; None for questions that no single node answers.
        cpu_seconds: mean processor time an answer, without loading.
    """

    kind: str
    n: int
    right: float
    interval: tuple[float, float]
    pagerank: float | None
    cpu_seconds: float


def load_probes(
    folder: Path | None = None, half: Half = "reported", n: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Rows of ``wikimovies_probes/operations.jsonl`` of one half, at most ``n`` of each kind, drawn by the seed.

    Raises:
        InvalidValue: the file is missing, or there is no such half.
    """
    if half not in HALVES:
        raise InvalidValue(f"no half {half!r}; choose of {', '.join(HALVES)}")
    rows = read_rows(data_folder(folder) / "wikimovies_probes" / "operations.jsonl")
    rows = [row for row in rows if half == "all" or held(row["question"], 2) == (half == "reported")]
    kinds = dict.fromkeys(row["kind"] for row in rows)
    groups = [[row for row in rows if row["kind"] == kind] for kind in kinds]
    rng = Random(seed)
    return [row for group in groups for row in (group if n is None or len(group) <= n else rng.sample(group, n))]


def evaluate_probes(
    memory: Any, rows: Sequence[Mapping[str, Any]], seed: int = 0, log: Callable[[str], None] | None = None
) -> Report:
    """Ask the questions of a memory that holds WikiMovies.

    Args:
        memory: a ``GraphMemory`` with a reader of evidence.
        rows: of ``load_probes``.
        seed: of the intervals.
        log: gets a line for each wrong answer.
    """
    kept: list[dict[str, Any]] = []
    for row in rows:
        started = time.process_time()
        answer = answer_of(memory, row["question"])
        seconds = time.process_time() - started
        kept.append({
            **row, "text": answer.text, "said": list(answer.answers), "status": answer.status,
            "right": is_right(row, answer), "confidence": answer.confidence, "explanation": answer.explanation,
            "seconds": seconds, "pagerank": _pagerank(memory, row) if row["kind"] in TWO_TOPICS else None,
        })  # fmt: skip
        if log is not None and not kept[-1]["right"]:
            log(f"  [{row['kind']}] {row['question']} → {answer.text[:90]!r}, wanted {row['answers'][:3]}")
    kinds = {kind: [kind] for kind in dict.fromkeys(row["kind"] for row in rows)}
    others = [kind for kind in kinds if kind not in TWO_TOPICS]
    groups = {**kinds, "two topics": [kind for kind in kinds if kind in TWO_TOPICS], "operations": others}
    made = [_row(name, [row for row in kept if row["kind"] in group], seed) for name, group in groups.items() if group]
    return Report(made, seed, kept)


def answer_of(memory: Any, question: str) -> Answer:
    """The answer that ``GraphMemoryModel.ask`` chooses, not yet in the words of a language model."""
    return read_answer(_SILENT, memory.evidence_reader, question, memory.retrieve(question), AskOptions())


def is_right(row: Mapping[str, Any], answer: Answer) -> bool:
    """Whether an answer is right, see the module."""
    said, gold = [_plain(name) for name in answer.answers], {_plain(name) for name in row["answers"]}
    if answer.status != "answered" or not said:
        return False
    if gold <= {"yes", "no"}:
        return said[0] in gold
    return set(said) == gold if row["want"] == "all" else set(said) <= gold


def _pagerank(memory: Any, row: Mapping[str, Any]) -> bool:
    """Whether the best nodes of PageRank, as many as are wanted, are answers."""
    count = len(row["answers"]) if row["want"] == "all" else 1
    nodes = memory.retrieve(row["question"], top_k=count, ranker="ppr").nodes
    names, gold = {_plain(node.name) for node in nodes[:count]}, {_plain(name) for name in row["answers"]}
    return bool(names) and (names == gold if row["want"] == "all" else names <= gold)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", normalise(text)))


def _row(name: str, rows: Sequence[Mapping[str, Any]], seed: int) -> ProbeRow:
    right = [float(row["right"]) for row in rows]
    baseline = [float(row["pagerank"]) for row in rows if row["pagerank"] is not None]
    interval, seconds = bootstrap_interval(right, seed), mean([row["seconds"] for row in rows])
    return ProbeRow(name, len(rows), mean(right), interval, mean(baseline) if baseline else None, seconds)
