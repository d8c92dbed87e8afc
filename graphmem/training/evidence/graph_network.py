"""Training of the graph network that weighs evidence, over memories of questions held out of the encoder's training.

Every question is retrieved and read as in use; then the network learns which of the supports that reading found are
answers, or that none is. Readings are blurred by noise, since the encoder is surer on sets that are like its training
than on other people's questions: the network must not rely on relevance alone.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from graphmem.core.errors import GraphMemError
from graphmem.core.splits import held
from graphmem.datasets.files import data_folder
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_graph import FEATURES, TOPIC, EvidenceGraph, QuestionContext, compared, evidence_graph
from graphmem.reasoning.evidence_reader import excluded, named_in_full
from graphmem.reasoning.graph_network import SHIPPED, GraphBatch, GraphNetwork, log_sum_exp, save_graph_network
from graphmem.reasoning.weighing import supports_of
from graphmem.training.evidence.memories import MadeMemory, is_right, made_memories
from graphmem.training.loop import LoopConfig, run, run_folder, started
from graphmem.training.run_files import cached

BATCH = 48
"""Questions of a step."""

NOISE = 4.0
"""Standard deviation, in nats, of the noise on relevance; chosen with the people's sets, which are for development, in
view."""

KEPT = 0.8
"""Chance that the right supports stay where supports are left out."""

RELEVANCE = FEATURES.index("relevance")


@dataclass(frozen=True, slots=True)
class Row:
    """A question as a graph of its evidence; ``right``: bool [A], which of the answers are right."""

    graph: EvidenceGraph
    right: np.ndarray
    source: str
    question: str
    answerable: bool


def read_memory(made: MadeMemory, evidence: Any, encoder: Any) -> Iterator[Row]:
    """The questions of a memory, retrieved and read as in use."""
    with GraphMemory.open(":memory:", evidence=evidence, encoder=encoder) as memory:
        memory.add_many([fact[:3] for fact in made.facts if fact[3:] == (None, None)])
        for subject, relation, object, begin, end in made.facts:
            if (begin, end) != (None, None):
                ordered = begin is None or end is None or begin < end
                memory.add(subject, relation, object, valid_from=begin, valid_to=end if ordered else None)
        for name, alias in made.aliases:
            with suppress(GraphMemError):  # the name of another node
                memory.add_alias(name, alias)
        memory.add_passages(made.passages, tagger=lambda texts: [[] for _ in texts])
        reader = memory.evidence_reader
        assert reader is not None
        for asked in made.questions:
            found = memory.retrieve(asked.text)
            units = reader.search.find(found)
            readings = reader.read_units(found, units)
            supports = supports_of(units, readings, excluded(found), named_in_full(found))
            if not supports:
                continue
            graph = evidence_graph(supports, QuestionContext.of(found), reader.search.vectors)
            right = np.zeros(graph.answers, bool)
            for support, answer in zip(supports, graph.answer_of.tolist(), strict=True):
                right[answer] |= bool(asked.answers) and is_right(support.text, asked.answers)
            yield Row(graph, right, asked.source, asked.text, bool(asked.answers))


def thinned(row: Row, rng: np.random.RandomState) -> Row:
    """The question with fewer supports in half of the cases, down to one: memories and evidence are of any size.

    The right ones stay with chance ``KEPT``; without them, none of what is left answers.
    """
    graph, count = row.graph, len(row.graph.base)
    if rng.rand() < 0.5 or count < 2:
        return row
    right = row.right[graph.answer_of]
    chance = np.exp(rng.uniform(np.log(1 / count), 0))  # of the others
    kept = np.where(right, rng.rand() < KEPT, rng.rand(count) < chance)
    kept[rng.randint(count) if not kept.any() else 0] |= not kept.any()
    rows = np.flatnonzero(kept)
    place = np.full(count, -1)
    place[rows] = np.arange(len(rows))
    edges = graph.edges[:, kept[graph.edges[0]]]
    answers = np.unique(graph.answer_of[rows])
    topics = np.unique(edges[1][edges[2] == TOPIC])
    number = {node: at for at, node in enumerate([*answers.tolist(), *topics.tolist()])}
    edges = np.stack([place[edges[0]], [number[node] for node in edges[1].tolist()], edges[2]]).astype(np.int64)
    answer_of = np.array([number[node] for node in graph.answer_of[rows].tolist()], np.int64)
    features = compared(graph.features[rows], answer_of)
    made = EvidenceGraph(features, edges, len(number), len(answers), answer_of, graph.base[rows])
    return replace(row, graph=made, right=row.right[answers])


def blurred(row: Row, rng: np.random.RandomState, noise: float = NOISE) -> Row:
    """The question with noise on the relevance of its supports."""
    graph = row.graph
    added = rng.normal(0, noise, len(graph.base)).astype(np.float32)
    features = graph.features.copy()
    features[:, RELEVANCE] += added / 4
    features = compared(features, graph.answer_of)
    return replace(row, graph=replace(graph, features=features, base=graph.base + added))


def loss_of(network: GraphNetwork, rows: Sequence[Row]) -> Tensor:
    """Mean cross-entropy of the right answers, or of "none", among the answers of each question and "none"."""
    batch = GraphBatch([row.graph for row in rows])
    question, count = batch.question_of_answer, len(rows)
    answers = log_sum_exp(network(batch), batch.answer_of, len(question))
    right = torch.from_numpy(np.concatenate([row.right for row in rows]))
    known = torch.zeros(count, dtype=torch.bool).index_put((question[right],), torch.tensor(True))
    scores = torch.cat([answers, answers.new_zeros(count)])  # the last ones: none
    of = torch.cat([question, torch.arange(count)])
    wanted = torch.cat([right, ~known])
    return (log_sum_exp(scores, of, count) - log_sum_exp(scores[wanted], of[wanted], count)).mean()


@torch.inference_mode()
def figures(network: GraphNetwork | None, rows: Sequence[Row]) -> dict[str, str]:
    """Right answers of the answerable questions of each set; by reading alone without a network."""
    found: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row.answerable:
            batch = GraphBatch([row.graph])
            weights = batch.base if network is None else network(batch)
            best = int(log_sum_exp(weights, batch.answer_of, row.graph.answers).argmax())
            found[row.source].append(bool(row.right[best]))
    return {source: f"{sum(right)}/{len(right)}" for source, right in sorted(found.items())}


def trained(rows: Sequence[Row], given: argparse.Namespace, folder: Path) -> GraphNetwork:
    """A network trained on the rows."""
    torch.manual_seed(given.seed)
    network = GraphNetwork(given.width)
    optimizer = torch.optim.AdamW(network.parameters(), lr=given.rate, weight_decay=0.01)

    def losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        drawn = Random(f"{given.seed} {step}").sample(rows, min(BATCH, len(rows)))
        noise = np.random.RandomState(given.seed * 1_000_003 + step)
        return {"answers": loss_of(network, [blurred(thinned(row, noise), noise) for row in drawn])}, {}

    run(network, optimizer, losses, LoopConfig(given.steps, seed=given.seed), folder)
    return network.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train graph-network", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the data sets; GRAPHMEM_DATA if left out")
    parser.add_argument("--evidence", type=Path, help="weights of the evidence encoder; the shipped ones if left out")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--memories", type=int, default=80, help="memories that are read, at most")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--width", type=int, default=32, help="of the states")
    given = started(parser, arguments)
    encoder, home = load_encoder(), Path(f"{given.out}.run") / f"read-{given.seed}"
    evidence: Any = True if given.evidence is None else str(given.evidence)
    rows: list[Row] = []
    made = made_memories(data_folder(given.data), given.seed, given.memories, EmbeddingCache(encoder))
    for number, one in enumerate(tqdm(made, "memories", given.memories, disable=None)):
        read = lambda one=one: list(read_memory(one, evidence, encoder))
        rows += cached(home / f"{number}.safetensors", read, Row, EvidenceGraph)
    apart = [row for row in rows if not held(row.question, 10)]
    unseen = [row for row in rows if held(row.question, 10)]
    folder = run_folder(given)
    tried = trained(apart, given, folder / "apart")
    report = {"reading alone": figures(None, unseen), "graph network": figures(tried, unseen)}
    network = trained(rows, given, folder / "all")
    save_graph_network(given.out, network, encoder.fingerprint, seed=given.seed, questions=len(rows), right=report)
    print(json.dumps({"out": str(given.out), "questions": len(rows), "right, held out": report}, indent=1))


if __name__ == "__main__":
    main()
