"""Templates of synthetic texts, from ``graphmem/data/templates``, and the English around their slots.

Articles, pronouns, agreement of verbs, phrases of time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from random import Random
from typing import Any, Final

from graphmem.core.paths import DATA
from graphmem.datasets.files import read_json

PERSONS: Final = frozenset({"person", "character"})
"""Types that are referred to by he, she or they."""
POSSESSIVES: Final = {"he": "his", "she": "her", "they": "their", "it": "its"}
_SLOT = re.compile(r"(\{[^{}]+\})")
_PAST = re.compile(r"^\S* ?(was|were|became|won|got|left|went|took|moved|joined|\w+ed|wrote|began|married|had)\b")
_PRESENT = re.compile(r"^ (is|lives|works|has|plays|owns|belongs|leads|runs|speaks)\b")
_PLURAL: Final = {"was": "were", "is": "are", "has": "have", "does": "do", "goes": "go"}
_ADVERBS: Final = frozenset("now also still currently once first later never always often usually".split())


@cache
def load(name: str) -> dict[str, Any]:
    """Return one file of templates: ``frames``, ``profiles``, ``small_talk``, ``names`` or ``questions``."""
    found: dict[str, Any] = read_json(DATA / "templates" / f"{name}.json")
    return found


def split_slots(template: str) -> list[str]:
    """Return a template as its words and its slots (``{s}``), in order."""
    return [piece for piece in _SLOT.split(template) if piece]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a template with values in its slots, "a" and "an" adapted to what follows."""
    text = ""
    for piece in split_slots(template):
        if piece[0] == "{":
            piece = values[piece[1:-1]]
            text = fit_article(text, piece)
        text += piece
    return text


def fit_article(text: str, following: str) -> str:
    """Return a text whose "a" or "an" at the end suits the word that follows."""
    article = "an" if following[:1] and following[:1].lower() in "aeiouáéèöåø" else "a"
    return re.sub(r"\b([Aa])n? $", rf"\1{article[1:]} ", text)


def capitalise(text: str) -> str:
    """Return the text with its first letter large, the rest untouched."""
    return text[:1].upper() + text[1:]


def begins_sentence(text: str) -> bool:
    """Whether the word after ``text`` is the first of a sentence."""
    stripped = text.rstrip()
    return not stripped or stripped[-1] in ".!?:" or text.endswith("\n")


def framed(frame: str, sentence: str) -> str:
    """Return a frame such as "It is false that {x}." around a sentence, its first word small unless it is a name."""
    body = sentence.rstrip(". ")
    return frame.replace("{x}", body if body.startswith("{") else body[:1].lower() + body[1:])


def pronoun(name: str, type: str) -> str:
    """Return the pronoun of a name, the same each time: it for things, else he, she or they."""
    if type not in PERSONS:
        return "it"
    return ("he", "she", "he", "she", "they")[blake2b(name.encode(), digest_size=1).digest()[0] % 5]


def agree(rest: str) -> str | None:
    """Return what follows "they": the first verb in the plural, or None where it is hard to find."""
    word, _, tail = rest[1:].partition(" ")
    if word in _ADVERBS or word.endswith(("ly", ",")) or not word.isalpha():
        return None
    if word in _PLURAL:
        word = _PLURAL[word]
    elif word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "sses", "xes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return f" {word} {tail}"


def leading_time(rng: Random, rest: str) -> str:
    """Return a phrase of time that suits the verb of what follows a subject; empty where none does."""
    year, month, day = rng.randint(1750, 2025), rng.choice(load("names")["months"]), rng.randint(1, 28)
    if _PRESENT.match(rest):
        return rng.choice((f"As of {year}, ", f"From {year} on, "))
    if not _PAST.match(rest):
        return ""
    forms = (f"In {year}, ", f"In {month} {year}, ", f"On {day} {month} {year}, ", f"On {month} {day}, {year}, ")
    return rng.choices(forms, (6, 2, 1, 1))[0]
