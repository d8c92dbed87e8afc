"""Scores of information extraction: mentions and facts, on names, relations and domains held out of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.paths import WEIGHTS
from graphmem.core.splits import data_split
from graphmem.core.types import Fact
from graphmem.datasets.webnlg import GoldText, plain, webnlg_texts
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.evaluation.report import Report
from graphmem.evaluation.statistics import Tally
from graphmem.hub import DEFAULT_MODEL, load_encoder, load_language_model
from graphmem.reading.extractor import FactExtractor
from graphmem.reading.hidden_states import token_states
from graphmem.reading.network import load_extractor
from graphmem.synthetic.real_texts import real_names
from graphmem.synthetic.text_generator import TextGenerator
from graphmem.text.lexicon import load_lexicon
from graphmem.text.relation_synonyms import synonyms
from graphmem.text.word_classes import is_pronoun


class Scores:
    """Scores of mentions (exact names), facts (exact), and pairs (facts with the relation ignored)."""

    def __init__(self) -> None:
        self.texts, self.mentions, self.facts, self.pairs = 0, Tally(), Tally(), Tally()

    def add(self, gold: GoldText, names: Sequence[str], facts: Sequence[Fact]) -> None:
        """Score one text."""
        self.texts += 1
        self.mentions.add(map(plain, names), map(plain, gold.names))
        found = {(gold.named(s), canonical(r), gold.named(o)) for s, r, o in map(_triple, facts)}
        wanted = {(gold.named(s), canonical(r), gold.named(o)) for s, r, o in gold.facts}
        self.facts.add(found, wanted)
        self.pairs.add({(s, o) for s, _, o in found}, {(s, o) for s, _, o in wanted})

    def row(self) -> dict[str, Any]:
        """All three, with the number of texts."""
        return {"n": self.texts, "mentions": self.mentions.row(), "facts": self.facts.row(), "pairs": self.pairs.row()}


def canonical(relation: str) -> str:
    """The same name for all synonyms of a relation in the lexicon."""
    return min(synonyms(relation))


def invented_texts(split: str, count: int, seed: int, *, held_out_relations: bool) -> list[GoldText]:
    """Synthetic texts with names of one split, about relations of training or about held-out ones."""
    relations = [r for r in load_lexicon() if (data_split(r.relation) == "test") == held_out_relations]
    generator = TextGenerator(relations, real_names(None), Random(seed), split)  # type: ignore[arg-type]
    found = []
    for _ in range(count):
        example = generator.example()
        named = [mention for mention in example.mentions if mention.kind != "pronoun"]
        first = {mention.entity: example.surface(mention) for mention in reversed(named)}
        names = [
            first.get(m.entity, example.surface(m)) if m.kind == "pronoun" else example.surface(m)
            for m in example.mentions
        ]
        facts = [(names[f.subject], f.relation, names[f.object]) for f in example.facts if f.factuality == "asserted"]
        found.append(GoldText(example.text, tuple(map(example.surface, named)), tuple(facts)))
    return found


def score(extractor: FactExtractor, texts: Sequence[GoldText], relations: Sequence[str] = ()) -> Scores:
    """Score an extractor on texts."""
    scores, layers = Scores(), extractor.network.config.layers
    for gold in texts:
        state = token_states(extractor.model, extractor.tokenizer, [gold.text], layers, surprise=False)
        names = [gold.text[m.start : m.end] for m in extractor.mentions(gold.text, state[0])[0]]
        found = [c.fact for c in extractor.read(gold.text, relations=relations) if c.factuality == "asserted"]
        scores.add(gold, [name for name in names if not is_pronoun(name)], found)
    return scores


def score_rules(texts: Sequence[GoldText]) -> Scores:
    """The same for spaCy's entities and dependency rules."""
    from graphmem.adapters.spacy import SpacyReader, named_spans

    rules, scores = SpacyReader(), Scores()
    for gold, spans in zip(texts, named_spans([gold.text for gold in texts]), strict=True):
        scores.add(gold, [gold.text[a:b] for a, b, _ in spans], list(rules.read(gold.text)))
    return scores


_triple = attrgetter("subject", "relation", "object")


def load_shipped_extractor(weights: Path | None = None, *, lexicon: bool = True) -> FactExtractor:
    """The shipped extractor, or one of other weights, over the default model and encoder."""
    model, tokenizer = load_language_model()
    network = load_extractor(weights or WEIGHTS / DEFAULT_MODEL / "reader.safetensors")
    return FactExtractor(model, tokenizer, EmbeddingCache(load_encoder()), network, lexicon=lexicon)


def extraction_sets(
    split: str, count: int, seed: int, *, webnlg: Path | None = None
) -> dict[str, tuple[list[GoldText], list[str]]]:
    """Texts to read and the relations offered, by the name of the set: a WebNLG file, or generated texts of a split."""
    if webnlg is not None:
        return {"webnlg": webnlg_texts(webnlg, count, seed)}
    names = {"new names": False, "new names and relations": True}
    return {name: (invented_texts(split, count, seed, held_out_relations=new), []) for name, new in names.items()}


def evaluate_extraction(
    extractor: FactExtractor, sets: Mapping[str, tuple[Sequence[GoldText], Sequence[str]]], seed: int = 0
) -> Report:
    """Scores of the extractor and of spaCy's rules on every set of ``extraction_sets``."""
    rows = []
    for name, (texts, relations) in sets.items():
        rows.append({"set": name, "method": "extractor", **score(extractor, texts, relations).row()})
        rows.append({"set": name, "method": "spaCy rules", **score_rules(texts).row()})
    return Report(rows, seed)
