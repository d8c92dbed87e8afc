"""Passage search: recall of the gold passages, with BM25, vectors, both fused, and PageRank as baselines."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.datasets.multihop_passages import PassageQuestion, load
from graphmem.encoding.timed_encoder import TimedEncoder
from graphmem.evaluation.report import Report
from graphmem.evaluation.statistics import bootstrap_interval, mean, paired_interval
from graphmem.memory import GraphMemory
from graphmem.retrieval.passages.reranker import PassageReranker
from graphmem.retrieval.passages.search import PassageSearch

METHODS: dict[str, dict[str, Any]] = {
    **{name: {"ranker": name} for name in ("bm25", "dense", "hybrid")},
    **{f"ppr {damping}": {"ranker": "ppr", "damping": damping} for damping in (0.5, 0.85)},
    "learned": {"ranker": "learned"},
}
"""Arguments of ``PassageSearch.search`` by the ranker's name in the table."""

STAGES = ("names", "candidates", "ranking")
Half = Literal["train", "test", "all"]


@dataclass(frozen=True, slots=True)
class PassageRow:
    """Means of a ranker on the questions of one kind.

    Attributes:
        recall_at_2: share of the gold passages.
        complete_at_5: share of questions with all gold passages among the first 5.
        interval: of ``complete_at_5``, 95 %.
        recall_gain: paired interval of ``recall_at_5`` over the best baseline, None for those.
        complete_gain: the same of ``complete_at_5``.
        errors: share of questions that fail at each stage.
        milliseconds: median of the processor time.
    """

    ranker: str
    kind: str
    n: int
    recall_at_2: float
    recall_at_5: float
    recall_at_10: float
    complete_at_5: float
    interval: tuple[float, float]
    recall_gain: tuple[float, float] | None
    complete_gain: tuple[float, float] | None
    errors: dict[str, float]
    milliseconds: float


@dataclass(frozen=True)
class PassageReport(Report):
    """Rows of an evaluation of passage search; gains are over ``baseline``, which has the highest recall at 5."""

    dataset: str = ""
    half: str = ""
    passages: int = 0
    baseline: str = ""

    def table(self) -> str:
        """A heading, and the rows as a Markdown table."""
        heading = f"{self.dataset}: {self.passages:,} passages, questions: {self.half}; gains over {self.baseline}"
        return f"{heading}\n\n{super().table()}"


class _Outcome(NamedTuple):
    kind: str
    ranks: list[int]
    error: str
    milliseconds: float


def open_corpus(documents: Sequence[tuple[str, str]], path: str | Path, progress: bool = True) -> Any:
    """A memory of the documents at ``path``; documents that it holds already are skipped. Writes."""
    memory = GraphMemory.open(path)
    memory.add_passages(documents, progress=progress)
    return memory


def evaluate_passages(
    dataset: str, *, folder: str | Path | None = None, half: Half = "test", methods: Sequence[str] = tuple(METHODS),
    seed: int = 0, n: int | None = None, memory: str | Path | None = None, reranker: PassageReranker | None = None,
    cross: Mapping[str, PassageReranker] | None = None, progress: bool = True,
) -> PassageReport:  # fmt: skip
    """Recall of the gold passages of a data set, in a memory of its corpus; only the question is given.

    Args:
        half: ``test`` are the questions of 2wiki that share no gold title with the training questions.
        seed: of the bootstrap, and of the draw where ``n``, the number of questions, is given.
        memory: file of a memory of the corpus, filled where needed; None for a temporary one.
        cross: rerankers by the half that each is tested on; else ``reranker``, the shipped weights when None.

    Raises:
        InvalidValue: no such data set or method, or its files are not there.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise InvalidValue(f"no ranker {unknown[0]!r}; choose from {', '.join(METHODS)}")
    documents, questions = load(dataset, folder)
    if dataset == "2wiki" and half != "all":
        questions = [question for question in questions if question.half == half]
    rng = np.random.default_rng(seed)
    if n is not None:
        questions = [questions[at] for at in sorted(rng.permutation(len(questions))[:n])]
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_corpus(documents, memory or Path(scratch) / "passages.db", progress) as opened,
    ):
        encoder = TimedEncoder(opened.encoder)
        search = PassageSearch(opened.store, encoder, reranker)  # type: ignore[arg-type]
        outcomes = {name: _outcomes(search, encoder, questions, METHODS[name], cross) for name in methods}
    return _report(dataset, half if dataset == "2wiki" else "all", seed, len(documents), outcomes)


def _outcomes(
    search: PassageSearch, encoder: TimedEncoder, questions: Sequence[PassageQuestion], arguments: dict[str, Any],
    cross: Mapping[str, PassageReranker] | None,
) -> list[_Outcome]:  # fmt: skip
    outcomes = []
    for question in questions:
        if cross:
            search.reranker = cross[question.half]
        found, milliseconds = encoder.without_encoding(partial(search.search, question.text, top_k=100, **arguments))
        titles = [passage.title.casefold() for passage in found]
        ranks = [titles.index(title) + 1 if title in titles else 0 for title in question.gold]
        outcomes.append(_Outcome(question.kind, ranks, _error(search, question, ranks), milliseconds))
    return outcomes


def _error(search: PassageSearch, question: PassageQuestion, ranks: list[int]) -> str:
    """Stage that failed where a gold passage is not among the first 5, one of ``STAGES``; else empty."""
    if all(0 < rank <= 5 for rank in ranks):
        return ""
    if all(rank > 0 for rank in ranks):
        return "ranking"
    return "candidates" if search.signals(question.text, None).names else "names"


def _report(dataset: str, half: str, seed: int, passages: int, outcomes: dict[str, list[_Outcome]]) -> PassageReport:
    baselines = [name for name in outcomes if name != "learned"]
    best = max(baselines, key=lambda name: mean(_recall(outcomes[name], 5)), default="")
    kinds = ["all", *dict.fromkeys(outcome.kind for each in outcomes.values() for outcome in each)]
    rows = []
    for kind in kinds:
        for name, each in outcomes.items():
            chosen = [at for at, outcome in enumerate(each) if kind in ("all", outcome.kind)]
            baseline = [outcomes[best][at] for at in chosen] if best and name == "learned" else None
            rows.append(_row(name, kind, [each[at] for at in chosen], baseline, seed))
    return PassageReport(rows, seed, dataset=dataset, half=half, passages=passages, baseline=best)


def _recall(outcomes: Sequence[_Outcome], depth: int) -> list[float]:
    """Share of gold passages among the first ``depth``, of each question."""
    return [mean([0 < rank <= depth for rank in outcome.ranks]) for outcome in outcomes]


def _row(name: str, kind: str, outcomes: list[_Outcome], baseline: list[_Outcome] | None, seed: int) -> PassageRow:
    recall, other = (_recall(each, 5) for each in (outcomes, baseline or []))
    complete, other_complete = ([float(share == 1) for share in each] for each in (recall, other))
    pairs = (recall, other), (complete, other_complete)
    gains = [None if baseline is None else paired_interval(*pair, seed) for pair in pairs]
    return PassageRow(
        ranker=name, kind=kind, n=len(outcomes), recall_at_2=mean(_recall(outcomes, 2)), recall_at_5=mean(recall),
        recall_at_10=mean(_recall(outcomes, 10)), complete_at_5=mean(complete),
        interval=bootstrap_interval(complete, seed), recall_gain=gains[0], complete_gain=gains[1],
        errors={stage: mean([o.error == stage for o in outcomes]) for stage in STAGES},
        milliseconds=float(np.median([o.milliseconds for o in outcomes])),
    )  # fmt: skip
