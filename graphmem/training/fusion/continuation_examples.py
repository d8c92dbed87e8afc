"""Training examples for plain text: texts whose facts the memory holds, and texts that must stay unchanged.

The texts are those of the extractor's training: synthetic ones and introductions of encyclopaedia articles, with every
name marked and facts known. The memory holds most of these facts, and others about the same and about other entities,
so that only the text tells which name is next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets.webnlg import FactText, fact_texts
from graphmem.fusion.candidates import Candidates
from graphmem.fusion.continuation_candidates import Neighbour, as_candidates, continuation_candidates
from graphmem.synthetic.annotated_texts import AnnotatedText
from graphmem.text.lexicon import Relation
from graphmem.training.fusion.examples import Example, ExampleBuilder
from graphmem.training.fusion.mixture import MAX_TEXT_TOKENS

OTHER_TOKENS, MISSING_FACTS = 16, 0.12
"""Scored tokens of a text besides those of names, and the share of a text's facts that the memory lacks."""

MAX_TOKENS, STRICT = 96, 0.3
"""Most tokens of a text, and the share of texts for which the query is more than the topic's name."""

LATER_TOPIC, PREFIXED = 0.25, 0.1
"""Share of texts whose topic is any of their names instead of the first, and share of texts that begin with a name and
get a word before it."""
_PREFIXES = ("The ", "The ", "In ", "Here is ")


def mark_texts(texts: Iterable[AnnotatedText]) -> list[FactText]:
    """Texts with asserted facts, in which an entity is named by its longest mention."""
    found = []
    for text in texts:
        names: dict[int, str] = {}
        for mention in text.mentions:
            surface = text.text[mention.start : mention.end]
            if len(surface) > len(names.get(mention.entity, "")) and mention.kind != "pronoun":
                names[mention.entity] = surface
        of = [names.get(mention.entity, "") for mention in text.mentions]
        facts = [(of[f.subject], f.relation, of[f.object]) for f in text.facts if f.factuality == "asserted"]
        facts = [fact for fact in dict.fromkeys(facts) if fact[0] and fact[2] and fact[0] != fact[2]]
        spans = [(m.start, m.end) for m in text.mentions if text.text[m.start : m.end] in names.values()]
        if facts and spans:
            found.append(FactText(text.text, tuple(spans), tuple(facts), facts[0][0]))
    return found


