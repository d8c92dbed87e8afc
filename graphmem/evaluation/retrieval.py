"""Graph retrieval: hits, recall and rank of the answers by hop, with the untrained baselines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.datasets.wikimovies import Question, trained_answers
from graphmem.evaluation.question_graphs import DATASETS, Facts, load_graphs
from graphmem.retrieval.results import Retrieval
from graphmem.retrieval.retriever import RANKERS, Retriever

BOOTSTRAP = 2000


@dataclass(frozen=True, slots=True)
class RetrievalOutcome:
    """What one ranker did with one question.

    Attributes:
        hops: of the question.
        new: no answer of it was ever an answer in training.
        rank: of the best answer, from 1; 0 when none was found.
        recall5, recall10: share of the answers (of 5, of 10, where there are more) among the first 5 and 10.
        inside: every answer lies in the subgraph.
        error: what failed where the first node is wrong: ``seeds``, ``sampling`` (no answer reached) or ``ranking``.
        milliseconds: of processor time, text encoding taken off.
        size: nodes of the subgraph.
    """

    hops: int
    new: bool
    rank: int
    recall5: float
    recall10: float
    inside: bool
    error: str
    milliseconds: float
    size: int


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """One line of the report: a ranker on the questions of one number of hops. Shares are 0..1."""

    ranker: str
    hops: int
    n: int
    hits1: float
    low: float
    high: float
    mrr: float
    recall5: float
    recall10: float
    inside: float
    n_new: int
    hits1_new: float | None
    seeds: float
    sampling: float
    ranking: float
    milliseconds: float
    nodes: float
    gain_low: float | None = None
    gain_high: float | None = None


@dataclass(frozen=True)
class RetrievalReport:
    """All rows, and the outcomes behind them."""

    dataset: str
    split: str
    seed: int
    rows: list[RetrievalRow]
    outcomes: dict[str, list[RetrievalOutcome]] = field(default_factory=dict, repr=False)

    def table(self) -> str:
        """As a Markdown table. The interval of Hits@1 and of its gain over the best baseline is 95 %, bootstrap."""
        head = (
            "| ranker | hops | n | Hits@1 [95 %] | gain over best baseline [95 %] | Hits@1, new answers (n) "
            "| MRR | R@5 | R@10 | all answers inside | errors: seeds / sampling / ranking | CPU ms | nodes |"
        )
        return "\n".join([head, "|" + "---|" * 13, *(_line(row) for row in self.rows), *self.gnn_adds()])

    def gnn_adds(self) -> list[str]:
        """What the GNN adds to activation alone, in Hits@1 by hops, with paired intervals; nothing unless both ran."""
        if not {"gnn", "activation"} <= self.outcomes.keys():
            return []
        rng, lines = np.random.default_rng(self.seed), []
        for hops in sorted({outcome.hops for outcome in self.outcomes["gnn"]}):
            with_, without = (
                np.asarray([o.rank == 1 for o in self.outcomes[name] if o.hops == hops], float)
                for name in ("gnn", "activation")
            )
            low, high = interval(with_ - without, rng)
            lines.append(f"GNN over activation, {hops} hops: {(with_ - without).mean():+.3f} [{low:+.3f}, {high:+.3f}]")
        return ["", *lines]

    def json(self) -> str:
        """As JSON, without the outcomes."""
        rows = [asdict(row) for row in self.rows]
        return json.dumps({"dataset": self.dataset, "split": self.split, "seed": self.seed, "rows": rows})


def _line(row: RetrievalRow) -> str:
    new = "" if row.hits1_new is None else f"{row.hits1_new:.3f} ({row.n_new})"
    gain = "" if row.gain_low is None else f"{row.gain_low:+.3f} .. {row.gain_high:+.3f}"
    return (
        f"| {row.ranker} | {row.hops} | {row.n} | {row.hits1:.3f} [{row.low:.3f}, {row.high:.3f}] | {gain} | {new} "
        f"| {row.mrr:.3f} | {row.recall5:.3f} | {row.recall10:.3f} | {row.inside:.3f} "
        f"| {row.seeds:.3f} / {row.sampling:.3f} / {row.ranking:.3f} | {row.milliseconds:.1f} | {row.nodes:.0f} |"
    )


# ---------------------------------------------------------------- running


def evaluate_retrieval(
    dataset: str = "wikimovies", *, n: int = 300, seed: int = 0, rankers: Sequence[str] = RANKERS,
    split: Split = "test", weights: str | Path | None = None, encoder: Any = None,
) -> RetrievalReport:  # fmt: skip
    """Ask a live store ``n`` questions of each number of hops with each ranker. The topic is never given.

    Args:
        dataset: one of ``DATASETS``, which says what each is.
        n: questions of each number of hops.
        seed: of the draw.
        rankers: which to compare; gains are counted over the best of those that are untrained.
        split: which topics (or relations) to ask about.
        weights: a retriever's weights; None for those that ship.
        encoder: a text encoder; None for the default one.

    Raises:
        InvalidValue: no such data set or ranker, or ``n`` below 1.
    """
    unknown = [name for name in rankers if name not in RANKERS]
    if dataset not in DATASETS or unknown or n < 1:
        raise InvalidValue(
            f"choose one of {DATASETS}, rankers of {RANKERS}, n of at least 1; not {dataset!r}, {unknown}, {n!r}"
        )
    encoder = TimedEncoder(encoder or _default_encoder())
    outcomes: dict[str, list[RetrievalOutcome]] = {name: [] for name in rankers}
    for facts, questions in load_graphs(dataset, split, n, seed):
        with _opened(facts, encoder, weights) as retriever:
            for name in rankers:
                retriever.retrieve(questions[0].question, ranker=name)  # vectors are made and modules loaded here
                outcomes[name] += [_ask(retriever, question, name) for question in questions]
    return RetrievalReport(dataset, split, seed, _rows(outcomes, seed), outcomes)


def _default_encoder() -> Any:
    from graphmem.hub import load_encoder

    return load_encoder()


@contextmanager
def _opened(facts: Facts, encoder: Any, weights: str | Path | None) -> Iterator[Retriever]:
    """A retriever over a memory of these facts in RAM."""
    from graphmem.memory import GraphMemory

    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(facts)
        yield Retriever(memory.store, encoder, weights)


class TimedEncoder:
    """An encoder that keeps count of the processor time it took, so that it can be taken off."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self.seconds = encoder, 0.0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._encoder, name)
        if name.startswith("encode") and callable(value):
            return self._counted(value)
        return value

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(texts: Sequence[str]) -> Any:
            started = time.process_time()
            try:
                return call(texts)
            finally:
                self.seconds += time.process_time() - started

        return timed


