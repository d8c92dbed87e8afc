"""Invented names of rare shapes, by seed: other scripts, rare words, numbers, dates, codes.

A language model continues a name the more surely by itself, the better it knows the script or the stem. These names
train the memory layers to continue any name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from graphmem.synthetic.templates import load

Maker = Callable[[Random, Sequence[str]], str]


def rare_name(rng: Random, names: Sequence[str]) -> str:
    """Return a name of ``names``, or, in three cases of four, one of a rare shape."""
    return rng.choice(_MAKERS)(rng, names)


def word(rng: Random, alphabet: Sequence[Sequence[str]] | None = None) -> str:
    """Return an invented word with a capital; ``alphabet``: consonants, vowels and endings, a random one if None."""
    consonants, vowels, endings = alphabet or rng.choice(load("names")["alphabets"])
    syllables = (rng.choice(consonants) + rng.choice(vowels) + _some(rng, consonants) for _ in range(rng.randint(1, 4)))
    return ("".join(syllables) + rng.choice(endings)).capitalize()


def _some(rng: Random, letters: Sequence[str]) -> str:
    return rng.choice(letters) if rng.random() < 0.4 else ""


def _plain(rng: Random, names: Sequence[str]) -> str:
    return rng.choice(names)


def _words(rng: Random, names: Sequence[str]) -> str:
    alphabet = rng.choice(load("names")["alphabets"])
    return rng.choice((" ", " ", "-", ", ")).join(word(rng, alphabet) for _ in range(rng.randint(1, 3)))


def _run(rng: Random, names: Sequence[str]) -> str:
    letters = rng.choice(load("names")["caseless_letters"])
    if rng.random() < 0.15:
        letters = "".join(chr(0xAC00 + rng.randrange(11_172)) for _ in range(8))  # Hangul
    return " ".join("".join(rng.choices(letters, k=rng.randint(2, 6))) for _ in range(rng.choice((1, 1, 2))))


def _long(rng: Random, names: Sequence[str]) -> str:
    return " ".join(rng.choice(names) for _ in range(rng.randint(2, 3)))[:120]


def _number(rng: Random, names: Sequence[str]) -> str:
    whole = rng.choice((rng.randint(0, 99), rng.randint(1000, 2030), rng.randint(10**4, 10**9)))
    return rng.choice((f"{whole}", f"{whole:,}", f"-{whole}", f"${whole:,}"))


def _measure(rng: Random, names: Sequence[str]) -> str:
    unit = rng.choice(load("names")["units"])
    return f"{rng.randint(0, 999)}.{rng.randint(0, 99)}{unit}"


def _date(rng: Random, names: Sequence[str]) -> str:
    year, month, day = rng.randint(1000, 2030), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice((f"{year}-{month:02d}-{day:02d}", f"{day:02d}/{month:02d}/{year}", f"{day} {word(rng)} {year}"))


def _code(rng: Random, names: Sequence[str]) -> str:
    letters = "".join(rng.choices("ABCDEFGHIKLMNOPRSTUVXZabcdefghiklmnoprstuvxz", k=rng.randint(2, 6)))
    host = f"{word(rng).lower()}.{rng.choice(('org', 'net', 'info'))}"
    return rng.choice(
        (f"{letters}-{rng.randint(1, 999)}", f"https://{host}/{letters}", f"{letters}@{host}", f"{letters}_{word(rng)}")
    )


def _titled(rng: Random, names: Sequence[str]) -> str:
    name = rng.choice(names)
    letter = lambda: rng.choice("ABCDEFGHJKLM")
    return rng.choice(
        (f"{letter()}. {letter()}. {name}, Jr.", f"{name} ({letter()}{letter()}-{rng.randint(1, 99)})",
         f"{name}'s {word(rng)}", f"{name} & {word(rng)}, Ltd.", f"{word(rng)} {name.split()[-1]}")
    )  # fmt: skip


_MAKERS: tuple[Maker, ...] = (
    (_plain,) * 4 + (_words,) * 3 + (_run, _run, _long, _number, _measure, _date, _code, _titled)
)
