"""Names that nobody has yet: people, places, works, companies, numbers and dates, by seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.synthetic.templates import ADJECTIVES, CLOSED, CULTURES, MONTHS, NOUNS, TRADES, VERBS

_TRIES = 40
_SORT: Final = re.compile(r"\b(?:FC|AC|GNU|GT)\b|(?<![A-Za-z])([PFNATYGV#])((?<=[NF])s\b)?(?![a-z])")
_SUFFIXES: Final = {  # type -> patterns; P place, F family name, N noun, A adjective, T trade, Y year, # number
    "school": "University of P|P University|P Institute of Design|F College|P Academy|St F's School|Royal P School",
    "team": "P United|P Rovers|P City|FC P|Sporting P|the P Ns|AC P|P A Ns",
    "band": "The Ns|The A Ns|A N|F & the Ns|N N|P N Orchestra|F",
    "award": "F Prize|F Medal|P Award|A N Award|Order of the A N|National N Prize|P Prize for A N",
    "event": "Battle of P|P Festival|Y P earthquake|Treaty of P|P Exhibition|Siege of P|A N Games|P Congress of Y",
    "building": "P Cathedral|P Castle|F House|A N Tower|P Town Hall|F Library|P Opera House|Palace of P|F Museum",
    "river": "River P|P River|P Water|Rio P|the P",
    "mountain": "Mount P|P Peak|Mont P|Ben P|P Fell|A N Peak",
    "region": "P Valley|North P|Upper P|P County|P Province|West P|the P Islands|P-shire",
    "organisation": "P Society|F Foundation|National N Council|P N Association|League of P|Institute for A Ns|N Trust",
    "station": "P Central|P North|F Street|P Junction|Radio P|P Road|Channel #",
    "newspaper": "P Times|The P Herald|Daily N|P Gazette|The P Observer|Le P|Evening N",
    "law": "N Act Y|P Convention|A N Bill|Treaty on Ns|N Protection Act|Code of P",
    "ship": "HMS N|SS P|MV F|A N|USS F|N of P|RV P",
    "software": "Pix|F.js|OpenN|NHub|NKit|PLib|AN|GNU P|N #",
    "device": "P #|N Phone #|N Watch|NPad|F Reader #|A N Speaker",
    "product": "A N|N-#|F's A N|P Classic|NMax|P Soap|F Cola|N Deluxe",
    "vehicle": "F #|P Roadster|N GT|F N|P Estate|N #",
    "game": "Ns of P|N Quest|N #|A Ns|P: The A N|N & N|Super N",
    "character": "Captain F|F the A|Princess G|G F|Lord F|Inspector F|Old G|Doctor F",
    "company": "F & F|P T|F T|F Brothers|N T|NCorp|P-F Group|F and Sons|F Ltd|P Holdings",
}
_TITLES: Final = (
    "N|The N|A N|The A N|N of P|The N of N|The Last N of N|Ns and Ns|The A N and the N|V the N|V P|N in the A N|"
    "G's N|When the N Came to P|A N for G F|The N Who Loved Ns|No N in P|How G Lost the A N|Y|P|# Ns|The N at F Street|"
    "V|My A N|Letters to G|Once More, N|The Strange N of G F|Beyond the A N|N: A N|Who Was G F?"
).split("|")


class NameGenerator:
    """Makes names of any type, never the same twice (as ``normalise`` compares them).

    Args:
        rng: where chance comes from; equal seeds give equal names.
        taken: names that must not be made.
    """

    def __init__(self, rng: Random, taken: Sequence[str] = ()) -> None:
        self._rng = rng
        self._taken = {normalise(name) for name in taken}
        self._makers: dict[str, Callable[[], str]] = {
            "person": self._person, "city": self._place, "country": self._country, "planet": self._country,
            "year": self._year, "date": self._date, "number": self._number,
        }  # fmt: skip

    def names(self, kind: str, count: int, given: Sequence[str] | None = None) -> list[str]:
        """Return up to ``count`` new names of ``kind``, drawn from ``given`` where the caller has names of his own.

        Raises:
            InvalidValue: the type is unknown and no names of it are given.
        """
        pool = CLOSED.get(kind) if given is None else given
        if pool is not None and not (kind in self._makers and given is None and count > len(pool)):
            return self._drawn(pool, count)
        if kind not in KINDS:
            raise InvalidValue(f"unknown type {kind!r}; pass names={{{kind!r}: [...]}} or use one of {sorted(KINDS)}")
        return [name for name in (self._fresh(kind) for _ in range(count)) if name]

    def _drawn(self, pool: Sequence[str], count: int) -> list[str]:
        found: list[str] = []
        for name in (
            self._rng.sample(pool, len(pool)) if len(pool) < 4 * count else self._rng.choices(pool, k=4 * count)
        ):
            if len(found) < count and self._claim(name):
                found.append(name)
        return found

    def _fresh(self, kind: str) -> str:
        for _ in range(_TRIES):
            name = self._makers[kind]() if kind in self._makers else self._patterned(kind)
            if self._claim(name):
                return name
        return ""

    def _claim(self, name: str) -> bool:
        key = normalise(name)
        if not key or key in self._taken:
            return False
        self._taken.add(key)
        return True

    # ---------------------------------------------------------------- sounds and patterns

    def _word(self, sounds: Sequence[Sequence[str]], syllables: int) -> str:
        rng, (onsets, vowels, codas) = self._rng, sounds[:3]
        parts = []
        for place in range(syllables):
            onset = "" if place == 0 and rng.random() < 0.15 else rng.choice(onsets)
            coda = rng.choice(codas) if codas and rng.random() < (0.6 if place == syllables - 1 else 0.25) else ""
            parts.append(onset + rng.choice(vowels) + coda)
        return "".join(parts)

    def _given_name(self, sounds: Sequence[Sequence[str]]) -> str:
        name = self._word(sounds, self._rng.choice((1, 2, 2, 3))).capitalize()
        if self._rng.random() < 0.06:
            name += "-" + self._word(sounds, 2).capitalize()
        return name if len(name) > 1 else name + "n"

    def _family_name(self, sounds: Sequence[Sequence[str]] | None = None) -> str:
        rng = self._rng
        sounds = sounds or rng.choice(CULTURES)
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
        rng, sounds = self._rng, self._rng.choice(CULTURES)
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
        rng, sounds = self._rng, self._rng.choice(CULTURES)
        name = self._word(sounds, rng.choice((2, 2, 3))).capitalize()
        chance = rng.random()
        if chance < 0.35:
            name += rng.choice("ville burg ton ford stad abad grad mouth haven pur minster wick bury field".split())
        elif chance < 0.5:
            name = f"{rng.choice('San Port New Saint East Bad Fort Nova Upper Le Al Santa'.split())} {name}"
        elif chance < 0.58:
            name += rng.choice((" Springs", " Bay", "-on-Sea", " Falls", " Heights", "-sur-Mer", " Cross"))
        return name

    def _country(self) -> str:
        stem = self._word(self._rng.choice(CULTURES), 2).capitalize()
        ending = self._rng.choice(("ia", "land", "stan", "", "ora", "eth"))
        return f"{self._rng.choice(('Republic of ', 'Kingdom of ', 'United ', '', '', '', ''))}{stem}{ending}"

    def _patterned(self, kind: str) -> str:
        patterns = _SUFFIXES[kind].split("|") if kind in _SUFFIXES else _TITLES
        return self._fill(self._rng.choice(patterns))

    def _fill(self, pattern: str) -> str:
        """Replace each lone capital of a pattern by a word of its sort; ``Ns`` is a plural, ``NHub`` joins."""
        return _SORT.sub(lambda found: self._sort(*found.groups()) if found[1] else found[0], pattern)

    def _sort(self, letter: str, plural: str) -> str:
        rng = self._rng
        if letter == "P":
            return self._place()
        if letter == "F":
            return self._family_name()
        if letter == "G":
            return self._given_name(rng.choice(CULTURES))
        if letter == "Y":
            return str(rng.randint(1500, 2024))
        if letter == "#":
            return str(rng.choice((rng.randint(1, 12), 10 * rng.randint(1, 90), rng.randint(100, 999))))
        word = rng.choice({"N": NOUNS, "A": ADJECTIVES, "T": TRADES, "V": VERBS}[letter]).replace("_", " ")
        return _plural(word) if plural else word

    # ---------------------------------------------------------------- numbers

    def _year(self) -> str:
        return str(self._rng.randint(1720, 2025))

    def _date(self) -> str:
        rng = self._rng
        day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1720, 2025)
        name = MONTHS[month - 1]
        return rng.choice(
            (
                f"{day} {name} {year}",
                f"{name} {day}, {year}",
                f"{year}-{month:02d}-{day:02d}",
                f"{day} {name[:3]} {year}",
            )
        )

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


_TITLED = ("film", "book", "song", "album")
KINDS: Final = (
    frozenset(CLOSED) | frozenset(_SUFFIXES) | frozenset(_TITLED) | {"person", "city", "year", "date", "number"}
)
"""Every type that can be invented."""
