"""Normalised comparison of a generated answer with the gold answers."""

from __future__ import annotations

import re
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


def _bare(text: str) -> str:
    return normalise(text).strip(" .\"'")


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", normalise(text)))
