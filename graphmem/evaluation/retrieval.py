"""Graph retrieval: hits, recall and rank of the answers by hop, with the untrained baselines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from graphmem.evaluation.statistics import bootstrap_interval, mean, paired_interval
from graphmem.evaluation.timing import TimedEncoder
from graphmem.retrieval.results import Retrieval
from graphmem.retrieval.retriever import RANKERS, Retriever

UNTRAINED = ("path", "ppr", "hybrid", "dense", "bm25")
"""Rankers that are baselines."""


@dataclass(frozen=True, slots=True)
class RetrievalOutcome:
    """Result of one ranker for one question.

    Attributes:
        hops: number of hops of the question.
        new: no answer of it is the answer of a training question.
        rank: of the best answer, from 1; 0 for none.
        recall5, recall10: share of the answers (of 5, of 10, where there are more) among the first 5 and 10.
        inside: all answers are in the subgraph.
        error: the stage that failed where the first node is wrong: ``seeds``, ``sampling`` (no answer in the subgraph)
            or ``ranking``.
        milliseconds: processor time without text encoding.
        size: number of nodes of the subgraph.
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
    """Means of a ranker on the questions of one number of hops. Shares are 0..1; intervals are 95 %."""

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
    """Rows of an evaluation, and the outcomes behind them."""

    dataset: str
    split: str
    seed: int
    rows: list[RetrievalRow]
    outcomes: dict[str, list[RetrievalOutcome]] = field(default_factory=dict, repr=False)

    def table(self) -> str:
        """The rows as a Markdown table, with 95 % bootstrap intervals."""
        head = (
            "| ranker | hops | n | Hits@1 [95 %] | gain over best baseline [95 %] | Hits@1, new answers (n) "
            "| MRR | R@5 | R@10 | all answers inside | errors: seeds / sampling / ranking | CPU ms | nodes |"
        )
        return "\n".join([head, "|" + "---|" * 13, *(_line(row) for row in self.rows), *self.gnn_adds()])

    def gnn_adds(self) -> list[str]:
        """Gain of the GNN over activation alone, in Hits@1 by hops with paired intervals; empty unless both ran."""
        if not {"gnn", "activation"} <= self.outcomes.keys():
            return []
        lines = [""]
        for hops in sorted({outcome.hops for outcome in self.outcomes["gnn"]}):
            gnn, activation = (
                hits_at_1([o for o in self.outcomes[name] if o.hops == hops]) for name in ("gnn", "activation")
            )
            gain, low, high = paired_interval(gnn, activation, self.seed)
            lines.append(f"GNN over activation, {hops} hops: {gain:+.3f} [{low:+.3f}, {high:+.3f}]")
        return lines

    def json(self) -> str:
        """The rows as JSON."""
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
    """Retrieval of the answers of ``n`` questions of each number of hops, by each ranker; topics are not given.

    Args:
        dataset: one of ``DATASETS``.
        n: questions of each number of hops.
        seed: of the draw and of the bootstrap.
        rankers: some of ``RANKERS``; gains are over the best untrained one.
        split: of the topics, or of the relations.
        weights: file of retriever weights; None for the shipped ones.
        encoder: text encoder; None for the default one.

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
                retriever.retrieve(questions[0].question, ranker=name)  # encodes nodes and loads modules
                outcomes[name] += [_outcome(retriever, encoder, question, name) for question in questions]
    return RetrievalReport(dataset, split, seed, _rows(outcomes, seed), outcomes)


def _default_encoder() -> Any:
    from graphmem.hub import load_encoder

    return load_encoder()


@contextmanager
def _opened(facts: Facts, encoder: Any, weights: str | Path | None) -> Iterator[Retriever]:
    """A retriever over an in-memory store of these facts."""
    from graphmem.memory import GraphMemory

    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(facts)
        yield Retriever(memory.store, encoder, weights)


def _outcome(retriever: Retriever, encoder: TimedEncoder, question: Question, ranker: str) -> RetrievalOutcome:
    found, milliseconds = encoder.without_encoding(
        lambda: retriever.retrieve(question.question, top_k=10, ranker=ranker)
    )
    right = _ids(retriever, question.answers)
    order = found.subgraph.node_ids
    hits = np.flatnonzero(np.isin(order, list(right)))
    rank = int(hits[0]) + 1 if len(hits) else 0
    new = not trained_answers().intersection(question.answers)
    wide = min(5, len(right)), min(10, len(right))
    return RetrievalOutcome(
        question.hops, new, rank, float((hits < 5).sum()) / max(1, wide[0]), float((hits < 10).sum()) / max(1, wide[1]),
        bool(right) and len(hits) == len(right), _error(found, rank, _ids(retriever, [question.topic])), milliseconds,
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


# ---------------------------------------------------------------- means and intervals


def hits_at_1(outcomes: Sequence[RetrievalOutcome]) -> list[float]:
    """1 for each question whose first node is an answer, else 0."""
    return [float(outcome.rank == 1) for outcome in outcomes]


def _rows(outcomes: dict[str, list[RetrievalOutcome]], seed: int) -> list[RetrievalRow]:
    rows = []
    for hops in sorted({outcome.hops for each in outcomes.values() for outcome in each}):
        same = {name: [o for o in each if o.hops == hops] for name, each in outcomes.items()}
        hits = {name: hits_at_1(each) for name, each in same.items()}
        baselines = [name for name in UNTRAINED if name in hits]
        best = max(baselines, key=lambda name: mean(hits[name]), default=None)
        for name, each in same.items():
            baseline = None if best is None or name in UNTRAINED else hits[best]
            rows.append(_row(name, hops, each, baseline, seed))
    return rows


def _row(
    name: str, hops: int, outcomes: list[RetrievalOutcome], baseline: list[float] | None, seed: int
) -> RetrievalRow:  # fmt: skip
    hits, new = hits_at_1(outcomes), hits_at_1([o for o in outcomes if o.new])
    low, high = bootstrap_interval(hits, seed)
    gain_low, gain_high = (None, None) if baseline is None else paired_interval(hits, baseline, seed)[1:]
    means = {name: mean([getattr(o, name) for o in outcomes]) for name in ("recall5", "recall10", "inside")}
    errors = {kind: mean([o.error == kind for o in outcomes]) for kind in ("seeds", "sampling", "ranking")}
    return RetrievalRow(
        ranker=name, hops=hops, n=len(outcomes), hits1=mean(hits), low=low, high=high,
        mrr=mean([1 / o.rank if o.rank else 0 for o in outcomes]), **means, n_new=len(new),
        hits1_new=mean(new) if new else None, **errors,
        milliseconds=float(np.median([o.milliseconds for o in outcomes])),
        nodes=float(np.median([o.size for o in outcomes])), gain_low=gain_low, gain_high=gain_high,
    )  # fmt: skip