def _ask(retriever: Retriever, question: Question, ranker: str) -> RetrievalOutcome:
    encoder: Any = retriever.encoder
    encoded, started = encoder.seconds, time.process_time()
    found = retriever.retrieve(question.question, top_k=10, ranker=ranker)
    seconds = time.process_time() - started - (encoder.seconds - encoded)
    right = _ids(retriever, question.answers)
    order = found.subgraph.node_ids
    hits = np.flatnonzero(np.isin(order, list(right)))
    rank = int(hits[0]) + 1 if len(hits) else 0
    new = not trained_answers().intersection(question.answers)
    wide = min(5, len(right)), min(10, len(right))
    return RetrievalOutcome(
        question.hops, new, rank, float((hits < 5).sum()) / max(1, wide[0]), float((hits < 10).sum()) / max(1, wide[1]),
        bool(right) and len(hits) == len(right), _error(found, rank, _ids(retriever, [question.topic])), 1e3 * seconds,
        len(order),
    )  # fmt: skip


def _ids(retriever: Retriever, names: Sequence[str]) -> set[int]:
    found = retriever.store.resolve_many([normalise(name) for name in names])
    return {node for nodes in found.values() for node in nodes[:1]}


def _error(found: Retrieval, rank: int, topic: set[int]) -> str:
    if rank == 1:
        return ""
    if not topic & set(found.seeds.nodes.tolist()):
        return "seeds"
    return "ranking" if rank else "sampling"


# ---------------------------------------------------------------- counting

UNTRAINED = ("path", "ppr", "hybrid", "dense", "bm25")


def _rows(outcomes: dict[str, list[RetrievalOutcome]], seed: int) -> list[RetrievalRow]:
    rng, rows = np.random.default_rng(seed), []
    for hops in sorted({outcome.hops for every in outcomes.values() for outcome in every}):
        asked = {name: [o for o in every if o.hops == hops] for name, every in outcomes.items()}
        hits = {name: np.asarray([o.rank == 1 for o in every], float) for name, every in asked.items()}
        baselines = [name for name in UNTRAINED if name in hits]
        best = max(baselines, key=lambda name: hits[name].mean(), default=None)
        for name, every in asked.items():
            gain = None if best is None or name in UNTRAINED else hits[name] - hits[best]
            rows.append(_row(name, hops, every, rng, gain))
    return rows


def _row(
    name: str, hops: int, outcomes: list[RetrievalOutcome], rng: np.random.Generator, gain: np.ndarray | None
) -> RetrievalRow:
    hits = np.asarray([o.rank == 1 for o in outcomes], float)
    low, high = interval(hits, rng)
    gain_low, gain_high = (None, None) if gain is None else interval(gain, rng)
    new = [float(o.rank == 1) for o in outcomes if o.new]
    mean = {name: _mean([getattr(o, name) for o in outcomes]) for name in ("recall5", "recall10", "inside")}
    errors = {kind: _mean([o.error == kind for o in outcomes]) for kind in ("seeds", "sampling", "ranking")}
    return RetrievalRow(
        ranker=name, hops=hops, n=len(outcomes), hits1=float(hits.mean()), low=low, high=high,
        mrr=_mean([1 / o.rank if o.rank else 0 for o in outcomes]), **mean, n_new=len(new),
        hits1_new=_mean(new) if new else None, **errors,
        milliseconds=float(np.median([o.milliseconds for o in outcomes])),
        nodes=float(np.median([o.size for o in outcomes])), gain_low=gain_low, gain_high=gain_high,
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def interval(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of a mean; of paired differences, the paired interval."""
    means = values[rng.integers(0, len(values), (BOOTSTRAP, len(values)))].mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))
