"""Training of the retriever: gates, then the aligner on the gates' candidates."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from graphmem.core.errors import InvalidValue
from graphmem.hub import load_encoder
from graphmem.retrieval.checkpoints import load_weights, save_weights
from graphmem.retrieval.nn.path_aligner import PathAligner
from graphmem.retrieval.nn.relation_gates import RelationGates
from graphmem.training.loop import CHECKPOINT, started
from graphmem.training.retriever.aligner import propose, train_aligner, with_similarity
from graphmem.training.retriever.examples import ArcVocabulary, Example, wikimovies_examples
from graphmem.training.retriever.gates import ArcTable, QuestionBank, TrainingConfig, train_gates, with_more_hops
from graphmem.training.retriever.synthetic_examples import completion_examples, completion_graphs, world_examples
from graphmem.training.retriever.tuning import tune_from_files

MAX_PATHS = 26  # candidate paths of every question


def training_sources(texts: ArcVocabulary, given: argparse.Namespace) -> list[list[Example]]:
    """Examples of each source of the shipped weights: WikiMovies, worlds and, with ``kgc``, completion data sets.

    ``texts`` is extended. Each world has 50 questions; WN18RR has a third, UMLS a fifth of FB15k-237's questions.
    """
    rng = Random(given.seed)
    sources = [wikimovies_examples(texts, "train", rng, each=given.each)]
    sources.append(world_examples(texts, "train", rng, worlds=given.worlds, questions=50))
    mixed = [
        example
        for graph, share in zip(completion_graphs(given.kgc) if given.kgc else (), (1, 3, 5), strict=False)
        for example in completion_examples(texts, graph, rng, questions=max(1, given.plain // share))
    ]
    return [*sources, mixed] if mixed else sources


def weighted(sources: Sequence[Any], worlds: int) -> list[Any]:
    """The sources, with the worlds (the second) repeated ``worlds`` times."""
    return [sources[0], *[sources[1]] * worlds, *sources[2:]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    given = started(_parser(), arguments)
    if given.facts or given.questions:
        return tune_from_files(given)
    encoder, texts, folder = load_encoder(), ArcVocabulary(), given.out.with_suffix(".run")
    start = load_weights(given.start, encoder.fingerprint) if given.start else {}
    if given.only_aligner and not {"gates", "aligner"} <= start.keys():
        raise InvalidValue("--only-aligner trains the aligner of --start further; name weights that have one")
    sources = training_sources(texts, given)
    bank = QuestionBank(encoder, [example.question for source in sources for example in source])
    arcs, gates = ArcTable(encoder, texts.names), with_more_hops(start.get("gates") or RelationGates())
    if not given.only_aligner:
        config = TrainingConfig(steps=given.steps, rate=given.rate, seed=given.seed)
        train_gates(gates, weighted(sources, 2), bank, arcs, config, folder / "gates")
    gates.eval()
    proposed = [propose(gates, source, bank, arcs, MAX_PATHS) for source in sources]
    candidates = [with_similarity(each, bank, encoder, texts.names) for each in proposed]
    torch.manual_seed(given.seed)
    aligner = start["aligner"] if given.only_aligner else PathAligner()
    config = TrainingConfig(given.aligner_steps, rate=given.aligner_rate, seed=given.seed)
    train_aligner(aligner, weighted(candidates, 2), bank, arcs, config, folder / "aligner")
    save_weights(given.out, {"gates": gates, "aligner": aligner}, encoder.fingerprint)
    for checkpoint in folder.rglob(CHECKPOINT):  # a finished run is not resumed
        checkpoint.unlink()
    print(json.dumps({"out": str(given.out), "questions": len(bank.row)}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="graphmem train retriever", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="weights; logs and checkpoints go to .run beside them")
    parser.add_argument("--start", type=Path, help="weights whose gates are trained further; random ones if left out")
    parser.add_argument("--only-aligner", action="store_true", help="train only the aligner of --start further")
    parser.add_argument("--facts", type=Path, help="tune to this graph only (TSV, CSV, JSONL, ...); with --questions")
    parser.add_argument("--questions", type=Path, help="JSON lines with question, answers and topic")
    parser.add_argument("--steps", type=int, default=2400, help="training steps of the gates")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate of the gates")
    parser.add_argument("--aligner-steps", type=int, default=2400)
    parser.add_argument("--aligner-rate", type=float, default=1.5e-3)
    parser.add_argument("--each", type=int, default=4, help="WikiMovies questions of every phrasing")
    parser.add_argument("--worlds", type=int, default=420)
    parser.add_argument("--kgc", type=Path, help="folder of FB15k-237, WN18RR and UMLS")
    parser.add_argument("--plain", type=int, default=3000, help="questions over FB15k-237")
    return parser
