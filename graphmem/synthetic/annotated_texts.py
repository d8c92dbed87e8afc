"""Texts with every mention and fact marked, and the writer of sentences that marks them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from graphmem.synthetic.templates import (
    PERSONS,
    POSSESSIVES,
    agree,
    begins_sentence,
    capitalise,
    fit_article,
    framed,
    load,
    pronoun,
    split_slots,
)
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import LITERAL_TYPES

_BE = re.compile(r" (was|is|are|were|has|had) ")


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity or a literal that a text is about; ``id`` is 0 for literals that no fact shares."""

    id: int
    name: str
    type: str

    @property
    def kind(self) -> str:
        """``literal`` or ``entity``."""
        return "literal" if self.type in LITERAL_TYPES else "entity"


@dataclass(frozen=True, slots=True)
class GoldMention:
    """Characters ``start`` to ``end`` of a text name ``entity``; ``kind`` as in ``reading.network.KINDS``."""

    start: int
    end: int
    kind: str
    entity: int


@dataclass(frozen=True, slots=True)
class GoldFact:
    """A fact between two mentions, by their numbers; ``factuality`` as in ``reading.network.FACTUALITY``."""

    subject: int
    relation: str
    object: int
    factuality: str = "asserted"


@dataclass(slots=True)
class AnnotatedText:
    """A text with its mentions (in order) and its facts.

    ``paired`` is false where only mentions are known; ``partial`` where some facts are known and others may be missing.
    """

    text: str = ""
    mentions: list[GoldMention] = field(default_factory=list)
    facts: list[GoldFact] = field(default_factory=list)
    paired: bool = True
    partial: bool = False

    @property
    def at_start(self) -> bool:
        """Whether the next word is the first of a sentence."""
        return begins_sentence(self.text)

    def write(self, words: str) -> None:
        """Append words, with a capital where a sentence begins."""
        self.text += capitalise(words) if self.at_start else words

    def name(self, thing: Thing, surface: str | None = None, kind: str | None = None) -> int:
        """Append a mention of ``thing`` and return its number; a pronoun has a capital where a sentence begins."""
        surface = surface or thing.name
        if kind == "pronoun" and self.at_start:
            surface = capitalise(surface)
        if not self.mentions or self.mentions[-1].end < len(self.text) - 1:
            self.text = fit_article(self.text, surface)
        start = len(self.text)
        self.text += surface
        self.mentions.append(GoldMention(start, len(self.text), kind or thing.kind, thing.id))
        return len(self.mentions) - 1

    def surface(self, mention: GoldMention) -> str:
        """Return the characters of a mention."""
        return self.text[mention.start : mention.end]

    def append(self, other: AnnotatedText) -> None:
        """Append another text with its mentions and facts."""
        shift, first = len(self.text), len(self.mentions)
        self.text += other.text
        self.mentions += [GoldMention(m.start + shift, m.end + shift, m.kind, m.entity) for m in other.mentions]
        self.facts += [GoldFact(f.subject + first, f.relation, f.object + first, f.factuality) for f in other.facts]


