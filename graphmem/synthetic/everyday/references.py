"""Which words stand for somebody or something in an everyday text: a name, a pronoun, "we", a description."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Final

from graphmem.synthetic.everyday.world import GROUPS, Entity

_FORMS: Final = {
    "he": ("he", "him", "his"), "she": ("she", "her", "her"), "they": ("they", "them", "their"),
    "it": ("it", "it", "its"), "I": ("I", "me", "my"), "we": ("we", "us", "our"), "you": ("you", "you", "your"),
}  # fmt: skip
_REFERABLE: Final = GROUPS | frozenset(
    "person pet thing vehicle machine product part document project event room flat software drug".split()
)
"""Types that facts are stated of, so that a pronoun could stand for them."""
_PLACE: Final = {"subject": 0, "inverted": 0, "object": 1, "possessive": 2}


@dataclass(slots=True)
class Style:
    """How a text is written.

    Attributes:
        speaker: for whom "I" stands, ``listener``: "you", ``group``: "we"; None where nobody says so.
        formal: titles and surnames rather than first names.
        lower: everything in small letters.
        stops: whether sentences end with a full stop.
        abbreviations: words that are written short.
    """

    speaker: Entity | None = None
    listener: Entity | None = None
    group: Entity | None = None
    formal: bool = False
    lower: bool = False
    stops: bool = True
    abbreviations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reference:
    """Words that stand for an entity.

    Attributes:
        words: without an article, which ``article`` asks for; ``after``: what follows them outside of the mention.
        kind: ``entity``, ``literal`` or ``pronoun``.
        person: ``one``, ``many`` or ``I``, with which a verb agrees.
        known: whether it was named before.
    """

    words: str
    kind: str
    person: str = "one"
    article: bool = False
    known: bool = False
    after: str = ""


class References:
    """Chooses the words for an entity so that a reader can tell which one is meant."""

    def __init__(self, rng: Random, style: Style) -> None:
        self.rng, self.style = rng, style
        self._before: list[Entity] = []
        self._now: list[Entity] = []
        self._named: dict[int, Entity] = {}
        self._descriptions: dict[str, Entity] = {}

    def note(self, one: Entity) -> None:
        """Note a mention of an entity in the present sentence."""
        self._now.append(one)
        self._named[one.id] = one

    def recent(self) -> list[Entity]:
        """Return what the sentence before named and facts can be stated of, without who speaks or is spoken to."""
        spoken = (self.style.speaker, self.style.listener)
        return [one for one in self._before if one.type in _REFERABLE and one not in spoken]

    def forget(self) -> None:
        """From here on a pronoun can stand for nobody who was named before."""
        self._before = []

    def end_sentence(self) -> None:
        """The present sentence becomes the previous one, unless it names nobody."""
        self._before, self._now = self._now or self._before, []

    def describe(self, one: Entity, noun: str) -> None:
        """From now on a noun such as a role may stand for a person, unless it stands for another one."""
        if self._descriptions.setdefault(noun, one) is not one:
            self._descriptions[noun] = Entity(0, noun, "")

    def choose(self, one: Entity, case: str) -> Reference:
        """Return the words for an entity in a case (see ``EverydayWriter.refer``)."""
        rng, style = self.rng, self.style
        if case in ("subject", "object", "possessive"):
            if one is style.speaker:
                return Reference(_FORMS["I"][_PLACE[case]], "pronoun", "I")
            if one is style.listener and rng.random() < 0.6:
                return Reference(_FORMS["you"][_PLACE[case]], "pronoun", "many")
            if one is style.group and rng.random() < 0.75:
                return Reference(_FORMS["we"][_PLACE[case]], "pronoun", "many")
        known = one.id in self._named
        if case == "full":
            return Reference(one.name, one.kind, article=one.article, known=known)
        if known and one.kind == "entity":
            chance = rng.random()
            if chance < (0.55 if case == "object" else 0.8) and case != "name" and (found := self._pronoun(one, case)):
                return found
            if chance > 0.85 and (noun := self._description(one)):
                return Reference(noun, "entity", article=True, known=True)
        return self._name(one, known)

    def possessive(self, one: Entity, person: str) -> str:
        """Return the possessive pronoun of the subject of a sentence, whose verb agrees with ``person``."""
        if one is self.style.speaker:
            return "my"
        if person == "many":
            return "our" if one is self.style.group else "your" if one is self.style.listener else "their"
        return "its" if one.type in GROUPS else _FORMS[one.pronoun][2]

    def _pronoun(self, one: Entity, case: str) -> Reference | None:
        """A pronoun, if it can stand for nobody else in this sentence and the previous one."""
        near = {other.id: other for other in (*self._before, *self._now)}
        spoken = (self.style.speaker, self.style.listener)
        others = [o for o in near.values() if o is not one and o.type in _REFERABLE and o not in spoken]
        word = one.pronoun
        if one.id not in near or any(other.pronoun == word for other in others):
            return None
        if word == "they" and (case == "inverted" or len(others) > 1):
            return None
        return Reference(_FORMS[word][_PLACE[case]], "pronoun", "many" if word == "they" else "one")

    def _description(self, one: Entity) -> str | None:
        nouns = [noun for noun, other in self._descriptions.items() if other is one]
        counts: dict[str, int] = defaultdict(int)
        for other in (*self._named.values(), *(o for o in (self.style.group,) if o and o.id not in self._named)):
            for noun in other.nouns:
                counts[noun] += 1
        nouns += [noun for noun in one.nouns if counts[noun] == 1]
        return self.rng.choice(nouns) if nouns else None

    def _name(self, one: Entity, known: bool) -> Reference:
        rng, chance, short = self.rng, self.rng.random(), one.short
        words = one.name
        if one.type == "person":
            if self.style.formal and chance < 0.35 and "title" in short:
                words = short["title"]
            elif known and chance < 0.1 and "title" in short:
                words = short["family"]
            elif chance > (0.25 if known else 0.85 if self.style.formal else 0.5):
                words = short["given"]
                if "nickname" in short and not self.style.formal and rng.random() < 0.35:
                    words = short["nickname"]
        after = ""
        if one.type == "pet" and not known and rng.random() < 0.5:
            after = f" the {one.nouns[0]}"
        return Reference(words, one.kind, article=one.article, known=known, after=after)
