"""Graph retrieval: hits, recall and rank of the answers by hop, with the untrained baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.datasets.wikimovies import Question, trained_answers
from graphmem.encoding.timed_encoder import TimedEncoder
from graphmem.evaluation.question_graphs import DATASETS, load_graphs
from graphmem.evaluation.report import Report
from graphmem.evaluation.statistics import bootstrap_interval, mean, paired_interval
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.retrieval.results import Retrieval
from graphmem.retrieval.retriever import RANKERS, Retriever

UNTRAINED = ("path", "ppr", "hybrid", "dense", "bm25")  # rankers that are baselines
STAGES = ("seeds", "sampling", "ranking")  # sources of errors; ``sampling``: no answer is in the subgraph

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class RetrievalOutcome:
    """Result of one ranker for one question.

    Attributes:
        hops: of the question.
        new: no answer of it is the answer of a training question.
        rank: of the best answer, from 1; 0 for none.
        recall_at_5: share of the answers (of 5, where there are more) among the first 5.
        inside: all answers are in the subgraph.
        error: one of ``STAGES``: where the first node is wrong, the stage that failed; else empty.
        milliseconds: processor time without text encoding.
        size: number of nodes of the subgraph.
    """

    hops: int
    new: bool
    rank: int
    recall_at_5: float
    recall_at_10: float
    inside: bool
    error: str
    milliseconds: float
    size: int


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """Means (medians of ``milliseconds`` and ``nodes``) of a ranker on the questions of one number of hops.

    Attributes:
        interval: of Hits@1, 95 %.
        gain: paired interval of Hits@1 over the best untrained ranker; None for untrained rankers.
        inside: share of questions with all answers in the subgraph.
        n_new: questions none of whose answers is the answer of a training question.
        hits_at_1_new: of those.
        errors: share of questions that fail at each stage.
    """

    ranker: str
    hops: int
    n: int
    hits_at_1: float
    interval: Interval
    gain: Interval | None
    mrr: float
    recall_at_5: float
    recall_at_10: float
    inside: float
    n_new: int
    hits_at_1_new: float | None
    errors: dict[str, float]
    milliseconds: float
    nodes: float


@dataclass(frozen=True)
class RetrievalReport(Report):
    """Rows of an evaluation of retrieval, and the outcomes behind them by ranker."""

    dataset: str = ""
    split: str = ""
    outcomes: dict[str, list[RetrievalOutcome]] = field(default_factory=dict, repr=False)

    def json(self) -> str:
        """The rows as JSON, without the outcomes."""
        return Report.json(replace(self, outcomes={}))


def evaluate_retrieval(
    dataset: str = "wikimovies", *, n: int = 300, seed: int = 0, rankers: Sequence[str] = RANKERS,
    split: Split = "test", weights: str | Path | None = None, encoder: Any = None,
) -> RetrievalReport:  # fmt: skip
    """Retrieval of the answers of ``n`` questions of each number of hops, by each ranker; topics are not given.

    ``dataset`` is one of ``DATASETS``, ``rankers`` are some of ``RANKERS``; gains are over the best untrained one. The
    split is that of the topics, or of the relations. None stands for the shipped weights and the default encoder.

    Raises:
        InvalidValue: no such data set or ranker, or ``n`` below 1.
    """
    unknown = [name for name in rankers if name not in RANKERS]
    if dataset not in DATASETS or unknown or n < 1:
        allowed = f"choose one of {DATASETS}, rankers of {RANKERS}, n of at least 1"
        raise InvalidValue(f"{allowed}; not {dataset!r}, {unknown}, {n!r}")
    encoder = TimedEncoder(encoder or load_encoder())
    outcomes: dict[str, list[RetrievalOutcome]] = {name: [] for name in rankers}
    for facts, questions in load_graphs(dataset, split, n, seed):
        with GraphMemory.open(":memory:", encoder=encoder) as memory:
            memory.add_many(facts)
            retriever = Retriever(memory.store, encoder, weights)
            for name in rankers:
                retriever.retrieve(questions[0].question, ranker=name)  # encodes nodes and loads modules
                outcomes[name] += [_outcome(retriever, encoder, question, name) for question in questions]
    return RetrievalReport(_rows(outcomes, seed), seed, dataset=dataset, split=split, outcomes=outcomes)


def _outcome(retriever: Retriever, encoder: TimedEncoder, question: Question, ranker: str) -> RetrievalOutcome:
    search = lambda: retriever.retrieve(question.question, top_k=10, ranker=ranker)
    found, milliseconds = encoder.without_encoding(search)
    right = _ids(retriever, question.answers)
    order = found.subgraph.node_ids
    hits = np.flatnonzero(np.isin(order, list(right)))
    rank = int(hits[0]) + 1 if len(hits) else 0
    new = not trained_answers().intersection(question.answers)
    at_5, at_10 = (float((hits < k).sum()) / max(1, min(k, len(right))) for k in (5, 10))
    inside, error = bool(right) and len(hits) == len(right), _error(found, rank, _ids(retriever, [question.topic]))
    return RetrievalOutcome(question.hops, new, rank, at_5, at_10, inside, error, milliseconds, len(order))


def _ids(retriever: Retriever, names: Sequence[str]) -> set[int]:
    found = retriever.store.resolve_many([normalise(name) for name in names])
    return {node for nodes in found.values() for node in nodes[:1]}


def _error(found: Retrieval, rank: int, topic: set[int]) -> str:
    if rank == 1:
        return ""
    if not topic & set(found.seeds.nodes.tolist()):
        return "seeds"
    return "ranking" if rank else "sampling"


def hits_at_1(outcomes: Sequence[RetrievalOutcome]) -> list[float]:
    """1 for each question whose first node is an answer, else 0."""
    return [float(outcome.rank == 1) for outcome in outcomes]


def _rows(outcomes: dict[str, list[RetrievalOutcome]], seed: int) -> list[RetrievalRow]:
    rows = []
    for hops in sorted({outcome.hops for each in outcomes.values() for outcome in each}):
        same = {name: [o for o in each if o.hops == hops] for name, each in outcomes.items()}
        hits = {name: hits_at_1(each) for name, each in same.items()}
        best = max((name for name in UNTRAINED if name in hits), key=lambda name: mean(hits[name]), default=None)
        for name, each in same.items():
            learned = best is not None and name not in UNTRAINED
            gain = paired_interval(hits[name], hits[str(best)], seed) if learned else None
            rows.append(_row(name, hops, each, gain, seed))
    return rows


def _row(name: str, hops: int, outcomes: list[RetrievalOutcome], gain: Interval | None, seed: int) -> RetrievalRow:
    hits, new = hits_at_1(outcomes), hits_at_1([o for o in outcomes if o.new])
    return RetrievalRow(
        ranker=name, hops=hops, n=len(outcomes), hits_at_1=mean(hits), interval=bootstrap_interval(hits, seed),
        gain=gain, mrr=mean([1 / o.rank if o.rank else 0 for o in outcomes]),
        recall_at_5=mean([o.recall_at_5 for o in outcomes]), recall_at_10=mean([o.recall_at_10 for o in outcomes]),
        inside=mean([o.inside for o in outcomes]), n_new=len(new), hits_at_1_new=mean(new) if new else None,
        errors={stage: mean([o.error == stage for o in outcomes]) for stage in STAGES},
        milliseconds=float(np.median([o.milliseconds for o in outcomes])),
        nodes=float(np.median([o.size for o in outcomes])),
    )  # fmt: skip