class ContinuationExamples:
    """Makes examples of marked texts; further facts of the memory are drawn from the other texts.

    ``relations``, by name, give paraphrases.
    """

    def __init__(
        self, build: ExampleBuilder, texts: Sequence[FactText], relations: Mapping[str, Relation], rng: Random
    ) -> None:
        self.build, self.texts, self.relations, self.rng = build, list(texts), relations, rng
        self._facts = [fact for text in texts for fact in text.gold]

    def example(self, text: FactText) -> Example | None:
        """The text with a memory of its facts; None where no token of a name can be scored."""
        text = self._varied(text)
        made = self.build.tokenizer(text.text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = made["input_ids"][:MAX_TOKENS], made["offset_mapping"][:MAX_TOKENS]
        named = [i for i, (a, b) in enumerate(offsets) if any(a < end and b > start for start, end in text.mentions)]
        scored = {i - 1 for i in named if i}
        if not scored:
            return None
        rest = [i for i in range(len(ids) - 1) if i not in scored]
        scored |= set(self.rng.sample(rest, min(OTHER_TOKENS, len(rest))))
        return Example(tuple(ids[:1]), tuple(ids[1:]), self._candidates(text), scored=tuple(sorted(scored)))

    def unrelated(self, text: str) -> Example | None:
        """A plain text with a memory of another text's facts, on which the base's predictions are kept."""
        return _kept(self.build.ids(text), self._candidates(self.rng.choice(self.texts)))

    def _varied(self, text: FactText) -> FactText:
        """The text with another topic, or a word before its first name: else names would be expected at the start of
        texts only."""
        rng, topic, words, spans = self.rng, text.topic, text.text, text.mentions
        if rng.random() < LATER_TOPIC:
            topic = rng.choice(sorted(text.names))
        if spans and min(spans)[0] == 0 and rng.random() < PREFIXED:
            prefix = rng.choice(_PREFIXES)
            words, spans = prefix + words, tuple((a + len(prefix), b + len(prefix)) for a, b in spans)
        return replace(text, text=words, mentions=spans, topic=topic)

    def _candidates(self, text: FactText) -> Candidates:
        """Candidates around the text's topic, and sometimes around other mentioned entities."""
        rng = self.rng
        facts = [fact for fact in text.gold if rng.random() >= MISSING_FACTS]
        for entity in (text.topic, *dict.fromkeys(o for _, _, o in text.gold)):
            facts += self._more_facts(entity, rng.choice((0, 0, 1, 2, 5) if entity == text.topic else (0, 0, 0, 0, 2)))
        named = [text.topic]
        if rng.random() < 0.4:
            other = rng.choice(self.texts)
            facts += other.gold
            named.insert(rng.randint(0, 1), other.topic)
        elif rng.random() < 0.3:
            named.append(rng.choice(text.gold)[2])
        rng.shuffle(facts)
        strict = Random(text.text).random() < STRICT
        return as_candidates(self._neighbours(dict.fromkeys(named), [self._paraphrased(f) for f in facts]), strict)

    def _more_facts(self, entity: str, count: int) -> list[Triple]:
        """Facts of other entities, moved to this one at either end."""
        drawn = [self.rng.choice(self._facts) for _ in range(count)]
        return [
            (entity, r, o) if self.rng.random() < 0.75 else (s, r, entity) for s, r, o in drawn if entity not in (s, o)
        ]

    def _paraphrased(self, fact: Triple) -> Triple:
        known = self.relations.get(fact[1])
        if known is None or self.rng.random() < 0.5:
            return fact
        return fact[0], self.rng.choice((known.noun, *known.paraphrases)), fact[2]

    def _neighbours(self, named: Iterable[str], facts: Sequence[Triple]) -> list[Neighbour]:
        """Breadth-first, two facts deep, as in ``graphmem.fusion.continuation_candidates``."""
        found = {name: Neighbour(i, name) for i, name in enumerate(named)}
        for hops in (1, 2):
            inner = set(found)
            for subject, relation, object in facts:
                for start, end, inverse in ((subject, object, False), (object, subject, True)):
                    if start in inner and end not in found and len(found) < self.build.max_nodes:
                        found[end] = Neighbour(len(found), end, relation, hops, inverse, found[start].node)
        return list(found.values())


def accidental_examples(build: ExampleBuilder, memory: Any, texts: Sequence[str]) -> list[Example]:
    """Plain texts with the candidates of a real memory for words that happen to be names in it."""
    made = []
    for text in texts:
        ids = build.ids(text)
        query = build.tokenizer.decode(ids[:MAX_TEXT_TOKENS])
        found = continuation_candidates(memory.retrieve(query, top_k=build.max_nodes), build.max_nodes)
        if found is not None and found.names and (example := _kept(ids, found)) is not None:
            made.append(example)
    return made


def _kept(ids: tuple[int, ...], found: Candidates) -> Example | None:
    ids = ids[:MAX_TEXT_TOKENS]
    return Example(ids[:1], ids[1:], found, keep=True, offer=False) if len(ids) > 8 else None


def user_texts(path: str | Path, excluded: Collection[str] = ()) -> list[FactText]:
    """Texts of a user's file (``fact_texts``), without those that share a normalised name with ``excluded``."""
    names = {normalise(name) for name in excluded}
    return [t for t in fact_texts(Path(path)) if t.mentions and not {normalise(n) for n in t.names} & names]
