"""Scores of reading: mentions and facts, on names, relations and whole domains that training never saw.

python -m graphmem.evaluation.extraction                                   # made-up texts; needs nothing but the weights
python -m graphmem.evaluation.extraction --webnlg DATA/webnlg/dev.jsonl.gz # real texts, measured only
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.splits import data_split
from graphmem.core.types import normalise
from graphmem.reading.extractor import Candidate, LearnedReader
from graphmem.reading.hidden_states import token_states
from graphmem.reading.mention_spans import is_name, is_pronoun
from graphmem.text.lexicon import load_lexicon
from graphmem.text.relation_synonyms import synonyms

Triple = tuple[str, str, str]
_ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"^[\d$€£.,:–-]+|\d{4}$|^\W*\d")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")


@dataclass(frozen=True, slots=True)
class GoldText:
    """A text with the names in it and the facts it states, by those names.

    ``same`` leads from other names of a thing, those that the text itself gives it and the one that the data set's
    triples use, to the name that its facts use here.
    """

    text: str
    names: tuple[str, ...]
    facts: tuple[Triple, ...]
    same: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """A name as it is compared."""
        return self.same.get(plain(name), plain(name))


@dataclass(slots=True)
class Tally:
    """Counts of hits, of what was proposed and of what was there."""

    hits: int = 0
    proposed: int = 0
    there: int = 0

    def add(self, proposed: Iterable[Any], there: Iterable[Any]) -> None:
        """Compare two collections, each item counting once for every time it occurs."""
        given, wanted = Counter(proposed), Counter(there)
        self.hits += sum((given & wanted).values())
        self.proposed += sum(given.values())
        self.there += sum(wanted.values())

    @property
    def f1(self) -> float:
        """Micro F1."""
        return 2 * self.hits / max(1, self.proposed + self.there)

    def row(self) -> dict[str, float]:
        """F1, precision and recall."""
        precision, recall = self.hits / max(1, self.proposed), self.hits / max(1, self.there)
        return {"f1": round(self.f1, 4), "precision": round(precision, 4), "recall": round(recall, 4)}


@dataclass(slots=True)
class Scores:
    """Mentions (strict names), facts (strict), and facts with the relation ignored."""

    texts: int = 0
    mentions: Tally = field(default_factory=Tally)
    facts: Tally = field(default_factory=Tally)
    pairs: Tally = field(default_factory=Tally)

    def add(self, gold: GoldText, names: Sequence[str], facts: Sequence[Triple]) -> None:
        """Score one text."""
        self.texts += 1
        self.mentions.add(map(plain, names), map(plain, gold.names))
        said = {(gold.named(s), canonical(r), gold.named(o)) for s, r, o in facts}
        wanted = {(gold.named(s), canonical(r), gold.named(o)) for s, r, o in gold.facts}
        self.facts.add(said, wanted)
        self.pairs.add({(s, o) for s, _, o in said}, {(s, o) for s, _, o in wanted})

    def row(self) -> dict[str, Any]:
        """All three, with the number of texts."""
        return {"n": self.texts, "mentions": self.mentions.row(), "facts": self.facts.row(), "pairs": self.pairs.row()}


def plain(name: str) -> str:
    """A name without its article and possessive, as it is compared."""
    name = re.sub(r"^(the|a|an) ", "", normalise(name))
    return re.sub(r"\s*['’]s?$", "", name).rstrip(" .,;")


def canonical(relation: str) -> str:
    """One name for all that the lexicon says is the same relation."""
    return min(synonyms(relation))


def invented_texts(split: str, count: int, seed: int, *, held_out_relations: bool) -> list[GoldText]:
    """Made-up texts with names of one split, about relations of training or about those held out of it."""
    from graphmem.synthetic.annotated_texts import Speaker
    from graphmem.training.reader.train import real_names

    relations = [r for r in load_lexicon() if (data_split(r.relation) == "test") == held_out_relations]
    speaker = Speaker(relations, real_names(None), Random(seed), split)  # type: ignore[arg-type]
    found = []
    for _ in range(count):
        example = speaker.example()
        whole = {m.entity: example.text[m.start : m.end] for m in reversed(example.mentions) if m.kind != "pronoun"}
        first: dict[int, str] = {}
        for mention in example.mentions:
            if mention.kind != "pronoun":
                first.setdefault(mention.entity, example.text[mention.start : mention.end])
        whole |= first
        names = tuple(example.text[m.start : m.end] for m in example.mentions if m.kind != "pronoun")
        facts = tuple(
            (_named(example, f.subject, whole), f.relation, _named(example, f.object, whole))
            for f in example.facts
            if f.mood == "stated"
        )
        found.append(GoldText(example.text, names, facts))
    return found


def _named(example: Any, number: int, whole: dict[int, str]) -> str:
    mention = example.mentions[number]
    own = str(example.text[mention.start : mention.end])
    return own if mention.kind != "pronoun" else whole.get(mention.entity, own)


def webnlg_texts(path: Path, count: int, seed: int, categories: Sequence[str] = ()) -> tuple[list[GoldText], list[str]]:
    """A sample of a WebNLG file, of some categories or of all, and all the file's relations in words."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        every = [json.loads(line) for line in lines]
    rows = [row for row in every if not categories or row["category"] in categories]
    return webnlg_rows(Random(seed).sample(rows, min(count, len(rows))), every)


