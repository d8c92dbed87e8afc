"""Constants of a question that values are compared with: "before 2015", "more than 15 kg", "2019 or newer".

The values are found by ``values.typed``. The sign of the comparison is that of the nearest phrase of a data file, by
the cosine of the text encoder between the phrase and the words around the constant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from graphmem.core.names import fold
from graphmem.core.paths import DATA
from graphmem.reasoning.values import Value, typed
from graphmem.text.name_matching import trimmed_words
from graphmem.text.word_classes import STOP_WORDS

MAX_WORDS = 3
"""Words of the longest constant."""

AROUND = 3
"""Words before and after a constant that are compared with the phrases."""

MAX_CARDINAL = 20
"""Largest number of things that a question speaks of."""

EQUAL = 0.05
"""Cosine by which another sign's phrase may be further away than one of ``=``, which many words are near to."""

PLACEHOLDER = {"date": "2000", "number": "20 kg"}
"""What stands for a constant in the phrases and in the words around it."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value in a question, at characters ``start`` to ``end``, with the sign of its comparison (``< <= = >= >``)."""

    value: Value
    sign: str
    start: int
    end: int


def constants_of(question: str, taken: Sequence[tuple[int, int]], vectors: Any) -> list[Constant]:
    """Constants outside the spans that are taken, in the order of the question.

    ``vectors`` gives unit vectors of texts, float32 [n, K].
    """
    return [
        Constant(value, sign_of(question, start, end, value, vectors), start, end)
        for start, end, value in _values(question, taken)
    ]


def _values(question: str, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, Value]]:
    """Values that begin with a digit or the sign of a currency, the longest first."""
    spans, at = trimmed_words(question), 0
    while at < len(spans):
        start, step = spans[at][0], 1
        for count in range(min(MAX_WORDS, len(spans) - at), 0, -1):
            end = spans[at + count - 1][1]
            text = question[start:end]
            first_word = fold(question[slice(*spans[at])])
            free = first_word not in STOP_WORDS and not any(a < end and start < b for a, b in taken)
            value = typed(text) if free and any(map(str.isdigit, text)) and is_constant(text) else None
            if value is not None:
                yield start, end, value
                step = count
                break
        at += step


def is_constant(text: str) -> bool:
    """Whether a text is a date, a bare number, or a number with a unit that is known: "2 dogs" is none."""
    value = typed(text)
    if value is None:
        return False
    return value.kind == "date" or " " not in text or value.unit != " ".join(text.split()[1:]).casefold()


def sign_of(question: str, start: int, end: int, value: Value, vectors: Any) -> str:
    """The sign of the phrase that is nearest to the words around a constant."""
    phrases = _phrases(value.kind)
    place = PLACEHOLDER[value.kind]
    words = trimmed_words(question)
    before = [question[a:b] for a, b in words if b <= start][-AROUND:]
    after = [question[a:b] for a, b in words if a >= end][:AROUND]
    windows = [" ".join([*before[-count:], place]) for count in range(1, len(before) + 1)]
    windows += [" ".join([place, *after[:count]]) for count in range(2, len(after) + 1)]
    if not windows:
        return "="
    asked = vectors([window.casefold() for window in windows])
    known = vectors([text for text, _ in phrases])
    similar = (asked @ known.T).max(axis=0) - EQUAL * np.asarray([sign == "=" for _, sign in phrases])
    return phrases[int(np.argmax(similar))][1]


@cache
def _phrases(kind: str) -> list[tuple[str, str]]:
    """Phrases with their signs, for dates or for numbers."""
    signs = json.loads((DATA / "comparisons.json").read_text(encoding="utf-8"))
    return [
        (phrase.replace("{x}", PLACEHOLDER[kind]), sign)
        for sign, kinds in signs.items() for phrase in [*kinds["both"], *kinds[kind]]
    ]  # fmt: skip


def cardinals_of(question: str) -> frozenset[int]:
    """Small whole numbers of a question, above one, in words or digits: how many things it speaks of."""
    found = [typed(question[start:end]) for start, end in trimmed_words(question)]
    return frozenset(
        int(value.low) for value in found
        if value is not None and value.kind == "number" and not value.unit and value.low in range(2, MAX_CARDINAL + 1)
    )  # fmt: skip
