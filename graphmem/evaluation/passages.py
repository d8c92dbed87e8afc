"""Passage search: recall of the gold passages, with BM25, vectors, both fused, and PageRank as baselines."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.datasets.multihop_passages import PassageQuestion, load
from graphmem.evaluation.statistics import bootstrap_interval, mean, paired_interval
from graphmem.evaluation.timing import TimedEncoder
from graphmem.retrieval.passages.reranker import PassageReranker
from graphmem.retrieval.passages.search import PassageSearch

METHODS: dict[str, dict[str, Any]] = {
    "bm25": {"ranker": "bm25"},
    "dense": {"ranker": "dense"},
    "hybrid": {"ranker": "hybrid"},
    "ppr 0.5": {"ranker": "ppr", "damping": 0.5},
    "ppr 0.85": {"ranker": "ppr", "damping": 0.85},
    "learned": {"ranker": "learned"},
}
"""Arguments of ``PassageSearch.search`` by the ranker's name in the table."""

Half = Literal["train", "test", "all"]


@dataclass(frozen=True, slots=True)
class PassageRow:
    """Means of a ranker on the questions of one kind. Shares are 0..1; intervals are 95 %, paired for gains."""

    ranker: str
    kind: str
    n: int
    recall2: float
    recall5: float
    recall10: float
    all5: float
    low: float
    high: float
    errors: tuple[float, ...]
    milliseconds: float
    recall5_gain: tuple[float, float] | None = None
    all5_gain: tuple[float, float] | None = None


@dataclass(frozen=True)
class PassageReport:
    """Rows of an evaluation; the gain of ``learned`` is over the baseline with the highest recall at 5."""

    dataset: str
    half: str
    seed: int
    passages: int
    rows: list[PassageRow]
    baseline: str = ""

    def table(self) -> str:
        """The rows as a Markdown table."""
        head = (
            f"{self.dataset}: {self.passages:,} passages, questions: {self.half}, seed {self.seed}; "
            f"gain over {self.baseline}\n\n"
            "| ranker | questions | n | R@2 | R@5 | R@10 | all gold in 5 [95 %] | gain in R@5 | gain in all gold "
            "| errors: names / candidates / ranking | CPU ms |"
        )
        return "\n".join([head, "|" + "---|" * 11, *map(_line, self.rows)])

    def json(self) -> str:
        """The report as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def _line(row: PassageRow) -> str:
    gains = ["" if gain is None else f"{gain[0]:+.3f} .. {gain[1]:+.3f}" for gain in (row.recall5_gain, row.all5_gain)]
    errors = " / ".join(f"{share:.3f}" for share in row.errors) if row.ranker == "learned" else ""
    return (
        f"| {row.ranker} | {row.kind} | {row.n} | {row.recall2:.3f} | {row.recall5:.3f} | {row.recall10:.3f} "
        f"| {row.all5:.3f} [{row.low:.3f}, {row.high:.3f}] | {gains[0]} | {gains[1]} | {errors} "
        f"| {row.milliseconds:.0f} |"
    )


# ---------------------------------------------------------------- running


@dataclass(slots=True)
class _Outcome:
    kind: str
    ranks: list[int]
    error: int
    milliseconds: float


def open_corpus(documents: Sequence[tuple[str, str]], path: str | Path, progress: bool = True) -> Any:
    """A memory of the documents at ``path``; documents that it holds already are skipped. Writes."""
    from graphmem.memory import GraphMemory

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
        dataset: one of ``DATASETS``.
        folder: of the data sets; None for the environment variable GRAPHMEM_DATA.
        half: ``test`` are the questions of 2wiki that share no gold title with the training questions.
        methods: some of ``METHODS``.
        seed: of the bootstrap, and of the draw where ``n`` is given.
        n: number of questions; None for all.
        memory: file of a memory of the corpus, filled where needed; None for a temporary one.
        reranker: None for the shipped weights.
        cross: rerankers by the half that each is tested on.
        progress: show progress bars on standard error.

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


def _error(search: PassageSearch, question: PassageQuestion, ranks: list[int]) -> int:
    """Stage that failed where a gold passage is not in the first five: 1 names, 2 candidates, 3 ranking."""
    if all(0 < rank <= 5 for rank in ranks):
        return 0
    if all(rank > 0 for rank in ranks):
        return 3
    return 2 if search.signals(question.text, None).names else 1


def _report(
    dataset: str, half: str, seed: int, passages: int, outcomes: dict[str, list[_Outcome]]
) -> PassageReport:  # fmt: skip
    baselines = [name for name in outcomes if name != "learned"]
    best = max(baselines, key=lambda name: mean(_recall(outcomes[name], 5)), default="")
    kinds = ["all", *dict.fromkeys(outcome.kind for each in outcomes.values() for outcome in each)]
    rows = []
    for kind in kinds:
        for name, each in outcomes.items():
            chosen = [at for at, outcome in enumerate(each) if kind in ("all", outcome.kind)]
            baseline = [outcomes[best][at] for at in chosen] if best and name == "learned" else None
            rows.append(_row(name, kind, [each[at] for at in chosen], baseline, seed))
    return PassageReport(dataset, half, seed, passages, rows, best)


def _recall(outcomes: Sequence[_Outcome], depth: int) -> list[float]:
    """Share of gold passages among the first ``depth``, of each question."""
    return [mean([0 < rank <= depth for rank in outcome.ranks]) for outcome in outcomes]


def _complete(recall: Sequence[float]) -> list[float]:
    """1 for each question with all gold passages, else 0."""
    return [float(share == 1) for share in recall]


def _row(name: str, kind: str, outcomes: list[_Outcome], baseline: list[_Outcome] | None, seed: int) -> PassageRow:
    recall5 = _recall(outcomes, 5)
    complete = _complete(recall5)
    low, high = bootstrap_interval(complete, seed)
    recall5_gain = all5_gain = None
    if baseline is not None:
        other = _recall(baseline, 5)
        recall5_gain = paired_interval(recall5, other, seed)[1:]
        all5_gain = paired_interval(complete, _complete(other), seed)[1:]
    return PassageRow(
        ranker=name, kind=kind, n=len(outcomes), recall2=mean(_recall(outcomes, 2)), recall5=mean(recall5),
        recall10=mean(_recall(outcomes, 10)), all5=mean(complete), low=low, high=high,
        errors=tuple(mean([o.error == e for o in outcomes]) for e in (1, 2, 3)),
        milliseconds=float(np.median([o.milliseconds for o in outcomes])), recall5_gain=recall5_gain,
        all5_gain=all5_gain,
    )  # fmt: skip
