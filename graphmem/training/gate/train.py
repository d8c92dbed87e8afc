"""Training of the write gate on event streams of synthetic worlds, read by the trained extractor; scores on new worlds.

graphmem train write-gate --extractor reader.safetensors --out gate.safetensors --cache CANDIDATES
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

from graphmem.core.splits import data_split
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.hub import load_encoder, load_language_model
from graphmem.reading.extractor import FactExtractor
from graphmem.reading.network import load_extractor
from graphmem.synthetic.real_texts import real_names
from graphmem.text.lexicon import load_lexicon, split_relations
from graphmem.training.gate.answer_rewards import StreamQuestions
from graphmem.training.gate.fitting import calibrate, fit_gate, fit_matcher, fit_priors
from graphmem.training.gate.scores import answer_report, decision_report
from graphmem.training.gate.simulation import Priors, extract_streams, labelled_cases
from graphmem.writing.write_gate import WriteGate, load_gate, save_gate

_CALIBRATION_WORLDS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train write-gate", description=__doc__)
    parser.add_argument("--extractor", "--reader", type=Path, required=True, help="weights of the extraction network")
    parser.add_argument("--out", type=Path, required=True, help="weights to write")
    parser.add_argument("--worlds", type=int, default=24, help="training worlds")
    parser.add_argument("--events", type=int, default=100, help="texts a world")
    parser.add_argument("--test", type=int, default=4, help="worlds of each test; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--answers", type=float, default=3.0, help="weight of the answers' loss")
    parser.add_argument("--cache", type=Path, help="folder that keeps the candidates between runs")
    parser.add_argument("--score", action="store_true", help="only score the gate of --out, on worlds of this seed")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model, tokenizer = load_language_model()
    vectors = EmbeddingCache(load_encoder())
    extractor = FactExtractor(model, tokenizer, vectors, load_extractor(given.extractor))
    if given.score:
        return score_all(load_gate(given.out.parent), extractor, vectors, given)
    gate = train(extractor, vectors, given)
    save_gate(gate, given.out)
    if given.test:
        score_all(gate, extractor, vectors, given)


def train(extractor: FactExtractor, vectors: EmbeddingCache, given: argparse.Namespace) -> WriteGate:
    """A gate, fitted and calibrated on worlds of its own."""
    torch.manual_seed(given.seed)
    gate = WriteGate(extractor.network.config.width, vectors.encoder.dim)
    relations = [*split_relations("train"), *split_relations("dev")]
    fit_priors(gate, relations, vectors)
    names = [name for name in real_names(None)["person"] if data_split(name) == "train"]
    print(json.dumps({"name matcher": fit_matcher(gate, names, given.seed)}), flush=True)
    first, priors = 1000 * (given.seed + 1), priors_of(gate, vectors)
    streams = extract_streams(range(first, first + given.worlds), given.events, relations, extractor, given.cache)
    questions = [StreamQuestions.of(stream, priors) for stream in streams] if given.answers else []
    cases, _ = labelled_cases(streams, priors)
    fit_gate(gate, cases, given.seed, questions=questions, epochs=given.epochs, answers=given.answers)
    others = range(first + 500, first + 500 + _CALIBRATION_WORLDS)
    held_out, _ = labelled_cases(extract_streams(others, given.events, relations, extractor, given.cache), priors)
    print(json.dumps({"temperature": calibrate(gate, held_out)}), flush=True)
    return gate


def priors_of(gate: WriteGate, vectors: EmbeddingCache) -> Priors:
    """The gate's priors of relations, cached."""
    return cache(lambda relation: tuple(gate.relation_priors(vectors([relation]))[0].tolist()))


def score_all(gate: WriteGate, extractor: FactExtractor, vectors: EmbeddingCache, given: argparse.Namespace) -> None:
    """Print the scores on new worlds, with relations of training and with others."""
    base, priors = 1000 * (given.seed + 1), priors_of(gate, vectors)
    trained = [*split_relations("train"), *split_relations("dev")]
    unseen = [relation for relation in load_lexicon() if data_split(relation.relation) == "test"]
    for test, first, relations in (("new worlds", base + 700, trained), ("unseen relations", base + 800, unseen)):
        worlds = range(first, first + given.test)
        streams = extract_streams(worlds, given.events, relations, extractor, given.cache)
        questions = [StreamQuestions.of(stream, priors) for stream in streams]
        counts = {"stated": sum(len(q.stated) for q in questions), "misread": sum(len(q.misread) for q in questions)}
        answers = {"questions": counts, **answer_report(questions, {"gate": gate})}
        scores = decision_report(gate, *labelled_cases(streams, priors))
        print(json.dumps({"test": test, **scores, "answers": answers}, indent=1), flush=True)
