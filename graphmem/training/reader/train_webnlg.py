"""Training of an extraction network on WebNLG, a local experiment: the licence forbids shipping such weights.

    graphmem train webnlg --train DATA/webnlg/train.jsonl.gz --out reader.safetensors
    graphmem train webnlg --train DATA/webnlg/train.jsonl.gz --out reader.safetensors --held-out 3 --synthetic 4000

Score it with ``graphmem evaluate extraction --webnlg DATA/webnlg/dev.jsonl.gz --weights reader.safetensors``, and with
``--held-out 3`` for the categories that were left out here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import torch

from graphmem.core.paths import WEIGHTS
from graphmem.datasets.files import read_rows
from graphmem.datasets.webnlg import held_out_categories, mention_kind, surface_span, webnlg_rows, words_of
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.evaluation.extraction import Scores, asserted
from graphmem.hub import DEFAULT_MODEL, load_encoder
from graphmem.reading.config import ExtractorConfig
from graphmem.reading.extractor import FactExtractor
from graphmem.reading.network import ExtractionNetwork, load_extractor, save_extractor
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, GoldMention
from graphmem.text.lexicon import Relation
from graphmem.training.reader.corpus import build_corpus
from graphmem.training.reader.curriculum import Curriculum, curriculum
from graphmem.training.reader.train import ExtractorTrainingConfig, load_frozen, options, run_folder, train


def webnlg_examples(rows: Sequence[dict[str, Any]]) -> list[AnnotatedText]:
    """Rows as annotated texts, without the facts whose names are not found in the text."""
    found = [_example(row) for row in rows]
    return [example for example in found if example.mentions]


def _example(row: dict[str, Any]) -> AnnotatedText:
    text, made = row["text"], AnnotatedText(row["text"])
    entities = list(dict.fromkeys(m["entity"] for m in row["mentions"]))
    named: dict[str, int] = {}
    end = 0
    for mention in row["mentions"]:
        place = surface_span(text, mention["surface"], end)
        if place is None:
            continue
        end = place[1]
        known = mention["entity"] in named
        kind = mention_kind(mention, text[slice(*place)], known)
        made.mentions.append(GoldMention(*place, kind, entities.index(mention["entity"])))
        if kind != "pronoun":
            named.setdefault(mention["entity"], len(made.mentions) - 1)
    for subject, relation, value in row["triples"]:
        if subject in named and value in named and subject != value:
            pair = _nearest(made, entities, subject, value)
            made.facts.append(GoldFact(pair[0], words_of(relation), pair[1]))
    return made


def _nearest(made: AnnotatedText, entities: Sequence[str], subject: str, value: str) -> tuple[int, int]:
    """The closest two mentions of a fact's entities, in one sentence if possible."""
    one, two = entities.index(subject), entities.index(value)
    first = [i for i, m in enumerate(made.mentions) if m.entity == one]
    second = [i for i, m in enumerate(made.mentions) if m.entity == two and m.kind != "pronoun"]
    stops = [i for i, letter in enumerate(made.text) if letter == "."]

    def distance(pair: tuple[int, int]) -> tuple[int, int]:
        low, high = sorted(made.mentions[i].start for i in pair)
        return sum(low < stop < high and made.text[stop + 1 : stop + 2] == " " for stop in stops), high - low

    return min(((a, b) for a in first for b in second), key=distance)


def webnlg_relations(rows: Sequence[dict[str, Any]]) -> list[Relation]:
    """WebNLG's relations, with their words as their only texts."""
    names = sorted({words_of(relation) for row in rows for _, relation, _ in row["triples"]})
    return [
        Relation(
            name, f"{name} of", "person", "person", False, name, f"{name} of", (f"has {name}",), (), (), (), (), ()
        )
        for name in names
    ]


THRESHOLDS: Final = tuple(step / 20 for step in range(2, 17))


