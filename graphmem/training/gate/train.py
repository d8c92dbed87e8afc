"""Trains the write gate on streams of events in made-up worlds, read by the trained reader; scores it on new worlds.

python -m graphmem.training.gate.train --reader reader.safetensors --out gate.safetensors --cache heard
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from graphmem.core.splits import data_split
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reading.extractor import FactExtractor
from graphmem.text.lexicon import load_lexicon, split_relations
from graphmem.training.gate.answer_rewards import Asked, answer_report, questions_of
from graphmem.training.gate.baselines import best_surprise, report
from graphmem.training.gate.fitting import Fitting, calibrate, fit_gate, fit_priors
from graphmem.training.gate.name_matcher import fit_matcher
from graphmem.training.gate.simulation import Priors, simulate
from graphmem.training.gate.streams import ExtractedStream, extract_stream
from graphmem.writing.write_gate import WriteGate, load_gate, save_gate

_CALIBRATION = 4
"""Worlds that only set the temperature."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--test", type=int, default=4, help="worlds of each test; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=Fitting().epochs)
    parser.add_argument("--answers", type=float, default=Fitting().answers, help="weight of the later answers' loss")
    parser.add_argument("--cache", type=Path, help="folder that keeps what was read between runs")
    parser.add_argument("--score", action="store_true", help="only score the gate of --out, on worlds of this seed")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    from graphmem.hub import load_encoder, load_language_model
    from graphmem.reading.network import load_extractor

    model, tokenizer = load_language_model()
    vectors = EmbeddingCache(load_encoder())
    reader = FactExtractor(model, tokenizer, vectors, load_extractor(given.reader))
    if given.score:
        return score_all(load_gate(given.out.parent), reader, vectors, given, 1.0)
    gate, surprise = train(reader, vectors, given)
    save_gate(gate, given.out)
    if given.test:
        score_all(gate, reader, vectors, given, surprise)


def train(reader: FactExtractor, vectors: EmbeddingCache, given: argparse.Namespace) -> tuple[WriteGate, float]:
    """A gate fitted and calibrated on worlds of its own, and the best threshold of surprise for the baseline."""
    from graphmem.synthetic.real_texts import real_names

    torch.manual_seed(given.seed)
    gate = WriteGate(reader.network.config.width, vectors.encoder.dim)
    relations = [*split_relations("train"), *split_relations("dev")]
    fit_priors(gate, relations, vectors)
    names = [name for name in real_names(None)["person"] if data_split(name) == "train"]
    print(json.dumps({"name matcher": fit_matcher(gate, names, given.seed)}), flush=True)
    base, priors = 1000 * (given.seed + 1), priors_of(gate, vectors)
    heard = _counted(extract_stream(range(base, base + given.worlds), given.events, relations, reader, given.cache))
    cases = simulate(heard, priors).cases
    asked = [Asked.of(stream, priors) for stream in heard] if given.answers else []
    fit_gate(gate, cases, given.seed, Fitting(epochs=given.epochs, answers=given.answers), asked)
    held_out = extract_stream(
        range(base + 500, base + 500 + _CALIBRATION), given.events, relations, reader, given.cache
    )
    print(json.dumps({"temperature": calibrate(gate, simulate(held_out, priors).cases)}), flush=True)
    return gate, best_surprise(cases)


def priors_of(gate: WriteGate, vectors: EmbeddingCache) -> Priors:
    """How functional and changeable the gate takes relations to be, each looked at once."""
    known: dict[str, tuple[float, float]] = {}

    def priors(relation: str) -> tuple[float, float]:
        if relation not in known:
            functional, changeable = gate.relation_priors(vectors([relation]))[0].tolist()
            known[relation] = functional, changeable
        return known[relation]

    return priors


def score_all(
    gate: WriteGate, reader: FactExtractor, vectors: EmbeddingCache, given: argparse.Namespace, threshold: float
) -> None:
    """Print the scores on new worlds, with relations of training and with others."""
    base, priors = 1000 * (given.seed + 1), priors_of(gate, vectors)
    trained = [*split_relations("train"), *split_relations("dev")]
    unseen = [relation for relation in load_lexicon() if data_split(relation.relation) == "test"]
    for test, first, relations in (
        ("new worlds", base + 700, trained),
        ("new worlds, relations never trained on", base + 800, unseen),
    ):
        heard = _counted(extract_stream(range(first, first + given.test), given.events, relations, reader, given.cache))
        asked = [Asked.of(stream, priors) for stream in heard]
        scores = {"test": test, **report(gate, simulate(heard, priors), threshold)}
        answers = {"questions": questions_of(asked), **answer_report(asked, {"gate": gate})}
        print(json.dumps({**scores, "answers": answers}, indent=1), flush=True)


def _counted(heard: Iterable[ExtractedStream]) -> list[ExtractedStream]:
    """All streams, with a line of progress for each."""
    kept: list[ExtractedStream] = []
    for stream in heard:
        kept.append(stream)
        print(f"stream {len(kept)}: {sum(map(len, stream.found))} candidates", flush=True)
    return kept


if __name__ == "__main__":
    main()
