"""Small random worlds of everyday texts: an author, colleagues and relatives, firms, places, animals and things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from graphmem.synthetic.everyday.times import TimePart, TimeWriter
from graphmem.synthetic.names import KINDS, NameGenerator
from graphmem.synthetic.templates import load
from graphmem.text.relation_synonyms import LITERAL_TYPES

GROUPS: Final = frozenset({"firm", "club", "school", "department"})
"""Types that an author can belong to, so that "we" stands for them."""
_WITH_ARTICLE: Final = frozenset("thing vehicle machine product part document project event room flat".split())
_NOUNS: Final[dict[str, tuple[str, ...]]] = {
    "firm": ("company", "firm", "business"), "club": ("club", "association", "group"), "school": ("school",),
    "city": ("town", "city", "place"), "software": ("software", "program", "tool"),
}  # fmt: skip
_LITERALS: Final = frozenset(
    "birthdate day phone email code price bigmoney monthly money salary percent count clock stock dose age weight length "
    "temperature plate distance version roomno address".split()
)
_LEXICON_TYPES: Final = {"company": "firm", "organisation": "club"}


@dataclass(eq=False, slots=True)
class Entity:
    """Somebody or something that a text speaks of.

    Attributes:
        id: of the mentions that stand for it.
        name: the full name, or the noun phrase without an article.
        type: ``person``, ``firm``, ``pet``, ``price`` ...
        pronoun: ``he``, ``she``, ``they`` or ``it``.
        short: other names of it: first name, nickname, name with a title.
        nouns: what it can be called once it was named: "company", "dog".
        article: whether "the" or "a" stands before the name.
        times: for dates, the time that they name.
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
        if family not in relatives:
            short["title"] = f"{title}{'.' if rng.random() < 0.3 else ''} {family}"
        else:
            for one in self._of("person"):
                if one.short.get("family") == family:
                    one.short.pop("title", None)
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
        """Return a quantity, a number or an address as it is written."""
        rng = self.rng
        if type in ("price", "bigmoney", "monthly", "money", "salary"):
            return _money(rng, type)
        if type in ("phone", "email", "code", "plate", "version", "roomno", "address"):
            return self._code(type)
        number = rng.randint
        forms: dict[str, tuple[str, ...]] = {
            "percent": (f"{number(2, 40)}%", f"{number(2, 40)} %", f"{number(2, 40)} per cent", f"{number(2, 9)}.5%"),
            "count": (str(number(4, 900)), f"{number(1000, 9000):,}", rng.choice(("eight", "twelve", "thirty", "forty-five"))),
            "stock": (str(number(2, 99)), f"{number(2, 30)} boxes", f"{number(1, 12)} crates", f"{number(2, 9)} dozen", f"{number(1000, 5000):,}"),
            "clock": (f"{number(7, 20)}:{rng.choice(('00', '15', '30', '45'))}", f"{number(1, 11)} am", f"half past {rng.choice(('six', 'seven', 'nine', 'ten'))}", f"{number(1, 9)}.30 pm", f"{number(8, 20)}h", "noon"),
            "dose": (f"{5 * number(1, 100)} mg", f"{number(1, 4)} tablets", f"{number(1, 9)}.5 ml", f"{number(5, 40)} drops", f"{number(1, 3)} x {25 * number(1, 8)} mg"),
            "age": (f"{number(2, 95)} years", f"{number(2, 20)} months", f"{rng.choice(('three', 'seven', 'twelve'))} years", f"{number(2, 11)} weeks"),
            "weight": (f"{number(1, 99)}.{number(1, 9)} kg", f"{number(2, 300)} kg", f"{number(5, 40)} lb", f"{number(1, 9)}.{number(1, 9)} tonnes", f"{50 * number(1, 18)} g"),
            "length": (f"{number(1, 30)}.{number(1, 9)} m", f"{number(20, 400)} cm", f"{number(2, 60)} metres", f"{number(3, 40)} feet", f"{number(2, 9)}.{number(10, 99)} m"),
            "temperature": (f"{number(15, 90)} °C", f"-{number(2, 30)} °C", f"{number(15, 40)} degrees", f"{number(2, 8)}.5 °C", f"{number(60, 180)} °F"),
            "distance": (f"{number(1, 300)},{number(100, 999)} km", f"{number(2, 99)},{number(100, 999)} miles", f"{number(100, 999)} km"),
        }  # fmt: skip
        return rng.choice(forms[type])

    def _code(self, type: str) -> str:
        rng, lists = self.rng, self._lists
        digits = lambda count: "".join(rng.choices("0123456789", k=count))
        letters = lambda count: "".join(rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=count))
        if type == "phone":
            return rng.choice(
                (f"+{rng.randint(30, 99)} {digits(3)} {digits(2)} {digits(2)}", f"0{digits(4)} {digits(6)}", f"555-{digits(4)}",
                 f"({digits(3)}) 555-{digits(4)}", f"+{rng.randint(30, 99)} (0){digits(2)} {digits(4)} {digits(3)}", f"ext. {digits(3)}")
            )  # fmt: skip
        if type == "email":
            first, last = rng.choice(lists["given"]["she"]).lower(), rng.choice(lists["family"]).lower()
            last = "".join(letter for letter in last if letter.isalpha())
            local = rng.choice((f"{first}.{last}", f"{first[0]}{last}", f"{first}{digits(2)}", "office", "info", f"{last}_{first}"))
            return f"{local}@{rng.choice(lists['domains'])}"
        if type == "address":
            street, number = rng.choice(lists["street"]), rng.randint(1, 180)
            plain = rng.choice((f"{number} {street}", f"{street} {number}", f"{number}{rng.choice('abc')} {street}"))
            return plain if rng.random() < 0.6 else f"{plain}, {digits(4)} {self._place()}"
        forms = {
            "code": (f"{letters(2)}-{digits(5)}", digits(6), f"{digits(3)}/{digits(4)}", f"K{digits(7)}"),
            "plate": (f"{letters(2)} {digits(5)}", f"{letters(1)}-{letters(2)} {digits(4)}", f"{letters(2)}{digits(2)} {letters(3)}"),
            "version": (f"{rng.randint(0, 12)}.{rng.randint(0, 30)}", f"v{rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 20)}",
                        f"{rng.randint(1, 5)}.0 beta", f"version {rng.randint(2, 30)}", f"{rng.randint(2019, 2026)}.{rng.randint(1, 4)}"),
            "roomno": (f"room {rng.randint(1, 420)}", f"{rng.choice('ABCDE')}{rng.randint(10, 399)}", f"office {rng.randint(1, 40)}"),
        }  # fmt: skip
        return rng.choice(forms[type])


