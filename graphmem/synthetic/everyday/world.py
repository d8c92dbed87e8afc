"""Small random worlds of everyday texts: an author, colleagues and relatives, firms, places, animals and things."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from graphmem.synthetic.everyday.times import TimePart, TimeWriter
from graphmem.synthetic.names import KINDS, NameGenerator
from graphmem.synthetic.templates import load
from graphmem.text.name_parts import other_first_names
from graphmem.text.relation_synonyms import LITERAL_TYPES

GROUPS: Final = frozenset({"firm", "club", "school", "department"})
"""Types that an author can belong to, so that "we" stands for them."""
_WITH_ARTICLE: Final = frozenset("thing vehicle machine product part document project event room flat".split())
_NOUNS: Final[dict[str, tuple[str, ...]]] = {
    "firm": ("company", "firm", "business"), "club": ("club", "association", "group"), "school": ("school",),
    "software": ("software", "program", "tool"),
}  # fmt: skip
_LITERALS: Final = frozenset(load("everyday_names")["values"]) | {"day", "birthdate"}
_PART: Final = re.compile(r"<([^<>]+)>")
_NUMBER: Final = re.compile(r"(?:(\d+)\*)?(\d+)-(\d+)(,?)")
_LEXICON_TYPES: Final = {"company": "firm", "organisation": "club"}


@dataclass(eq=False, slots=True)
class Entity:
    """Somebody or something that a text speaks of.

    Attributes:
        id: of the mentions that stand for it.
        name: the full name, or the noun phrase without an article.
        type: ``person``, ``firm``, ``pet``, ``price`` ...
        pronoun: ``he``, ``she``, ``they`` or ``it``.
        short: other names of it: ``given``, ``nickname``, ``family``, ``title`` with the surname; ``shared title``
            once a relative has the same, so that it is not used any more.
        nouns: what it can be called once it was named: "company", "dog".
        article: whether "the" or "a" stands before the name.
        time: for dates, the time that they name.
    """

    id: int
    name: str
    type: str
    pronoun: str = "it"
    short: dict[str, str] = field(default_factory=dict)
    nouns: tuple[str, ...] = ()
    article: bool = False
    time: TimePart | None = None

    @property
    def kind(self) -> str:
        """``entity``, or ``literal`` for values."""
        return "literal" if self.type in _LITERALS or self.type in LITERAL_TYPES else "entity"


class EverydayWorld:
    """The people and things of one text, made as they are asked for; names are never the same twice.

    ``author`` writes it, ``reader`` gets it, ``home`` is the group for which "we" stands.
    """

    def __init__(self, rng: Random, times: TimeWriter) -> None:
        self.rng, self.times = rng, times
        self.entities: list[Entity] = []
        self._lists: dict[str, Any] = load("everyday_names")
        self._closed: dict[str, list[str]] = load("names")["closed"]
        self._names = NameGenerator(rng)
        self._taken: set[str] = set()
        self._by_type: dict[str, list[Entity]] = {}
        self.author, self.reader = self.person(), self.person()
        self.home = self.new(rng.choice(("firm", "firm", "club", "club", "school")))
        for _ in range(rng.randint(2, 5)):
            self.person()

    def some(self, types: Sequence[str], apart: Sequence[Entity] = ()) -> Entity:
        """Return an entity of one of the types, mostly one that exists; never one of ``apart``."""
        type = self.rng.choice(types)
        known = [one for one in self._of(type) if one not in apart]
        again = 0.72 if type in ("person", "woman") else 0.6 if type in ("firm", "pet", "city") else 0.35
        if known and self.rng.random() < again and type not in _LITERALS:
            return self.rng.choice(known)
        return self.new(type)

    def _of(self, type: str) -> list[Entity]:
        if type == "woman":
            return [one for one in self._by_type.get("person", ()) if one.pronoun == "she"]
        return self._by_type.get(type, [])

    def person(self, pronoun: str = "") -> Entity:
        """Return a new person with a first name that nobody else in the world has."""
        rng, lists = self.rng, self._lists
        pronoun = pronoun or rng.choice(("she", "she", "she", "he", "he", "he", "they"))
        if rng.random() < 0.25:
            given, _, family = self._names.names("person", 1)[0].partition(" ")
        else:
            given, family = rng.choice(lists["given"][pronoun]), rng.choice(lists["family"])
        relatives = [one.short["family"] for one in self._of("person") if "family" in one.short]
        if relatives and rng.random() < 0.12:
            family = rng.choice(relatives)
        if given in self._taken or not family:
            return self.person(pronoun)
        self._taken.add(given)
        title = rng.choice({"she": ("Mrs", "Ms", "Dr"), "he": ("Mr", "Mr", "Dr"), "they": ("Mx", "Dr")}[pronoun])
        short = {"given": given, "family": family}
        others = [name.capitalize() for name in sorted(other_first_names(given.lower())) if name.isalpha()]
        nicknames = [name for name in others if name not in self._taken and len(name) < len(given)]
        if nicknames and rng.random() < 0.7:
            short["nickname"] = rng.choice(nicknames)
            self._taken.add(short["nickname"])
        if family not in relatives:
            short["title"] = f"{title}{'.' if rng.random() < 0.3 else ''} {family}"
        else:
            for one in self._of("person"):
                if one.short.get("family") == family and "title" in one.short:
                    one.short["shared title"] = one.short.pop("title")
        return self._add(Entity(self._next(), f"{given} {family}", "person", pronoun, short))

    def new(self, type: str) -> Entity:
        """Return a new entity or value of a type; types of the lexicon are invented where no list has them."""
        type = _LEXICON_TYPES.get(type, type)
        if type in ("person", "woman"):
            return self.person("she" if type == "woman" else "")
        if type in _LITERALS:
            return self._literal(type)
        for _ in range(20):
            name = self._name(type)
            if name not in self._taken:
                break
        self._taken.add(name)
        article = type in _WITH_ARTICLE or name.startswith("the ")
        name = name.removeprefix("the ")
        nouns = _NOUNS.get(type, ())
        if type == "pet":
            nouns = (self.rng.choice(self._lists["pet_kinds"]),)
        elif type in _WITH_ARTICLE:
            nouns = (name.split()[-1],)
        pronoun = self.rng.choice(("he", "she")) if type == "pet" else "they" if type in GROUPS else "it"
        return self._add(Entity(self._next(), name, type, pronoun, nouns=nouns, article=article))

    def _next(self) -> int:
        return len(self.entities) + 1

    def _add(self, one: Entity) -> Entity:
        self.entities.append(one)
        self._by_type.setdefault(one.type, []).append(one)
        return one

    def _name(self, type: str) -> str:
        rng, lists = self.rng, self._lists
        if type in ("firm", "club", "school", "software"):
            return self._filled(rng.choice(lists[type]))
        if type == "city":
            return self._place()
        if type in ("thing", "vehicle", "machine", "project", "event"):
            adjective = f"{rng.choice(lists['adjectives'])} " if rng.random() < 0.35 else ""
            return adjective + rng.choice(lists[type])
        if type in lists and isinstance(lists[type], list):
            return str(rng.choice(lists[type]))
        if type in self._closed:
            word = rng.choice(self._closed[type])
            return word
        return (self._names.names(type if type in KINDS else "organisation", 1) or ["Unnamed"])[0]

    def _place(self) -> str:
        if self.rng.random() < 0.3:
            return self._names.names("city", 1)[0]
        return str(self.rng.choice(self._lists["city"]))

    def _filled(self, pattern: str) -> str:
        rng, lists = self.rng, self._lists
        word = rng.choice(lists["words"])
        for slot, value in (
            ("{c}", self._place()), ("{g}", rng.choice(lists["given"]["she"])), ("{w}", word), ("{l}", word.lower())
        ):  # fmt: skip
            pattern = pattern.replace(slot, value)
        while "{f}" in pattern:
            pattern = pattern.replace("{f}", rng.choice(lists["family"]), 1)
        return pattern

    def _literal(self, type: str) -> Entity:
        if type in ("day", "birthdate"):
            part = self.times.future_day() if type == "day" else self.times.birth_day()
            return self._add(Entity(self._next(), part.words, type, time=part))
        return self._add(Entity(self._next(), self._value(type), type))

    def _value(self, type: str) -> str:
        """Return a quantity, a number or an address as it is written; ``#`` is a digit and ``@`` a letter."""
        rng = self.rng
        pattern = rng.choice(self._lists["values"][type])
        text = _PART.sub(lambda found: self._part(found[1]), pattern)
        if type == "email":
            return text
        text = re.sub("#", lambda _: rng.choice("0123456789"), text)
        return re.sub("@", lambda _: rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ"), text)

    def _part(self, code: str) -> str:
        """Return what a code stands for: one of ``a|b``, a number of ``2-9``, ``5*1-9`` or ``1000-9000,``, a word."""
        rng, lists = self.rng, self._lists
        if number := _NUMBER.fullmatch(code):
            value = int(number[1] or 1) * rng.randint(int(number[2]), int(number[3]))
            return f"{value:,}" if number[4] else str(value)
        if code == "sign":
            return rng.choice("€$£")
        if code in ("given", "family"):
            names = lists["given"][rng.choice(("she", "he"))] if code == "given" else lists["family"]
            return "".join(letter for letter in rng.choice(names).lower() if letter.isalpha())
        if code in ("street", "domain"):
            return str(rng.choice(lists["street" if code == "street" else "domains"]))
        return self._place() if code == "place" else rng.choice(code.split("|"))
