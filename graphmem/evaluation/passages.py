"""Passage search: recall of the gold passages, with BM25, vectors, both fused, and PageRank as baselines."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.datasets.multihop_passages import PassageQuestion, load
from graphmem.retrieval.passages.reranker import PassageReranker
from graphmem.retrieval.passages.search import PassageSearch

METHODS: dict[str, dict[str, Any]] = {
    "bm25": {"ranker": "bm25"},
    "dense": {"ranker": "dense"},
    "fused": {"ranker": "fused"},
    "ppr 0.5": {"ranker": "ppr", "damping": 0.5},
    "ppr 0.85": {"ranker": "ppr", "damping": 0.85},
    "learned": {"ranker": "learned"},
}
"""Rankers by the name they have in the table, with their arguments."""

BOOTSTRAP = 2000
Half = Literal["train", "test", "all"]


@dataclass(frozen=True, slots=True)
class PassageRow:
    """One ranker on the questions of one kind. Shares are 0..1; the gain is in all gold passages in the first five."""

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
    """All rows. The gain of ``learned`` is over the baseline with the most gold passages in the first five."""

    dataset: str
    half: str
    seed: int
    passages: int
    rows: list[PassageRow]
    baseline: str = ""

    def table(self) -> str:
        """As Markdown. Intervals are 95 %, bootstrap over questions, paired for gains."""
        head = (
            f"{self.dataset}: {self.passages:,} passages, questions: {self.half}, seed {self.seed}; "
            f"gain over {self.baseline}\n\n"
            "| ranker | questions | n | R@2 | R@5 | R@10 | all gold in 5 [95 %] | gain in R@5 | gain in all gold "
            "| not found: names / reach / ranking | CPU ms |"
        )
        return "\n".join([head, "|" + "---|" * 11, *map(_line, self.rows)])

    def json(self) -> str:
        """As JSON."""
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
    """A memory of the documents at ``path``; what it holds already is not taken in again. Writes."""
    from graphmem.memory import GraphMemory

    memory = GraphMemory.open(path)
    memory.add_passages(documents, progress=progress)
    return memory


def evaluate_passages(
    dataset: str, *, folder: str | Path | None = None, half: Half = "test", methods: Sequence[str] = tuple(METHODS),
    seed: int = 0, n: int | None = None, memory: str | Path | None = None, scorer: PassageReranker | None = None,
    cross: dict[str, PassageReranker] | None = None, progress: bool = True,
) -> PassageReport:  # fmt: skip
    """Ask the questions of a data set of a memory that holds its corpus; nothing but the question is given.

    Args:
        dataset: one of ``DATASETS``.
        folder: where the data sets lie; None for the environment variable GRAPHMEM_DATA.
        half: ``test`` are the questions of 2wiki that share no gold title with those the scorer was trained on.
        methods: some of ``METHODS``.
        seed: of the bootstrap, and of the draw where ``n`` is given.
        n: this many questions; None for all.
        memory: file of a memory to fill and ask; None for one that is thrown away.
        scorer: another scorer than the one that ships.
        cross: scorers by the half that they are to be tested on.
        progress: show bars on standard error.

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
        search = PassageSearch(opened.store, opened.encoder, scorer)
        outcomes = {name: _ask(search, questions, METHODS[name], cross) for name in methods}
    return _report(dataset, half if dataset == "2wiki" else "all", seed, len(documents), outcomes, rng)


def _ask(
    search: PassageSearch, questions: Sequence[PassageQuestion], arguments: dict[str, Any],
    cross: dict[str, PassageReranker] | None,
) -> list[_Outcome]:  # fmt: skip
    outcomes = []
    for question in questions:
        if cross:
            search.scorer = cross[question.half]
        with _EncodingTime(search) as encoding:
            start = time.process_time()
            found = search.search(question.text, limit=100, **arguments)
            spent = time.process_time() - start - encoding()
        titles = [passage.title.casefold() for passage in found]
        ranks = [titles.index(title) + 1 if title in titles else 0 for title in question.gold]
        outcomes.append(_Outcome(question.kind, ranks, _error(search, question, ranks, titles), 1000 * spent))
    return outcomes


class _EncodingTime:
    """Counts the processor time that the encoder takes, so that it can be taken off."""

    def __init__(self, search: PassageSearch) -> None:
        self.search, self.spent = search, 0.0

    def __enter__(self) -> Callable[[], float]:
        self.encoder = self.search.encoder
        self.search.encoder = self.search._texts.encoder = _Timed(self.encoder, self)  # type: ignore[assignment]
        return lambda: self.spent

    def __exit__(self, *_: object) -> None:
        self.search.encoder = self.search._texts.encoder = self.encoder


class _Timed:
    def __init__(self, encoder: Any, clock: _EncodingTime) -> None:
        self.encoder, self.clock = encoder, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        start = time.process_time()
        try:
            return np.asarray(self.encoder.encode(texts))
        finally:
            self.clock.spent += time.process_time() - start


def _error(search: PassageSearch, question: PassageQuestion, ranks: list[int], titles: list[str]) -> int:
    """What failed where a gold passage is not among the first five: 1 nothing named, 2 not reached, 3 ranking."""
    if all(0 < rank <= 5 for rank in ranks):
        return 0
    if all(rank > 0 for rank in ranks):
        return 3
    return 2 if search.signals(question.text, None).names else 1


def _report(
    dataset: str, half: str, seed: int, passages: int, outcomes: dict[str, list[_Outcome]], rng: np.random.Generator
) -> PassageReport:
    baselines = [name for name in outcomes if name != "learned"]
    best = max(baselines, key=lambda name: _shares(outcomes[name], 5).mean(), default="")
    kinds = ["all", *dict.fromkeys(outcome.kind for every in outcomes.values() for outcome in every)]
    rows = []
    for kind in kinds:
        for name, every in outcomes.items():
            chosen = [at for at, outcome in enumerate(every) if kind in ("all", outcome.kind)]
            rival = [outcomes[best][at] for at in chosen] if best and name == "learned" else None
            rows.append(_row(name, kind, [every[at] for at in chosen], rival, rng))
    return PassageReport(dataset, half, seed, passages, rows, best)


def _shares(outcomes: Sequence[_Outcome], depth: int) -> np.ndarray:
    return np.asarray([np.mean([0 < rank <= depth for rank in outcome.ranks]) for outcome in outcomes])


def _row(
    name: str, kind: str, outcomes: list[_Outcome], rival: list[_Outcome] | None, rng: np.random.Generator
) -> PassageRow:
    recall5 = _shares(outcomes, 5)
    complete = (recall5 == 1).astype(float)
    gains = (None, None)
    if rival is not None:
        theirs = _shares(rival, 5)
        gains = interval(recall5 - theirs, rng), interval(complete - (theirs == 1), rng)  # type: ignore[assignment]
    low, high = interval(complete, rng)
    return PassageRow(
        ranker=name, kind=kind, n=len(outcomes), recall2=float(_shares(outcomes, 2).mean()),
        recall5=float(recall5.mean()), recall10=float(_shares(outcomes, 10).mean()), all5=float(complete.mean()),
        low=low, high=high, errors=tuple(float(np.mean([o.error == e for o in outcomes])) for e in (1, 2, 3)),
        milliseconds=float(np.median([o.milliseconds for o in outcomes])), recall5_gain=gains[0], all5_gain=gains[1],
    )  # fmt: skip


def interval(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of a mean; of paired differences, the paired interval."""
    means = values[rng.integers(0, len(values), (BOOTSTRAP, len(values)))].mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