def calibrated(
    network: ExtractionNetwork, rows: Sequence[dict[str, Any]], every: Sequence[dict[str, Any]],
    extractor: FactExtractor,
) -> dict[str, Any]:  # fmt: skip
    """Set the network's ``fact_threshold`` to the one with the best F1 of facts on held-out rows.

    Args:
        network: gets the threshold.
        rows: held out of training.
        every: rows with the relations to choose among.
        extractor: uses the network.

    Returns:
        the threshold, F1 of facts there and at 0.5, and the number of texts.
    """
    network.config = replace(network.config, fact_threshold=THRESHOLDS[0], relation_threshold=0.0)
    texts, relations = webnlg_rows(rows, every)
    found = [extractor.read(gold.text, relations=relations, surprise=False) for gold in texts]
    scores = {0.5: Scores()} | {threshold: Scores() for threshold in THRESHOLDS}
    for threshold, tally in scores.items():
        for gold, candidates in zip(texts, found, strict=True):
            tally.add(gold, (), asserted([c for c in candidates if c.fact.confidence >= threshold]))
    best = max(scores, key=lambda threshold: (scores[threshold].facts.f1, -abs(threshold - 0.5)))
    network.config = replace(network.config, fact_threshold=best)
    figures = {"facts": scores[best].facts.row(), "at 0.5": scores[0.5].facts.row()}
    return {"fact threshold": best, **figures, "n": len(texts)}


def is_validation(row: dict[str, Any], share: float) -> bool:
    """Whether a row belongs to the ``share`` of fact sets for thresholds; texts of one set stay together."""
    digest = hashlib.blake2b(json.dumps(sorted(row["triples"])).encode(), digest_size=4).digest()
    return int.from_bytes(digest) < share * 2**32


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the experiment."""
    parser = argparse.ArgumentParser(prog="graphmem train webnlg", description=__doc__)
    options(parser, 8_000)
    parser.add_argument("--train", type=Path, required=True, help="WebNLG's train.jsonl.gz")
    parser.add_argument("--scratch", action="store_true", help="start from an untrained network")
    parser.add_argument("--texts", type=int, default=18_000)
    parser.add_argument(
        "--validation", "--back", type=float, default=0.03, help="share of fact sets that thresholds are set on"
    )
    parser.add_argument(
        "--synthetic", "--made", type=int, default=0, help="synthetic and distantly labelled texts, added"
    )
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--input-dropout", "--forget", type=float, default=0.03, help="of features and phrases")
    parser.add_argument("--held-out", type=int, default=0, help="number of categories left out, always the same")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    every, left_out = _rows(given.train, given.texts, given.held_out)
    rows = [row for row in every if not is_validation(row, given.validation)]
    own = webnlg_relations(every)
    examples, lexicon = curriculum(_mixture(given.synthetic, given.seed), kgc=given.kgc, evidence=given.evidence)
    print(json.dumps({"texts": len(rows), "relations": len(own), "held out": left_out}), flush=True)
    encoder, config = load_encoder(), ExtractorConfig(dropout=given.dropout)
    model, tokenizer = load_frozen(config)
    everything, relations = [*webnlg_examples(rows), *examples], [*own, *lexicon]
    corpus = build_corpus(everything, relations, model, tokenizer, encoder, config, cache=given.cache)
    corpus.family[:] = [0] * len(own) + [1] * len(lexicon)
    torch.manual_seed(given.seed)
    start = given.start or WEIGHTS / DEFAULT_MODEL / "reader.safetensors"
    network = ExtractionNetwork(config) if given.scratch else load_extractor(start)
    training = ExtractorTrainingConfig(
        given.steps, rate=given.rate, seed=given.seed, negatives=256, input_dropout=given.input_dropout, inverse=0.0,
        relation_weight=1.0,
    )  # fmt: skip
    train(corpus, encoder, training, network, folder=run_folder(given))
    validation = [row for row in every if is_validation(row, given.validation)][:400]
    if validation:
        extractor = FactExtractor(model, tokenizer, EmbeddingCache(encoder), network, lexicon=False)
        print(json.dumps(calibrated(network, validation, every, extractor)), flush=True)
    save_extractor(network, given.out)


def _rows(path: Path, count: int, held_out: int) -> tuple[list[dict[str, Any]], list[str]]:
    """A sample of the file without the held-out categories, and those categories."""
    rows = read_rows(path)
    left_out = held_out_categories(rows, held_out, 0)
    rows = Random(0).sample(rows, len(rows))[:count]
    return [row for row in rows if row["category"] not in left_out], left_out


def _mixture(count: int, seed: int) -> Curriculum:
    """``count`` texts in the proportions of the shipped network's last run."""
    texts, natural, articles, distant = (round(count * share) for share in (0.25, 0.05, 0.3, 0.4))
    return Curriculum(texts, natural, articles, distant, seed=seed)


if __name__ == "__main__":
    main()
