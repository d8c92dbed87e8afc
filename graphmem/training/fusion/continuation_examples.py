"""Examples that teach the readings to go on with a text whose facts the memory holds, and to leave other texts alone.

The texts are the reader's: made ones and openings of encyclopaedia passages, with every name marked and facts known.
The memory holds most of these facts, beside others about the same things and about things that the text does not speak
of; so what is said cannot be told from what is held, and only the text says which name is next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets.webnlg import FactText, fact_texts
from graphmem.fusion.candidates import Candidates
from graphmem.fusion.continuation_candidates import Neighbour, as_candidates, continuation_candidates
from graphmem.synthetic.annotated_texts import AnnotatedText as Text
from graphmem.text.lexicon import Relation
from graphmem.training.fusion.examples import Example, Wording

OTHERS, FORGOTTEN = 16, 0.12
"""Tokens of a text that are scored besides those of names, and the share of a text's facts that the memory lacks."""

MOST_TOKENS, OWN = 96, 0.3
"""Most tokens of a text, and the share of texts whose topic the memory was not asked with by its name alone."""

LATE, LED = 0.25, 0.1
"""Shares of texts that the memory was asked about by any of their names, which may come late, and not by the first; and
of those that begin with a name which get a word before it."""
_LEADS = ("The ", "The ", "In ", "Here is ")


@dataclass(frozen=True, slots=True)
class Marked:
    """A text, the spans of its names, the name that it begins with, and its facts."""

    text: str
    spans: tuple[tuple[int, int], ...]
    topic: str
    facts: tuple[Triple, ...]


def marked(texts: Iterable[Text]) -> list[Marked]:
    """Texts that state something, as names and facts; a thing bears the longest name that the text gives it."""
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
            found.append(Marked(text.text, tuple(spans), facts[0][0], tuple(facts)))
    return found


class ContinuationExamples:
    """Makes examples of marked texts.

    Args:
        wording: of the base.
        texts: all texts; what the memory holds beside a text's own facts is drawn from the others.
        relations: by name, for other words for them.
        limit: most names that the memory tells of.
        rng: of all choices.
    """

    def __init__(
        self, wording: Wording, texts: Sequence[Marked], relations: Mapping[str, Relation], limit: int, rng: Random
    ) -> None:
        self.wording, self.texts, self.relations, self.limit, self.rng = wording, list(texts), relations, limit, rng
        self._facts = [fact for text in texts for fact in text.facts]

    def example(self, text: Marked) -> Example | None:
        """The text to be said beside what the memory holds about it; None where no token of a name can be scored."""
        text = self._varied(text)
        made = self.wording.tokenizer(text.text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = made["input_ids"][:MOST_TOKENS], made["offset_mapping"][:MOST_TOKENS]
        named = [i for i, (a, b) in enumerate(offsets) if any(a < end and b > start for start, end in text.spans)]
        scored = {i - 1 for i in named if i}
        if not scored:
            return None
        rest = [i for i in range(len(ids) - 1) if i not in scored]
        scored |= set(self.rng.sample(rest, min(OTHERS, len(rest))))
        return Example(tuple(ids[:1]), tuple(ids[1:]), self.found(text), scored=tuple(sorted(scored)))

    def _varied(self, text: Marked) -> Marked:
        """The text about another of its names, or with a word before the first: else names would be looked for where
        texts begin, and nowhere else."""
        rng, topic, words, spans = self.rng, text.topic, text.text, text.spans
        if rng.random() < LATE:
            topic = rng.choice(sorted({name for s, _, o in text.facts for name in (s, o)}))
        if spans and min(spans)[0] == 0 and rng.random() < LED:
            lead = rng.choice(_LEADS)
            words, spans = lead + words, tuple((a + len(lead), b + len(lead)) for a, b in spans)
        return replace(text, text=words, spans=spans, topic=topic)

    def beside(self, text: str) -> Example | None:
        """A plain text beside what the memory holds about something else: the base's predictions are held."""
        ids = self.wording.ids(text)[:72]
        other = self.rng.choice(self.texts)
        return Example(ids[:1], ids[1:], self.found(other), hold=True, offer=False) if len(ids) > 8 else None

    def found(self, text: Marked) -> Candidates:
        """What the memory holds around the text's topic, and sometimes around other things that were named."""
        rng = self.rng
        facts = [fact for fact in text.facts if rng.random() >= FORGOTTEN]
        for about in (text.topic, *dict.fromkeys(o for _, _, o in text.facts)):
            facts += self._more(about, rng.choice((0, 0, 1, 2, 5) if about == text.topic else (0, 0, 0, 0, 2)))
        named = [text.topic]
        if rng.random() < 0.4:
            other = rng.choice(self.texts)
            facts += other.facts
            named.insert(rng.randint(0, 1), other.topic)
        elif rng.random() < 0.3:
            named.append(rng.choice(text.facts)[2])
        rng.shuffle(facts)
        own = Random(text.text).random() < OWN
        return as_candidates(self._around(dict.fromkeys(named), [self._reworded(fact) for fact in facts]), own)

    def _more(self, about: str, count: int) -> list[Triple]:
        """Facts of others, said of this one, from either end."""
        drawn = [self.rng.choice(self._facts) for _ in range(count)]
        return [
            (about, r, o) if self.rng.random() < 0.75 else (s, r, about) for s, r, o in drawn if about not in (s, o)
        ]

    def _reworded(self, fact: Triple) -> Triple:
        known = self.relations.get(fact[1])
        if known is None or self.rng.random() < 0.5:
            return fact
        return fact[0], self.rng.choice((known.noun, *known.paraphrases)), fact[2]

    def _around(self, named: Iterable[str], facts: Sequence[Triple]) -> list[Neighbour]:
        """Breadth first, as ``graphmem.fusion.continuation_candidates`` walks a memory."""
        found = {name: Neighbour(i, name) for i, name in enumerate(named)}
        for hops in (1, 2):
            inner = set(found)
            for subject, relation, object in facts:
                for start, end, inverse in ((subject, object, False), (object, subject, True)):
                    if start in inner and end not in found and len(found) < self.limit:
                        found[end] = Neighbour(len(found), end, relation, hops, inverse, found[start].node)
        return list(found.values())


def accidental(wording: Wording, memory: Any, texts: Sequence[str], limit: int) -> list[Example]:
    """Plain texts beside what a real memory tells of the words in them that happen to be names of its own."""
    made = []
    for text in texts:
        ids = wording.ids(text)[:72]
        told = continuation_candidates(memory.retrieve(wording.tokenizer.decode(ids), top_k=limit), limit)
        if told is not None and told.names and len(ids) > 8:
            made.append(Example(ids[:1], ids[1:], told, hold=True, offer=False))
    return made


def user_texts(path: str | Path, excluded: Collection[str] = ()) -> list[Marked]:
    """Texts of a user's file, without those that share a name with ``excluded``.

    Args:
        path: JSON lines with ``text`` and ``triples``, gzipped or not.
        excluded: names, compared after normalisation.

    Raises:
        InvalidValue: the file cannot be read as that.
    """
    shut = {normalise(name) for name in excluded}
    kept = (t for t in fact_texts(Path(path)) if t.mentions and not {normalise(n) for n in t.names} & shut)
    return [Marked(t.text, t.mentions, t.topic, t.gold) for t in kept]


def names_in(texts: Iterable[FactText]) -> set[str]:
    """Subjects and objects of the texts' facts."""
    return {name for text in texts for name in text.names}
