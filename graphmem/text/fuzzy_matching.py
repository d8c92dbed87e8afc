"""Fuzzy name matching: misspelt names and names with a word missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rapidfuzz import fuzz, process

from graphmem.core.names import fold
from graphmem.text.name_matching import MAX_CHARACTERS, MAX_WORDS, NameMatch, best_matches, trimmed_words
from graphmem.text.word_classes import STOP_WORDS, ordinary_words

MIN_SIMILARITY = 0.82
"""Similarity of the letters of a span and of a name from which they match."""

MIN_LETTERS = 4
"""Minimum length of a name; shorter ones match by chance."""

MAX_NAMES = 8
"""Names that are compared with all spans of the text."""

_POSSESSIVE = re.compile(r"['’`]s?$")
_DIGITS = re.compile(r"\d+")


def match_fuzzy(text: str, names: Mapping[int, str]) -> list[NameMatch]:
    """Spans of a text that are similar to one of the names (by node id), highest score first, none overlapping.

    The score is the similarity times the length of the name, and half as much again for capitalised words. Names with
    other numbers are other names. Stop words match no name, alone or with one ordinary word in lower case, such as
    ``the film``.
    """
    text = text[:MAX_CHARACTERS]
    words = trimmed_words(text)[:MAX_WORDS]
    long = {node: fold(name) for node, name in names.items() if len(name) >= MIN_LETTERS}
    folded = {node: name for node, name in long.items() if name not in STOP_WORDS}
    near = process.extract(fold(text), folded, scorer=fuzz.partial_ratio, limit=MAX_NAMES)
    found = (_best_span(text, words, node, name) for name, _, node in near)
    return best_matches(match for match in found if match)


def name_similarity(first: str, second: str) -> float:
    """Similarity of the letters of two names in folded form, without a possessive, 0..1."""
    one, other = (fold(_POSSESSIVE.sub("", name)) for name in (first, second))
    return fuzz.ratio(one, other) / 100


def _may_be_name(words: Sequence[str]) -> bool:
    """Whether words have more than stop words and one ordinary word in lower case."""
    own = [word for word in words if word.casefold() not in STOP_WORDS]
    return len(own) > 1 or any(not word.islower() or fold(word) not in ordinary_words() for word in own)


def _best_span(text: str, words: Sequence[tuple[int, int]], node: int, name: str) -> NameMatch | None:
    """The span of words most similar to a folded name, where it reaches ``MIN_SIMILARITY``."""
    length, numbers = len(name.split()), _DIGITS.findall(name)
    spans = [
        (inside[0][0], inside[-1][1])
        for count in range(max(1, length - 1), length + 2)
        for inside in (words[at : at + count] for at in range(len(words) - count + 1))
        if _may_be_name([text[a:b] for a, b in inside])
    ]
    folded = {span: fold(text[slice(*span)]) for span in spans}
    choices = {span: words for span, words in folded.items() if _DIGITS.findall(words) == numbers}
    best = process.extractOne(name, choices, scorer=fuzz.ratio, score_cutoff=100 * MIN_SIMILARITY)
    if best is None:
        return None
    span = best[2]
    found = text[slice(*span)]
    capitals = sum(word[:1].isupper() or word[:1].isdigit() for word in found.split()) / len(found.split())
    return NameMatch(*span, found, (node,), best[1] / 100 * len(name) * (1 + 0.5 * capitals))
