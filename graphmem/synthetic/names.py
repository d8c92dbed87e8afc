"""Invented names of people, places, works and companies, numbers and dates, by seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice
from random import Random
from typing import Final

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.synthetic.templates import load

_TRIES = 40
_CODE: Final = re.compile(r"\b(?:FC|AC|GNU|GT)\b|(?<![A-Za-z])([PFNATYGV#])((?<=[NF])s\b)?(?![a-z])")
"""Codes of a pattern: P place, F family name, G given name, N noun (Ns plural), A adjective, T trade, V verb, Y year,
# number."""
_LISTS: Final = load("names")
CLOSED: Final[dict[str, list[str]]] = _LISTS["closed"]
"""Types of few members, by name: the real words."""
KINDS: Final = frozenset(CLOSED) | frozenset(_LISTS["patterns"]) | {
    "film", "book", "song", "album", "person", "city", "year", "date", "number",
}  # fmt: skip
"""Every type that can be invented."""
_Sounds = Sequence[Sequence[str]]
"""Onsets, vowels, codas, endings of family names, and particles before them, of one language."""
_CULTURES: Final[list[_Sounds]] = list(_LISTS["cultures"].values())


class NameGenerator:
    """Generator of names of any type, never the same twice (as ``normalise`` compares them)."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._taken: set[str] = set()
        self._makers: dict[str, Callable[[], str]] = {
            "person": self._person, "city": self._place, "country": self._country, "planet": self._country,
            "year": lambda: str(rng.randint(1720, 2025)), "date": self._date, "number": self._number,
        }  # fmt: skip

    def names(self, kind: str, count: int) -> list[str]:
        """Return up to ``count`` new names of ``kind``; raises ``InvalidValue`` for an unknown type."""
        if kind not in KINDS:
            raise InvalidValue(f"unknown type {kind!r}; use one of {sorted(KINDS)}")
        pool = CLOSED.get(kind)
        if pool is None or kind in self._makers and count > len(pool):
            return [name for name in (self._fresh(kind) for _ in range(count)) if name]
        few = len(pool) < 4 * count
        drawn = self._rng.sample(pool, len(pool)) if few else self._rng.choices(pool, k=4 * count)
        return list(islice(filter(self._claim, drawn), count))

    def _fresh(self, kind: str) -> str:
        make = self._makers.get(kind, lambda: self._patterned(kind))
        return next(filter(self._claim, (make() for _ in range(_TRIES))), "")

    def _claim(self, name: str) -> bool:
        key = normalise(name)
        if not key or key in self._taken:
            return False
        self._taken.add(key)
        return True

    def _word(self, sounds: _Sounds, syllables: int) -> str:
        rng, (onsets, vowels, codas) = self._rng, sounds[:3]
        parts = []
        for place in range(syllables):
            onset = "" if place == 0 and rng.random() < 0.15 else rng.choice(onsets)
            coda = rng.choice(codas) if codas and rng.random() < (0.6 if place == syllables - 1 else 0.25) else ""
            parts.append(onset + rng.choice(vowels) + coda)
        return "".join(parts)

    def _given_name(self, sounds: _Sounds) -> str:
        name = self._word(sounds, self._rng.choice((1, 2, 2, 3))).capitalize()
        if self._rng.random() < 0.06:
            name += "-" + self._word(sounds, 2).capitalize()
        return name if len(name) > 1 else name + "n"

    def _family_name(self, sounds: _Sounds | None = None) -> str:
        rng = self._rng
        sounds = sounds or rng.choice(_CULTURES)
        endings, particles = sounds[3:]
        name = self._word(sounds, rng.choice((1, 1, 2))).capitalize()
        if endings and rng.random() < 0.6:
            name += rng.choice(endings)
        if particles and rng.random() < 0.25:
            particle = rng.choice(particles)
            name = particle + (" " if particle[-1].islower() and particle not in ("Mc", "Mac") else "") + name
        elif rng.random() < 0.04:
            name += "-" + self._word(sounds, 2).capitalize()
        return name if len(name) > 2 else name + "an"

    def _person(self) -> str:
        rng, sounds = self._rng, self._rng.choice(_CULTURES)
        first, chance = self._given_name(sounds), rng.random()
        if chance < 0.05:
            return first + self._word(sounds, 1)
        if chance < 0.2:
            first += f" {self._given_name(sounds)}"
        elif chance < 0.3:
            first += f" {self._given_name(sounds)[0]}."
        elif chance < 0.35:
            first = f"{first[0]}. {self._given_name(sounds)[0]}."
        return f"{first} {self._family_name(sounds)}"

    def _place(self) -> str:
        rng, sounds = self._rng, self._rng.choice(_CULTURES)
        name = self._word(sounds, rng.choice((2, 2, 3))).capitalize()
        chance = rng.random()
        if chance < 0.35:
            name += rng.choice(_LISTS["place_endings"])
        elif chance < 0.5:
            name = f"{rng.choice(_LISTS['place_prefixes'])} {name}"
        elif chance < 0.58:
            name += rng.choice(_LISTS["place_suffixes"])
        return name

    def _country(self) -> str:
        stem = self._word(self._rng.choice(_CULTURES), 2).capitalize()
        ending = self._rng.choice(_LISTS["country_endings"])
        return f"{self._rng.choice(_LISTS['country_prefixes'])}{stem}{ending}"

    def _patterned(self, kind: str) -> str:
        """Fill a pattern: each lone capital becomes a word of its code; ``NHub`` joins a noun to "Hub"."""
        pattern = self._rng.choice(_LISTS["patterns"].get(kind, _LISTS["titles"]))
        return _CODE.sub(lambda found: self._coded(*found.groups()) if found[1] else found[0], pattern)

    def _coded(self, letter: str, plural: str) -> str:
        rng = self._rng
        makers: dict[str, Callable[[], object]] = {
            "P": self._place, "F": self._family_name, "G": lambda: self._given_name(rng.choice(_CULTURES)),
            "Y": lambda: rng.randint(1500, 2024),
            "#": lambda: rng.choice((rng.randint(1, 12), 10 * rng.randint(1, 90), rng.randint(100, 999))),
        }  # fmt: skip
        if letter in makers:
            return str(makers[letter]())
        word = rng.choice(_LISTS["words"][letter])
        return _plural(word) if plural else word

    def _date(self) -> str:
        rng = self._rng
        day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1720, 2025)
        name = _LISTS["months"][month - 1]
        forms = (f"{day} {name} {year}", f"{name} {day}, {year}", f"{year}-{month:02d}-{day:02d}")
        return rng.choice((*forms, f"{day} {name[:3]} {year}"))

    def _number(self) -> str:
        rng = self._rng
        size = 10 ** rng.randint(1, 6)
        value = rng.randint(size // 10 + 1, size)
        return rng.choice((str(value), f"{value:,}", f"{value / 10:.1f}" if value < 1000 else f"{value:,}"))


def _plural(noun: str) -> str:
    for ending, plural in (("olf", "olves"), ("y", "ies"), ("sh", "shes"), ("ss", "sses"), ("x", "xes")):
        if noun.endswith(ending) and noun != "Journey":
            return noun[: -len(ending)] + plural
    return noun + "s"
