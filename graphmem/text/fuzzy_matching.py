"""Names that a text nearly spells: a letter wrong, a word left out, where no name stands in it as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphmem.core.names import normalise
from graphmem.text.name_matching import MAX_CHARACTERS, MAX_WORDS, NameMatch, trimmed_words
from graphmem.text.stop_words import STOP_WORDS

MIN_SIMILARITY = 0.65
"""Share of triples of letters that a stretch of text and a name have in common, from which it may be meant (Dice)."""

MIN_LETTERS = 4
"""Names of fewer letters are too easily met by chance."""

MAX_NAMES = 8
"""Names that are laid along the text."""


def match_fuzzy(text: str, names: Mapping[int, str]) -> list[NameMatch]:
    """Stretches of ``text`` that come near to one of the ``names`` (by node id), nearest first, none overlapping.

    A mention's score is the share of letters in common times the length of the name, and half as much again where its
    words are capitalised. Common words alone, such as ``the film``, are nobody's misspelt name.
    """
    text = text[:MAX_CHARACTERS]
    stretches = _Stretches(text)
    found = [near for node, name in _likeliest(text, names) for near in stretches.nearest(node, name)]
    kept: list[NameMatch] = []
    for mention in sorted(found, key=lambda mention: (-mention.score, mention.start)):
        if all(mention.end <= other.start or mention.start >= other.end for other in kept):
            kept.append(mention)
    return [mention for mention in kept if mention.score >= 0.6 * kept[0].score]


def trigrams(text: str) -> frozenset[str]:
    """Triples of neighbouring letters of a normalised text, its edges marked by spaces."""
    padded = f" {normalise(text)} "
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))


def _likeliest(text: str, names: Mapping[int, str]) -> list[tuple[int, str]]:
    """The names that have most in common with the whole text."""
    here, shared = f" {normalise(text)} ", {}
    for node, name in names.items():
        folded = name.casefold()
        if len(name) >= MIN_LETTERS and folded not in STOP_WORDS:
            count = sum(folded[at : at + 3] in here for at in range(len(folded) - 2))
            shared[node] = count**2 / len(folded)
    best = sorted(shared, key=lambda node: (-shared[node], node))[:MAX_NAMES]
    return [(node, names[node]) for node in best if shared[node] > 0]


class _Stretches:
    """Runs of words of a text, their triples made once."""

    def __init__(self, text: str) -> None:
        self.text, self.words = text, trimmed_words(text)[:MAX_WORDS]
        self.common = [text[start:end].casefold() in STOP_WORDS for start, end in self.words]
        self._triples: dict[tuple[int, int], frozenset[str]] = {}

    def nearest(self, node: int, name: str) -> list[NameMatch]:
        """The stretch that comes nearest to a name, if it comes near enough."""
        own, length = trigrams(name), len(name.split())
        best, span = MIN_SIMILARITY, None
        for count in range(max(1, length - 1), length + 2):
            for first in range(len(self.words) - count + 1):
                share = self._share(first, first + count, own)
                if share > best:
                    best, span = share, (self.words[first][0], self.words[first + count - 1][1])
        if span is None:
            return []
        words = self.text[slice(*span)].split()
        capitals = sum(word[:1].isupper() or word[:1].isdigit() for word in words) / len(words)
        return [NameMatch(*span, self.text[slice(*span)], (node,), best * len(own) * (1 + 0.5 * capitals))]

    def _share(self, first: int, last: int, own: frozenset[str]) -> float:
        """Triples that the words ``first`` to ``last`` share with a name (Dice); 0 where they are all common."""
        if all(self.common[first:last]):
            return 0.0
        if (first, last) not in self._triples:
            self._triples[first, last] = trigrams(self.text[self.words[first][0] : self.words[last - 1][1]])
        other = self._triples[first, last]
        return 2 * len(own & other) / (len(own) + len(other))


def trigram_similarity(name: str, title: str) -> float:
    """Share of three-letter groups that two names have in common, 0..1."""
    first, second = _groups(name), _groups(title)
    return len(first & second) / max(len(first | second), 1)


def _groups(name: str) -> set[str]:
    padded = f" {normalise(re.sub(r'[’`]s?$', '', name))} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
