"""Trains a reader on WebNLG, as a local experiment: its licence lets nobody ship what was trained on it.

    python -m graphmem.training.reader.train_webnlg --train DATA/webnlg/train.jsonl.gz --out reader.safetensors
    python -m graphmem.training.reader.train_webnlg --train DATA/webnlg/train.jsonl.gz --out reader.safetensors --held-out 3 \\
        --made 4000

Score it with ``python -m graphmem.evaluation.extraction --webnlg DATA/webnlg/dev.jsonl.gz --weights reader.safetensors``,
and ``--held-out 3`` there too for the categories that were left out here.
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

from graphmem.datasets.files import read_rows
from graphmem.datasets.webnlg import held_out_categories, mention_kind, surface_span, webnlg_rows, words_of
from graphmem.evaluation.extraction import Scores, stated
from graphmem.reading.config import ExtractorConfig
from graphmem.reading.extractor import FactExtractor
from graphmem.reading.network import ExtractionNetwork, load_extractor, save_extractor
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, GoldMention
from graphmem.text.lexicon import Relation
from graphmem.training.reader.corpus import build_corpus
from graphmem.training.reader.curriculum import Curriculum, curriculum
from graphmem.training.reader.train import ReaderTraining, run_folder, train


def webnlg_examples(rows: Sequence[dict[str, Any]]) -> list[AnnotatedText]:
    """Rows as texts to learn from; facts whose names are not found in the text are left out."""
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
        again = mention["entity"] in named
        kind = mention_kind(mention, text[slice(*place)], again)
        made.mentions.append(GoldMention(*place, kind, entities.index(mention["entity"])))
        if kind != "pronoun":
            named.setdefault(mention["entity"], len(made.mentions) - 1)
    for subject, relation, value in row["triples"]:
        if subject in named and value in named and subject != value:
            pair = _nearest(made, entities, subject, value)
            made.facts.append(GoldFact(pair[0], words_of(relation), pair[1]))
    return made


def _nearest(made: AnnotatedText, entities: Sequence[str], subject: str, value: str) -> tuple[int, int]:
    """The mentions of a fact's two things that stand closest together, in one sentence where there is such a pair."""
    one, two = entities.index(subject), entities.index(value)
    first = [i for i, m in enumerate(made.mentions) if m.entity == one]
    second = [i for i, m in enumerate(made.mentions) if m.entity == two and m.kind != "pronoun"]
    stops = [i for i, letter in enumerate(made.text) if letter == "."]

    def far(pair: tuple[int, int]) -> tuple[int, int]:
        low, high = sorted(made.mentions[i].start for i in pair)
        return sum(low < stop < high and made.text[stop + 1 : stop + 2] == " " for stop in stops), high - low

    return min(((a, b) for a in first for b in second), key=far)


def webnlg_relations(rows: Sequence[dict[str, Any]]) -> list[Relation]:
    """WebNLG's relations by their words alone."""
    names = sorted({words_of(relation) for row in rows for _, relation, _ in row["triples"]})
    return [
        Relation(
            name, f"{name} of", "person", "person", False, name, f"{name} of", (f"has {name}",), (), (), (), (), ()
        )
        for name in names
    ]


THRESHOLDS: Final = tuple(step / 20 for step in range(2, 17))


def calibrated(
    network: ExtractionNetwork, rows: Sequence[dict[str, Any]], every: Sequence[dict[str, Any]], reader: FactExtractor
) -> dict[str, Any]:
    """Set the network's ``fact_threshold`` to the one with the best F1 of facts on rows that it never learned from.

    Args:
        network: is given the threshold.
        rows: held back from training.
        every: rows whose relations are the ones to choose among.
        reader: reads with the network.

    Returns:
        the threshold, F1 of facts there and at 0.5, and the number of texts.
    """
    network.config = replace(network.config, fact_threshold=THRESHOLDS[0], relation_threshold=0.0)
    texts, relations = webnlg_rows(rows, every)
    read = [reader.read(gold.text, relations=relations, surprise=False) for gold in texts]
    scores = {0.5: Scores()} | {threshold: Scores() for threshold in THRESHOLDS}
    for threshold, tally in scores.items():
        for gold, found in zip(texts, read, strict=True):
            tally.add(gold, (), stated([c for c in found if c.fact.confidence >= threshold]))
    best = max(scores, key=lambda threshold: (scores[threshold].facts.f1, -abs(threshold - 0.5)))
    network.config = replace(network.config, fact_threshold=best)
    figures = {"facts": scores[best].facts.row(), "at 0.5": scores[0.5].facts.row()}
    return {"fact threshold": best, **figures, "n": len(texts)}


