"""Trains a reader on WebNLG, as a local experiment: its licence lets nobody ship what was trained on it.

    python -m graphmem.training.webnlg --train DATA/webnlg/train.jsonl.gz --out reader.safetensors
    python -m graphmem.training.webnlg --train DATA/webnlg/train.jsonl.gz --out reader.safetensors --held-out 3

Score it with ``python -m graphmem.evaluation_reading --webnlg DATA/webnlg/dev.jsonl.gz --weights reader.safetensors``,
and ``--held-out 3`` there too for the categories that were left out here.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from graphmem.config import ReaderConfig
from graphmem.evaluation_reading import held_out_categories, words_of
from graphmem.graph import normalise
from graphmem.lexicon import Relation, split_relations
from graphmem.reader import load_reader, save_reader
from graphmem.training.reading import ReaderTraining, build_corpus, train
from graphmem.training.statements import Example, Mention, Said, Speaker

_ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"^[\d$€£.,:–-]+|\d{4}$|^\W*\d")


def webnlg_examples(rows: Sequence[dict[str, Any]]) -> list[Example]:
    """Rows as texts to learn from; facts whose names are not found in the text are left out."""
    found = [_example(row) for row in rows]
    return [example for example in found if example.mentions]


def _example(row: dict[str, Any]) -> Example:
    text, made = row["text"], Example(row["text"])
    entities = list(dict.fromkeys(m["entity"] for m in row["mentions"]))
    named: dict[str, int] = {}
    end = 0
    for mention in row["mentions"]:
        place = _place(text, mention["surface"], end)
        if place is None:
            continue
        end = place[1]
        again = mention["entity"] in named
        kind = _kind(mention, text[slice(*place)], again)
        made.mentions.append(Mention(*place, kind, entities.index(mention["entity"])))
        if kind != "pronoun":
            named.setdefault(mention["entity"], len(made.mentions) - 1)
    for subject, relation, value in row["triples"]:
        if subject in named and value in named and subject != value:
            pair = _nearest(made, entities, subject, value)
            made.facts.append(Said(pair[0], words_of(relation), pair[1]))
    return made


def _place(text: str, surface: str, after: int) -> tuple[int, int] | None:
    """Where a surface, written with blanks around punctuation, stands in the text, without article and possessive."""
    words = _ARTICLE.sub("", surface.strip()).split()
    while words and words[-1] in ("'s", "’s", "'", ",", "."):
        words = words[:-1]
    if not words:
        return None
    match = re.compile(r"\s*".join(map(re.escape, words)), re.IGNORECASE).search(text, after)
    return match.span() if match else None


def _kind(mention: dict[str, Any], surface: str, again: bool) -> str:
    """A number or date is a literal; "the airport", of an airport named before, stands for it as a pronoun does."""
    if mention["type"] in ("pronoun", "demonstrative"):
        return "pronoun"
    alike = set(normalise(surface).split()) & set(normalise(mention["entity"]).split())
    if again and mention["type"] == "description" and (surface[:1].islower() or not alike):
        return "pronoun"
    return "literal" if _NUMBER.search(surface) else "entity"


def _nearest(made: Example, entities: Sequence[str], subject: str, value: str) -> tuple[int, int]:
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="go on from this reader; the shipped one when not given")
    parser.add_argument("--texts", type=int, default=18_000)
    parser.add_argument("--statements", type=int, default=2_000, help="made texts about the lexicon, learned beside")
    parser.add_argument("--steps", type=int, default=2_200)
    parser.add_argument("--held-out", type=int, default=0, help="leave this many categories out, always the same")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder that keeps hidden states between runs")
    given = parser.parse_args(arguments)
    from graphmem.resolver import DEFAULT_MODEL, WEIGHTS, find_encoder, find_language_model
    from graphmem.training.reading import real_names

    torch.set_num_threads(given.threads)
    with gzip.open(given.train, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    left_out = held_out_categories(rows, given.held_out, 0)
    rows = Random(0).sample(rows, len(rows))[: given.texts]
    rows = [row for row in rows if row["category"] not in left_out]
    own, lexicon = webnlg_relations(rows), [*split_relations("train"), *split_relations("dev")]
    speaker = Speaker(lexicon, real_names(None), Random(given.seed))
    examples = webnlg_examples(rows) + [speaker.example() for _ in range(given.statements)]
    model, tokenizer = find_language_model()
    encoder, config = find_encoder(), ReaderConfig()
    model.base_model.layers = model.base_model.layers[: config.layers[1] + 1]
    print(json.dumps({"texts": len(rows), "relations": len(own), "held out": left_out}), flush=True)
    corpus = build_corpus(examples, [*own, *lexicon], model, tokenizer, encoder, config, cache=given.cache)
    corpus.family[:] = [0] * len(own) + [1] * len(lexicon)
    del model
    reader = load_reader(given.start or WEIGHTS / DEFAULT_MODEL / "reader.safetensors")
    save_reader(train(corpus, encoder, ReaderTraining(steps=given.steps, seed=given.seed), reader), given.out)


if __name__ == "__main__":
    main()