def _money(rng: Random, type: str) -> str:
    """Return an amount of money: a price of a few, a fee of some hundreds, a salary, millions."""
    sign = rng.choice("€$£€$£")
    small = f"{rng.randint(1, 90)}.{rng.choice(('50', '99', '00', '20', '75'))}"
    if type == "price":
        whole = str(rng.randint(2, 900))
        return rng.choice(
            (f"{sign}{small}", f"{sign}{whole}", f"{whole} euros", f"{small} EUR", f"CHF {small}", f"{whole} pounds")
        )
    if type == "bigmoney":
        millions = f"{rng.randint(1, 9)}.{rng.randint(1, 9)}"
        thousand = f"{rng.randint(2, 900)},{rng.choice(('000', '500'))}"
        return rng.choice((f"{sign}{millions} million", f"{sign}{thousand}", f"{thousand} euros", f"{sign}{rng.randint(2, 90)}k"))
    if type == "monthly":
        amount = f"{10 * rng.randint(20, 250)}"
        return rng.choice((f"{sign}{amount} a month", f"{amount} euros per month", f"{sign}{amount}/month"))
    if type == "salary":
        year = f"{rng.randint(18, 140)},{rng.choice(('000', '500', '400'))}"
        return rng.choice((f"{sign}{year}", f"{sign}{year} a year", f"{sign}{rng.randint(11, 60)} an hour", f"{year} kroner"))
    return rng.choice((f"{sign}{5 * rng.randint(2, 60)}", f"{5 * rng.randint(2, 60)} euros", f"{sign}{small}"))