def held_back(row: dict[str, Any], share: float) -> bool:
    """Whether a row is of the ``share`` of fact sets that thresholds are set on; texts of one set stay together."""
    digest = hashlib.blake2b(json.dumps(sorted(row["triples"])).encode(), digest_size=4).digest()
    return int.from_bytes(digest) < share * 2**32


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the experiment."""
    given = _parser().parse_args(arguments)
    from graphmem.core.paths import WEIGHTS
    from graphmem.encoding.embedding_cache import EmbeddingCache
    from graphmem.hub import DEFAULT_MODEL, load_encoder, load_language_model

    torch.set_num_threads(given.threads)
    every, left_out = _rows(given.train, given.texts, given.held_out)
    rows = [row for row in every if not held_back(row, given.back)]
    own = webnlg_relations(every)
    examples, lexicon = curriculum(_mixture(given.made, given.seed), kgc=given.kgc, evidence=given.evidence)
    model, tokenizer = load_language_model()
    encoder, config = load_encoder(), ExtractorConfig(dropout=given.dropout)
    model.base_model.layers = model.base_model.layers[: config.layers[1] + 1]
    print(json.dumps({"texts": len(rows), "relations": len(own), "held out": left_out}), flush=True)
    everything = [*webnlg_examples(rows), *examples]
    corpus = build_corpus(everything, [*own, *lexicon], model, tokenizer, encoder, config, cache=given.cache)
    corpus.family[:] = [0] * len(own) + [1] * len(lexicon)
    torch.manual_seed(given.seed)
    start = given.start or WEIGHTS / DEFAULT_MODEL / "reader.safetensors"
    network = ExtractionNetwork(config) if given.scratch else load_extractor(start)
    plan = ReaderTraining(
        given.steps, rate=given.rate, seed=given.seed, negatives=256, forget=given.forget, inverse=0.0,
        relation_weight=1.0,
    )  # fmt: skip
    train(corpus, encoder, plan, network, folder=run_folder(given))
    back = [row for row in every if held_back(row, given.back)][:400]
    if back:
        reader = FactExtractor(model, tokenizer, EmbeddingCache(encoder), network, lexicon=False)
        print(json.dumps(calibrated(network, back, every, reader)), flush=True)
    save_extractor(network, given.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="go on from this reader; the shipped one when not given")
    parser.add_argument("--scratch", action="store_true", help="begin with an untrained reader")
    parser.add_argument("--texts", type=int, default=18_000)
    parser.add_argument("--back", type=float, default=0.03, help="share of fact sets that thresholds are set on")
    parser.add_argument("--made", type=int, default=0, help="made and distantly marked texts, learned beside")
    parser.add_argument("--kgc", type=Path, help="folder with FB15k-237 and WN18RR: real names for the made texts")
    parser.add_argument("--evidence", type=Path, help="2Wiki file whose evidence triples mark real sentences")
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--forget", type=float, default=0.03, help="how often a pair's states, or words, are kept back")
    parser.add_argument("--held-out", type=int, default=0, help="leave this many categories out, always the same")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder that keeps hidden states between runs")
    return parser


def _rows(path: Path, count: int, held_out: int) -> tuple[list[dict[str, Any]], list[str]]:
    """A sample of the file without the categories that are held out, and those categories."""
    rows = read_rows(path)
    left_out = held_out_categories(rows, held_out, 0)
    rows = Random(0).sample(rows, len(rows))[:count]
    return [row for row in rows if row["category"] not in left_out], left_out


def _mixture(count: int, seed: int) -> Curriculum:
    """``count`` texts in the proportions of the shipped reader's last run."""
    texts, natural, articles, distant = (round(count * share) for share in (0.25, 0.05, 0.3, 0.4))
    return Curriculum(texts, natural, articles, distant, seed=seed)


if __name__ == "__main__":
    main()
