"""Invented names of rare shapes, by seed: other scripts, rare words, numbers, dates, codes.

A language model continues a name the more surely by itself, the better it knows the script or the stem. These names
train the memory layers to continue any name.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from graphmem.synthetic.templates import load

_SHAPES = ("plain",) * 4 + ("words",) * 3 + tuple("run run long number measure date code titled".split())


def rare_name(rng: Random, names: Sequence[str]) -> str:
    """Return a name of ``names``, or, in three cases of four, one of a rare shape."""
    shape, lists = rng.choice(_SHAPES), load("names")
    if shape == "words":
        alphabet = rng.choice(lists["alphabets"])
        return rng.choice((" ", " ", "-", ", ")).join(word(rng, alphabet) for _ in range(rng.randint(1, 3)))
    if shape == "run":
        letters = rng.choice(lists["caseless_letters"])
        if rng.random() < 0.15:
            letters = "".join(chr(0xAC00 + rng.randrange(11_172)) for _ in range(8))  # Hangul
        return " ".join("".join(rng.choices(letters, k=rng.randint(2, 6))) for _ in range(rng.choice((1, 1, 2))))
    if shape == "long":
        return " ".join(rng.choice(names) for _ in range(rng.randint(2, 3)))[:120]
    if shape == "measure":
        unit = rng.choice(lists["units"])
        return f"{rng.randint(0, 999)}.{rng.randint(0, 99)}{unit}"
    if shape == "titled":
        return _titled(rng, rng.choice(names))
    return rng.choice(names) if shape == "plain" else _formatted(rng, shape)


def word(rng: Random, alphabet: Sequence[Sequence[str]] | None = None) -> str:
    """Return an invented word with a capital; ``alphabet``: consonants, vowels and endings, a random one if None."""
    consonants, vowels, endings = alphabet or rng.choice(load("names")["alphabets"])
    coda = lambda: rng.choice(consonants) if rng.random() < 0.4 else ""
    syllables = (rng.choice(consonants) + rng.choice(vowels) + coda() for _ in range(rng.randint(1, 4)))
    return ("".join(syllables) + rng.choice(endings)).capitalize()


def _formatted(rng: Random, shape: str) -> str:
    """Return a ``number``, a ``date`` or a ``code``."""
    if shape == "number":
        whole = rng.choice((rng.randint(0, 99), rng.randint(1000, 2030), rng.randint(10**4, 10**9)))
        return rng.choice((f"{whole}", f"{whole:,}", f"-{whole}", f"${whole:,}"))
    if shape == "date":
        year, month, day = rng.randint(1000, 2030), rng.randint(1, 12), rng.randint(1, 28)
        forms = (f"{year}-{month:02d}-{day:02d}", f"{day:02d}/{month:02d}/{year}", f"{day} {word(rng)} {year}")
        return rng.choice(forms)
    letters = "".join(rng.choices("ABCDEFGHIKLMNOPRSTUVXZabcdefghiklmnoprstuvxz", k=rng.randint(2, 6)))
    host = f"{word(rng).lower()}.{rng.choice(('org', 'net', 'info'))}"
    return rng.choice(
        (f"{letters}-{rng.randint(1, 999)}", f"https://{host}/{letters}", f"{letters}@{host}", f"{letters}_{word(rng)}")
    )


def _titled(rng: Random, name: str) -> str:
    letter = lambda: rng.choice("ABCDEFGHJKLM")
    return rng.choice(
        (f"{letter()}. {letter()}. {name}, Jr.", f"{name} ({letter()}{letter()}-{rng.randint(1, 99)})",
         f"{name}'s {word(rng)}", f"{name} & {word(rng)}, Ltd.", f"{word(rng)} {name.split()[-1]}")
    )  # fmt: skip
