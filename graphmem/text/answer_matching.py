"""Normalised comparison of a generated answer with the gold answers."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable

from graphmem.core.names import normalise

_SEPARATOR = re.compile(r"\n|,|;|\||\.\s|\.$|\sand\s")


def is_right(text: str, answers: Iterable[str]) -> bool:
    """Whether the text, up to its end or to any separator, equals a gold answer."""
    right = {_bare(answer) for answer in answers}
    starts = [text, *(text[: match.start()] for match in _SEPARATOR.finditer(text))]
    return any(_bare(start) in right for start in starts)


def contains(text: str, answers: Iterable[str]) -> bool:
    """Whether a gold answer occurs anywhere in the text, as whole words."""
    words = f" {_words(text)} "
    return any(f" {_words(answer)} " in words for answer in answers if _words(answer))


def token_f1(text: str, answers: Iterable[str]) -> float:
    """F1 of the words of the text against those of the gold answer that it fits best, as SQuAD counts it."""
    have = _squad_words(text)
    return max((_f1(have, _squad_words(answer)) for answer in answers), default=0.0)


def exact_match(text: str, answers: Iterable[str]) -> bool:
    """Whether the words of the text are those of a gold answer, as SQuAD compares them."""
    return any(_squad_words(text) == _squad_words(answer) for answer in answers)


def _f1(have: list[str], want: list[str]) -> float:
    shared = sum((Counter(have) & Counter(want)).values())
    return 2 * shared / (len(have) + len(want)) if shared else float(have == want)


def _squad_words(text: str) -> list[str]:
    """Words without punctuation and articles (1606.05250, 6.1)."""
    marks = (c for c in normalise(text) if c not in string.punctuation and unicodedata.category(c)[0] != "P")
    return [word for word in "".join(marks).split() if word not in ("a", "an", "the")]


def _bare(text: str) -> str:
    return normalise(text).strip(" .\"'")


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", normalise(text)))
