"""Fuzzy name matching by letter trigrams: misspelt names and names with a word missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from graphmem.core.names import normalise
from graphmem.text.name_matching import MAX_CHARACTERS, MAX_WORDS, NameMatch, best_matches, trimmed_words
from graphmem.text.word_classes import STOP_WORDS

MIN_SIMILARITY = 0.65
"""Dice coefficient of the trigrams of a span and a name from which they match."""

MIN_LETTERS = 4
"""Minimum length of a name; shorter ones match by chance."""

MAX_NAMES = 8
"""Names that are compared with all spans of the text."""


def match_fuzzy(text: str, names: Mapping[int, str]) -> list[NameMatch]:
    """Spans of a text that are similar to one of the names (by node id), highest score first, none overlapping.

    The score is the trigram similarity times the length of the name, and half as much again for capitalised words.
    Stop words alone, such as ``the film``, match no name.
    """
    text = text[:MAX_CHARACTERS]
    words = trimmed_words(text)[:MAX_WORDS]
    found = (_best_span(text, words, node, name) for node, name in _most_similar(text, names))
    return best_matches(match for match in found if match)


@lru_cache(maxsize=4096)
def trigrams(text: str) -> frozenset[str]:
    """Letter trigrams of a normalised text padded with spaces."""
    padded = f" {normalise(text)} "
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))


def trigram_similarity(first: str, second: str) -> float:
    """Jaccard similarity of the trigrams of two names, without a possessive, 0..1."""
    one, other = (trigrams(re.sub(r"[’`]s?$", "", name)) for name in (first, second))
    return len(one & other) / max(len(one | other), 1)


def _most_similar(text: str, names: Mapping[int, str]) -> list[tuple[int, str]]:
    """The names that share most trigrams with the whole text."""
    here, shared = f" {normalise(text)} ", {}
    for node, name in names.items():
        folded = name.casefold()
        if len(name) >= MIN_LETTERS and folded not in STOP_WORDS:
            count = sum(folded[at : at + 3] in here for at in range(len(folded) - 2))
            shared[node] = count**2 / len(folded)
    best = sorted(shared, key=lambda node: (-shared[node], node))[:MAX_NAMES]
    return [(node, names[node]) for node in best if shared[node] > 0]


def _best_span(text: str, words: Sequence[tuple[int, int]], node: int, name: str) -> NameMatch | None:
    """The span of words most similar to a name, where it reaches ``MIN_SIMILARITY``."""
    own, length = trigrams(name), len(name.split())
    best, span = MIN_SIMILARITY, None
    for count in range(max(1, length - 1), length + 2):
        for inside in (words[at : at + count] for at in range(len(words) - count + 1)):
            start, end = inside[0][0], inside[-1][1]
            other = trigrams(text[start:end])
            similarity = 2 * len(own & other) / (len(own) + len(other))
            if similarity > best and any(text[a:b].casefold() not in STOP_WORDS for a, b in inside):
                best, span = similarity, (start, end)
    if span is None:
        return None
    found = text[slice(*span)]
    capitals = sum(word[:1].isupper() or word[:1].isdigit() for word in found.split()) / len(found.split())
    return NameMatch(*span, found, (node,), best * len(own) * (1 + 0.5 * capitals))