def held_out_categories(rows: Sequence[Any], count: int, seed: int) -> list[str]:
    """Categories of ``rows`` that are left out of training, drawn by ``seed``; the same ones wherever it is asked."""
    categories = sorted({row["category"] for row in rows})
    return sorted(Random(seed).sample(categories, min(count, len(categories) - 1)))


def webnlg_rows(rows: Sequence[Any], every: Sequence[Any]) -> tuple[list[GoldText], list[str]]:
    """Rows as texts, and the relations of ``every`` row. Facts whose names are not marked in the text are left out."""
    relations = sorted({words_of(relation) for row in every for _, relation, _ in row["triples"]})
    return [_gold(row) for row in rows], relations


def _gold(row: Any) -> GoldText:
    """Names as the text writes them; any full name that it, or the data set, gives a thing stands for it."""
    ways: dict[str, list[str]] = {}
    names, end = [], 0
    for mention in row["mentions"]:
        place = surface_span(row["text"], mention["surface"], end)
        end = place[1] if place else end
        surface = row["text"][slice(*place)] if place else mention["surface"]
        if mention["type"] in ("name", "description"):
            names.append(surface)
        again = mention["entity"] in ways
        if mention_kind(mention, surface, again) != "pronoun":
            ways.setdefault(mention["entity"], []).append(surface)
    facts = [(ways[s][0], words_of(r), ways[o][0]) for s, r, o in row["triples"] if s in ways and o in ways]
    same = {plain(label): plain(known[0]) for name, known in ways.items() for label in _labels(name)}
    same |= {plain(way): plain(known[0]) for known in reversed(ways.values()) for way in known}
    return GoldText(row["text"], tuple(names), tuple(facts), same)


def _labels(entity: str) -> tuple[str, str]:
    """How the triples name a thing, with and without what tells it from its namesakes: "Arion (comics)"."""
    return entity, re.sub(r"\s*\([^()]*\)$", "", entity)


def surface_span(text: str, surface: str, after: int) -> tuple[int, int] | None:
    """Where a surface, written with blanks around punctuation, stands in the text, without article and possessive."""
    words = [word for word in _ARTICLE.sub("", surface.strip()).split() if word not in ("``", "''")]
    while words and words[-1] in ("'s", "’s", "'", ",", "."):
        words = words[:-1]
    if not words:
        return None
    match = re.compile(r'["\s]*'.join(map(re.escape, words)), re.IGNORECASE).search(text, after)
    return match.span() if match else None


