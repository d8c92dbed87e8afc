"""Training of the relevance GNN: a listwise loss over the nodes that the trained gates activate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from graphmem.core.names import normalise
from graphmem.datasets.wikimovies import load_facts, load_questions
from graphmem.retrieval.activation_rankers import gnn_inputs
from graphmem.retrieval.nn.gnn import RelevanceGNN
from graphmem.retrieval.relation_scorer import RelationScorer
from graphmem.retrieval.search.array_index import ArrayIndex
from graphmem.retrieval.search.spreading_activation import Budget, spread
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations
from graphmem.training.retriever.examples import MASK
from graphmem.training.retriever.gates import fit

BATCH = 8  # subgraphs a step
NODES = 300  # maximum size of a training subgraph


@dataclass(frozen=True, slots=True)
class GNNExample:
    """An activated subgraph: inputs of the GNN, and the answer nodes, bool [N]."""

    inputs: tuple[Tensor, ...]
    answers: Tensor


def make_gnn_example(
    scorer: RelationScorer, index: ArrayIndex, question: str, topic: str, answers: Iterable[str]
) -> GNNExample | None:
    """The subgraph activated from a topic; None where it has no answer, or only answers."""
    root = np.asarray([index.ids[normalise(topic)]], np.int64)
    scores = scorer.score(question.replace(topic, MASK), index.relations)
    rescorer = scorer.rescorer(scores, index.relations)
    found = spread(index, [root], np.ones(1), scores.steps, scores.lengths, Budget(nodes=NODES), rescorer)
    right = {index.ids[normalise(answer)] for answer in answers if normalise(answer) in index.ids}
    if not len(found.nodes):
        return None
    inputs = tuple(tensor.clone() for tensor in gnn_inputs(scores, found, index, root))
    mask = torch.zeros(len(inputs[0]), dtype=torch.bool)
    mask[: len(found.nodes)] = torch.from_numpy(np.isin(found.nodes, list(right)))
    return GNNExample(inputs, mask) if mask.any() and not mask.all() else None


def wikimovies_gnn_examples(scorer: RelationScorer, count: int, seed: int) -> list[GNNExample]:
    """Examples of training questions, over the whole WikiMovies graph."""
    index = ArrayIndex(load_facts())
    questions = Random(seed).sample(load_questions("train"), count)
    examples = (make_gnn_example(scorer, index, q.question, q.topic, q.answers) for q in questions)
    return [example for example in examples if example is not None]


def world_gnn_examples(scorer: RelationScorer, worlds: int, each: int, seed: int) -> list[GNNExample]:
    """Examples over random worlds of the training relations."""
    rng, examples, pool = Random(seed), list[GNNExample | None](), split_relations("train")
    for _ in range(worlds):
        relations = rng.sample(pool, min(rng.randint(12, 60), len(pool)))
        world = World.sample(rng.randrange(2**31), relations=relations, entities=300)
        index = ArrayIndex(world.triples)
        drawn = world.questions(rng, each)
        examples += [make_gnn_example(scorer, index, q.question, q.topic, q.answers) for q in drawn]
    return [example for example in examples if example is not None]


def listwise(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean over the answers of the cross-entropy against all other nodes."""
    wrong = logits[~answers].logsumexp(0)
    right = logits[answers]
    return (torch.logaddexp(right, wrong) - right).mean()


def train_gnn(
    gnn: RelevanceGNN, cases: Sequence[GNNExample], folder: Path, *, epochs: int = 4, rate: float = 2e-3, seed: int = 0
) -> list[dict[str, float]]:  # fmt: skip
    """Train in place, ``BATCH`` subgraphs a step, for several passes over the examples; see ``fit``."""
    steps = -(-len(cases) // BATCH)

    def step_losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        epoch, at = divmod(step, steps)
        order = Random(f"{seed} {epoch}").sample(cases, len(cases))
        batch = order[BATCH * at : BATCH * (at + 1)]
        return {"listwise": torch.stack([listwise(gnn(*e.inputs)[1], e.answers) for e in batch]).mean()}, {}

    return fit(gnn, step_losses, folder, steps=epochs * steps, rate=rate, decay=0.01)
