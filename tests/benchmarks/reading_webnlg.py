"""Trains a reader on WebNLG and scores it on WebNLG dev, for comparison only: these weights never ship.

python tests/benchmarks/reading_webnlg.py DATA/webnlg --out /tmp/webnlg.safetensors
python tests/benchmarks/reading_webnlg.py DATA/webnlg --held-out Food,City,Artist --out /tmp/held.safetensors
"""

from __future__ import annotations

import argparse
import gzip
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch

from graphmem.config import ReaderConfig
from graphmem.encoder import TextCache
from graphmem.evaluation_reading import score, webnlg_rows, words_of
from graphmem.lexicon import Relation
from graphmem.reader import FactReader, load_reader, save_reader
from graphmem.resolver import find_encoder, find_language_model
from graphmem.surroundings import sentences
from graphmem.text_reader import LearnedReader
from graphmem.training.reading import ReaderTraining, build_corpus, train
from graphmem.training.statements import Example, Mention, Said


def load(path: Path) -> list[dict[str, Any]]:
    """Rows of one file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def example(row: dict[str, Any]) -> Example:
    """Mark a row's mentions in order, and each fact between the nearest mentions of its two entities."""
    text, place, found, numbers = row["text"], 0, [], {}
    for mention in row["mentions"]:
        surface = mention["surface"].removesuffix("'s").strip()
        start = text.find(surface, place)
        if start < 0 or not surface:
            continue
        place = start + len(surface)
        kind = "pronoun" if mention["type"] in ("pronoun", "demonstrative") else "entity"
        kind = "literal" if kind == "entity" and surface[:1].isdigit() else kind
        numbers.setdefault(mention["entity"], len(numbers))
        found.append(Mention(start, place, kind, numbers[mention["entity"]]))
    facts = [fact for triple in row["triples"] if (fact := nearest(text, found, numbers, triple))]
    return Example(text, found, facts)


def nearest(text: str, found: list[Mention], numbers: dict[str, int], triple: list[str]) -> Said | None:
    """The fact between the closest mentions of subject and object, of one sentence where there are such."""
    ends = [end for _, end in sentences(text)]
    pairs = [
        (sum(m.start >= e for e in ends) != sum(n.start >= e for e in ends), abs(m.start - n.start), i, j)
        for i, m in enumerate(found)
        for j, n in enumerate(found)
        if i != j and m.entity == numbers.get(triple[0], -1) and n.entity == numbers.get(triple[2], -1)
    ]
    if not pairs:
        return None
    _, _, i, j = min(pairs)
    return Said(i, words_of(triple[1]), j)


def plain_relation(name: str) -> Relation:
    """A relation of which nothing but the name is known."""
    nothing: tuple[str, ...] = ()
    return Relation(
        name, f"inverse of {name}", "", "", False, name, name, nothing, nothing, nothing, nothing, nothing, nothing
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--held-out", default="", help="categories left out of training and scored apart")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="go on from this reader")
    parser.add_argument("--texts", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    out = {category for category in given.held_out.split(",") if category}
    rows = [row for row in load(given.folder / "train.jsonl.gz") if row["category"] not in out]
    chosen = Random(given.seed).sample(rows, min(given.texts, len(rows)))
    relations = [plain_relation(name) for name in sorted({words_of(t[1]) for row in chosen for t in row["triples"]})]
    model, tokenizer = find_language_model()
    encoder, config = find_encoder(), ReaderConfig()
    corpus = build_corpus([example(row) for row in chosen], relations, model, tokenizer, encoder, config)
    torch.manual_seed(given.seed)
    reader = load_reader(given.start) if given.start else FactReader(config)
    plan = replace(ReaderTraining(), steps=given.steps, seed=given.seed, negatives=200)
    save_reader(train(corpus, encoder, plan, reader), given.out)
    whole = LearnedReader(model, tokenizer, TextCache(encoder), reader, lexicon=False)
    dev = load(given.folder / "dev.jsonl.gz")
    for name, part in (
        ("trained categories", [row for row in dev if row["category"] not in out]),
        ("held-out categories", [row for row in dev if row["category"] in out]),
    ):
        if part:
            texts, names = webnlg_rows(Random(7).sample(part, min(given.count, len(part))), dev)
            print(json.dumps({"set": name, "reader": score(whole, texts, names).row()}), flush=True)


if __name__ == "__main__":
    main()