def mention_kind(mention: Any, surface: str, again: bool) -> str:
    """A number or date is a literal; "the airport", of an airport named before, stands for it as a pronoun does."""
    if mention["type"] in ("pronoun", "demonstrative"):
        return "pronoun"
    alike = set(normalise(surface).split()) & set(normalise(mention["entity"]).split())
    if again and mention["type"] == "description" and (surface[:1].islower() or not alike):
        return "pronoun"
    return "literal" if _NUMBER.search(surface) and not is_name(surface) else "entity"


def words_of(relation: str) -> str:
    """``runwayLength`` as "runway length"."""
    return " ".join(_CAMEL.sub(" ", relation).split()).lower()


def score(reader: LearnedReader, texts: Sequence[GoldText], relations: Sequence[str] = ()) -> Scores:
    """Read every text and score what was found."""
    scores = Scores()
    for gold in texts:
        state = token_states(reader.model, reader.tokenizer, [gold.text], reader.network.config.layers, surprise=False)
        mentions, _ = reader.mentions(gold.text, state[0])
        names = [gold.text[m.start : m.end] for m in mentions if not is_pronoun(gold.text[m.start : m.end])]
        scores.add(gold, names, stated(reader.read(gold.text, relations=relations)))
    return scores


def score_rules(texts: Sequence[GoldText]) -> Scores:
    """The same for spaCy's entities and dependency rules."""
    from graphmem.adapters.spacy import SpacyReader, named_spans

    rules, scores = SpacyReader(), Scores()
    for gold, spans in zip(texts, named_spans([gold.text for gold in texts]), strict=True):
        facts = [(f.subject, f.relation, f.object) for f in rules.read(gold.text)]
        scores.add(gold, [gold.text[a:b] for a, b, _ in spans], facts)
    return scores


def stated(candidates: Sequence[Candidate]) -> list[Triple]:
    """The triples of what a text states, and does not deny, doubt or end."""
    return [(c.fact.subject, c.fact.relation, c.fact.object) for c in candidates if c.mood == "stated"]


def shipped_reader(weights: Path | None = None, *, lexicon: bool = True) -> LearnedReader:
    """The reader that ships, or one of other weights, over the default model and encoder."""
    from graphmem.encoding.node_embeddings import TextCache
    from graphmem.hub import DEFAULT_MODEL, WEIGHTS, find_encoder, find_language_model
    from graphmem.reading.network import load_reader

    model, tokenizer = find_language_model()
    network = load_reader(weights or WEIGHTS / DEFAULT_MODEL / "reader.safetensors")
    return LearnedReader(model, tokenizer, TextCache(find_encoder()), network, lexicon=lexicon)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: prints one JSON object a line."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--webnlg", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--split", default="test", choices=("dev", "test"))
    parser.add_argument(
        "--held-out", type=int, default=0, help="categories that training.webnlg left out, scored alone"
    )
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    reader = shipped_reader(given.weights, lexicon=given.webnlg is None)
    sets: dict[str, Callable[[], tuple[list[GoldText], list[str]]]] = {
        "new names": lambda: (invented_texts(given.split, given.count, given.seed, held_out_relations=False), []),
        "new names and relations": lambda: (
            invented_texts(given.split, given.count, given.seed, held_out_relations=True), []
        ),
    }  # fmt: skip
    if given.webnlg:
        sets = {"webnlg": lambda: webnlg_texts(given.webnlg, given.count, given.seed)}
        if given.held_out:
            with gzip.open(given.webnlg, "rt", encoding="utf-8") as lines:
                left_out = held_out_categories([json.loads(line) for line in lines], given.held_out, 0)
            sets = {" ".join(left_out): lambda: webnlg_texts(given.webnlg, given.count, given.seed, left_out)}
    for name, make in sets.items():
        texts, relations = make()
        print(
            json.dumps({"set": name, "seed": given.seed, "reader": score(reader, texts, relations).row()}), flush=True
        )
        print(json.dumps({"set": name, "seed": given.seed, "spacy rules": score_rules(texts).row()}), flush=True)


if __name__ == "__main__":
    main()
