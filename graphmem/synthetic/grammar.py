"""Turns of phrase around a fact: pronouns, articles, dates, rumours, denials and small talk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import Final

from graphmem.synthetic.templates import MONTHS

Spans = list[tuple[int, int, str]]

_SLOT = re.compile(r"\{(\w+)\}")

_PAST = re.compile(r"^\S* ?(was|were|became|won|got|left|went|took|moved|joined|\w+ed|wrote|began|married|had)\b")

_PRESENT = re.compile(r"^ (is|lives|works|has|plays|owns|belongs|leads|runs|speaks)\b")

PRONOUNS: Final = {"He": "His", "She": "Her", "They": "Their", "It": "Its"}

PRONOUN_FORMS: Final = frozenset(w for pair in PRONOUNS.items() for word in pair for w in (word, word.lower()))

_PLURAL: Final = {"was": "were", "is": "are", "has": "have", "does": "do", "goes": "go"}

_ADVERBS: Final = frozenset("now also still currently once first later never always often usually".split())

RUMOURS: Final = (
    "Rumour has it that {}.", "I heard somewhere that {}, but I am not sure.", "Some people claim that {}.",
    "Apparently {}, though nobody has confirmed it.", "A friend of a friend says that {}.", "Maybe {}?",
    "An anonymous post alleges that {}.", "It is sometimes said that {}.",
)  # fmt: skip

DENIALS: Final = (
    "It is not true that {}.", "Contrary to what you may have read, it is false that {}.",
    "No, it is not the case that {}.",
    "The record shows it is untrue that {}.", "It was never the case that {}.", "Nobody should believe that {}.",
)  # fmt: skip

CHECKS: Final = ("Is it true that {}?", "Can you confirm that {}?", "Do you know whether {}?", "Is it right that {}?")

CORRECTIONS: Final = (
    "Correction: {}",
    "I was wrong before: {}",
    "Please note the change: {}",
    "Update: {}",
    "Actually, {}",
)

CHATTER: Final = (
    "Thanks, that was very helpful!", "What a lovely day it is.", "Can you make that shorter, please?", "Hello there!",
    "I have no idea what to cook tonight.", "Let us talk about {s} later.", "Hmm, give me a second.", "Tell me a joke.",
    "I was just thinking about {s}.", "Sorry, I got distracted.", "Is {s} interesting, do you think?", "OK, go on.",
    "If {s} were here, things would be different.", "Imagine a story in which {s} can fly.", "I really like {s}.",
    "The weather has been awful all week.", "Could you say that again?", "Someone mentioned {s} yesterday.",
    "I wonder what {s} would make of {o}.", "{s} and {o} both came up in the quiz.", "Good morning! How are you?",
)  # fmt: skip

CONJUNCTIONS: Final = ("and", "and also", "and")


def capitalise(text: str) -> str:
    """Return the text with its first letter large, the rest untouched."""
    return text[:1].upper() + text[1:]


def fill(template: str, values: Mapping[str, str]) -> tuple[str, Spans]:
    """Put values into a template's slots, minding "a" and "an"; returns the text and (start, end, slot) of each."""
    text, spans, last = "", [], 0
    for slot in _SLOT.finditer(template):
        text += template[last : slot.start()]
        value, last = values[slot[1]], slot.end()
        text = re.sub(r"\b([Aa])n? $", rf"\1{'n' if value[:1].lower() in 'aeiouáéèöåø' and value[:1] else ''} ", text)
        spans.append((len(text), len(text) + len(value), slot[1]))
        text += value
    return text + template[last:], spans


def short_name(name: str) -> str:
    """Return the last word of a person's name."""
    return name.split()[-1]


def pronoun(name: str, kind: str) -> str:
    """Return the pronoun of a name, the same each time: It for things, else He, She or They."""
    if kind not in ("person", "character"):
        return "It"
    return ("He", "She", "He", "She", "They")[blake2b(name.encode(), digest_size=1).digest()[0] % 5]


def clause(sentence: str) -> str:
    """Return a sentence as it stands after "that": its full stop gone, its first word small unless it is a name."""
    body = sentence.rstrip(". ")
    return body if body.startswith("{") else body[:1].lower() + body[1:]


def agree(rest: str) -> str | None:
    """Return what follows "They": the first verb in the plural, or None where it is hard to find."""
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


def moment(rng: Random, rest: str) -> tuple[str, str | None]:
    """Return a leading phrase of time that suits the verb, and its ISO form; no phrase where none does."""
    year, month, day = rng.randint(1750, 2025), rng.randint(1, 12), rng.randint(1, 28)
    if _PRESENT.match(rest):
        return rng.choice((f"As of {year}, ", f"From {year} on, ")), str(year)
    if not _PAST.match(rest):
        return "", None
    name, chance = MONTHS[month - 1], rng.random()
    if chance < 0.6:
        return f"In {year}, ", str(year)
    if chance < 0.8:
        return f"In {name} {year}, ", f"{year}-{month:02d}"
    return rng.choice((f"On {day} {name} {year}, ", f"On {name} {day}, {year}, ")), f"{year}-{month:02d}-{day:02d}"