class SentenceWriter:
    """Base of the generators of text: fills templates of relations and marks the facts that they state."""

    short_forms: ClassVar[tuple[int, ...]] = (0, -1)
    """Which words of a person's name may stand for it."""
    descriptions: ClassVar[bool] = True
    """Whether "the city" may stand for a thing that was named before."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def thing(self, type: str) -> Thing:
        """Return a new thing of a type."""
        raise NotImplementedError

    def write_sentence(
        self, text: AnnotatedText, template: str, relation: Relation, subject: Thing, *,
        factuality: str = "asserted", again: bool = False, things: Mapping[str, Thing] | None = None,
    ) -> int:  # fmt: skip
        """Append a filled template and mark its facts; returns the number of the subject's mention, -1 for none.

        Args:
            template: words with slots: ``{s}``, ``{o}``, ``{old}`` (its fact is marked as ended), ``{t}`` (a date).
            factuality: of the fact in ``{o}``.
            again: whether the subject was named before, so that a pronoun or a short name may stand for it.
            things: what stands in ``{o}`` and ``{old}``; new things where it is left out.
        """
        first, objects, pieces = -1, list[tuple[int, str]](), split_slots(template)
        for place, piece in enumerate(pieces):
            if piece == "{s}":
                first, rest = self.refer(text, subject, again, "".join(pieces[place + 1 : place + 2]))
                pieces[place + 1 : place + 2] = [rest]
            elif piece in ("{o}", "{old}"):
                thing = (things or {}).get(piece)
                objects += [(number, piece) for number in self.write_objects(text, relation, thing, piece == "{o}")]
            elif piece == "{t}":
                text.name(Thing(0, self.thing(self.rng.choice(("year", "year", "date"))).name, "date"))
            else:
                text.write(piece)
        for number, piece in objects if first >= 0 else ():
            ended = piece == "{old}" and factuality == "asserted"
            text.facts.append(GoldFact(first, relation.relation, number, "ended" if ended else factuality))
        return first

    def write_objects(self, text: AnnotatedText, relation: Relation, thing: Thing | None, many: bool) -> list[int]:
        """Append the object of a fact, or with ``many`` perhaps several; returns the numbers of their mentions."""
        return [text.name(thing or self.thing(relation.object))]

    def write_names(self, text: AnnotatedText, template: str, thing: Callable[[], Thing]) -> None:
        """Append a template whose slots are filled by names and that states nothing."""
        for piece in split_slots(template):
            if piece[0] == "{":
                text.name(thing())
            else:
                text.write(piece)

    def join(
        self, text: AnnotatedText, relation: Relation, subject: Thing, number: int,
        things: Mapping[str, Thing] | None = None,
    ) -> None:  # fmt: skip
        """Add a fact of the last sentence's subject (mention ``number``) to that sentence: "... and stars Y."."""
        template = self.leading(relation)
        mention = text.mentions[number]
        opens = begins_sentence(text.text[: mention.start]) and text.surface(mention).lower() != "they"
        if not opens or not template.startswith("{s} ") or not text.text.endswith("."):
            text.write(" ")
            self.write_sentence(text, template, relation, subject, again=True, things=things)
            return
        text.text = text.text[:-1] + self.rng.choice((" and ", " and ", ", and ", " and also "))
        self.write_predicate(text, number, relation, template[4:], (things or {}).get("{o}"))

    def write_predicate(
        self, text: AnnotatedText, subject: int, relation: Relation, words: str, thing: Thing | None = None
    ) -> None:
        """Append what follows a subject, with ``{o}`` for the object, and mark its facts."""
        before, _, after = words.partition("{o}")
        text.write(before)
        numbers = self.write_objects(text, relation, thing, True)
        text.write(after)
        text.facts += [GoldFact(subject, relation.relation, number) for number in numbers]

    def refer(self, text: AnnotatedText, thing: Thing, again: bool, rest: str = "") -> tuple[int, str]:
        """Append a name, or where it was named before a pronoun, a description or a short name.

        Returns the number of the mention, and ``rest``, the words after it, in the form that agrees with it.
        """
        chance, nominative = self.rng.random(), text.at_start or text.text.endswith(", ")
        if again and chance < 0.6:
            word = pronoun(thing.name, thing.type)
            if rest.startswith("'s "):
                return text.name(thing, POSSESSIVES[word], "pronoun"), rest[2:]
            agreed = agree(rest) if word == "they" else rest
            if nominative and agreed is not None:
                return text.name(thing, word, "pronoun"), agreed
        elif again and chance < 0.75 and self.descriptions and thing.kind == "entity":
            word = self.rng.choice(("the man", "the woman")) if thing.type in PERSONS else f"the {thing.type}"
            return text.name(thing, word, "pronoun"), rest
        return text.name(thing, self._short_name(text, thing) if again else None), rest

    def _short_name(self, text: AnnotatedText, thing: Thing) -> str:
        words = thing.name.split()
        if thing.type not in PERSONS or len(words) < 2:
            return thing.name
        word = words[self.rng.choice(self.short_forms)]
        others = (text.surface(mention).split() for mention in text.mentions if mention.entity != thing.id)
        return thing.name if any(word in other for other in others) else word

    def leading(self, relation: Relation) -> str:
        """Return a statement that begins with its subject, where there is one."""
        leading = [f"{{s}} {words}." for words in predicates(relation)]
        return self.rng.choice(leading or list(relation.statements))

    def denial(self, relation: Relation) -> str:
        """Return a template that denies a fact."""
        rng, frames, chance = self.rng, load("frames"), self.rng.random()
        template = rng.choice(relation.statements)
        if chance < 0.2:
            return rng.choice(frames["noun_denials"]).replace("{n}", relation.noun)
        if _BE.search(template) and template.startswith("{s}"):
            return _BE.sub(lambda m: f" {m[1]} {rng.choice(('not', 'never', 'not'))} ", template, count=1)
        return framed(rng.choice(frames["denials"]), template)

    def question(self, relation: Relation) -> str:
        """Return a question about a fact; some name only one of its two things."""
        rng, frames, chance = self.rng, load("frames"), self.rng.random()
        if chance < 0.35:
            return rng.choice((*relation.questions, *relation.inverse_questions))
        if chance < 0.65:
            return rng.choice(frames["noun_questions"]).replace("{n}", relation.noun)
        return framed(rng.choice(frames["checks"]), rng.choice(relation.statements))

    def framed_by(self, frames: str, relation: Relation) -> str:
        """Return a statement in a frame of a list: ``rumours``, ``doubts`` or ``corrections``."""
        return framed(self.rng.choice(load("frames")[frames]), self.rng.choice(relation.statements))


def predicates(relation: Relation) -> list[str]:
    """Return what can follow the subject of a relation: ``was born in {o}``."""
    return [
        t[4:].rstrip(".") for t in relation.statements
        if t.startswith("{s} ") and t.count("{o}") == 1 and "{s}" not in t[4:] and t.endswith(".")
    ]  # fmt: skip
