"""Trains the GNN: answers above everything else that the trained gates activated (listwise)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.datasets.wikimovies import load_facts, load_questions
from graphmem.retrieval.learned_rankers import gnn_inputs
from graphmem.retrieval.nn.gnn import RelevanceGNN
from graphmem.retrieval.relation_scorer import RelationScorer
from graphmem.retrieval.search.array_index import ArrayIndex
from graphmem.retrieval.search.spreading_activation import Budget, spread
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations
from graphmem.training.retriever.examples import MASK

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GNNTraining:
    """How the GNN is trained.

    Attributes:
        epochs: times that every activated subgraph is seen.
        rate: peak learning rate.
        nodes: most nodes of a training subgraph.
        seed: of every draw.
    """

    epochs: int = 4
    rate: float = 2e-3
    nodes: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.nodes < 2:
            raise InvalidValue(
                f"epochs must be at least 1 and nodes at least 2, not {self.epochs!r} and {self.nodes!r}"
            )


@dataclass(frozen=True, slots=True)
class GNNExample:
    """An activated subgraph: the GNN's inputs and which of its nodes answer, bool [N]."""

    inputs: tuple[Tensor, ...]
    answers: Tensor


def make_gnn_example(
    reader: RelationScorer, index: ArrayIndex, asked: str, topic: str, answers: Iterable[str], config: GNNTraining
) -> GNNExample | None:
    """Activate from a topic; None where activation reaches no answer, or nothing but answers."""
    root = np.asarray([index.ids[normalise(topic)]], np.int64)
    question = reader.read(asked, index.relations)
    opinion = reader.opinion(question, index.relations)
    found = spread(index, [root], np.ones(1), question.steps, question.lengths, Budget(nodes=config.nodes), opinion)
    right = {index.ids[normalise(answer)] for answer in answers if normalise(answer) in index.ids}
    if not len(found.nodes):
        return None
    inputs = tuple(tensor.clone() for tensor in gnn_inputs(reader, question, found, index, root))
    mask = torch.zeros(len(inputs[0]), dtype=torch.bool)
    mask[: len(found.nodes)] = torch.from_numpy(np.isin(found.nodes, list(right)))
    return GNNExample(inputs, mask) if mask.any() and not mask.all() else None


def wikimovies_gnn_examples(
    reader: RelationScorer, count: int, config: GNNTraining, split: Split = "train"
) -> list[GNNExample]:
    """Questions about topics of the split, over the whole WikiMovies graph."""
    index = ArrayIndex(load_facts())
    questions = Random(config.seed).sample(load_questions(split), count)
    cases = (
        make_gnn_example(reader, index, q.question.replace(q.topic, MASK), q.topic, q.answers, config)
        for q in questions
    )
    return [case for case in cases if case is not None]


def world_gnn_examples(
    reader: RelationScorer, worlds: int, each: int, config: GNNTraining, split: Split = "train"
) -> list[GNNExample]:
    """Questions over random worlds of the split's relations."""
    rng, cases = Random(config.seed), []
    pool = split_relations(split)
    for _ in range(worlds):
        relations = rng.sample(pool, min(rng.randint(12, 60), len(pool)))
        world = World.sample(rng.randrange(2**31), relations=relations, entities=300)
        index = ArrayIndex(world.triples)
        for q in world.questions(rng, each):
            asked = q.question.replace(q.topic, MASK)
            if (case := make_gnn_example(reader, index, asked, q.topic, q.answers, config)) is not None:
                cases.append(case)
    return cases


def listwise(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean over answers of the cross-entropy against everything that is no answer."""
    wrong = logits[~answers].logsumexp(0)
    right = logits[answers]
    return (torch.logaddexp(right, wrong) - right).mean()


def train_gnn(gnn: RelevanceGNN, cases: Sequence[GNNExample], config: GNNTraining) -> list[float]:
    """Train in place, eight subgraphs a step; returns the mean loss of every epoch."""
    rng = Random(config.seed)
    torch.manual_seed(config.seed)
    optimiser = torch.optim.AdamW(gnn.parameters(), lr=config.rate, weight_decay=0.01)
    total = config.epochs * ((len(cases) + 7) // 8)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, total_steps=total, pct_start=0.1)
    history: list[float] = []
    gnn.train()
    for epoch in range(config.epochs):
        order, losses = rng.sample(range(len(cases)), len(cases)), []
        for start in range(0, len(order), 8):
            chosen = [cases[i] for i in order[start : start + 8]]
            loss = torch.stack([listwise(gnn(*case.inputs)[1], case.answers) for case in chosen]).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(gnn.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        history.append(float(np.mean(losses)))
        log.info("epoch %d listwise loss %.4f", epoch + 1, history[-1])
    gnn.eval()
    return history


@torch.inference_mode()
def hits_at_one(gnn: Any, cases: Sequence[GNNExample]) -> tuple[float, float]:
    """Share of subgraphs with an answer on top: by activation alone, and by the GNN."""
    alone = [bool(case.answers[case.inputs[0][:, 0].argmax()]) for case in cases]
    ranked = [bool(case.answers[gnn(*case.inputs)[1].argmax()]) for case in cases]
    return float(np.mean(alone)), float(np.mean(ranked))
