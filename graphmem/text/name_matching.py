"""Name matching: exact occurrences of node names and aliases in a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from graphmem.core.names import normalise, spellings
from graphmem.text.word_classes import STOP_WORDS

MAX_CHARACTERS = 4000
"""Characters of a text that are searched."""
MAX_WORDS = 300
MAX_SPAN = 16
"""Maximum length of a name, in words."""

_MAX_TRIMMED = 8
"""Signs at the end of a word that a name may keep, one by one."""
_FOLDED = 0.9  # share of the score of a folded name

_OPENING = "\"'([{<«“‘¿¡*"
_CLOSING = "\"')]}>»”’.,;:!?*…"
POSSESSIVE = re.compile(r"['’`ʼ′´＇]s?$", re.IGNORECASE)
"""The end of a possessive."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A span of a text that is the name of one or more nodes; ``score`` is comparable within one text."""

    start: int
    end: int
    text: str
    nodes: tuple[int, ...]
    score: float


Also = Callable[[NameMatch], bool]
"""Whether a match is kept though its score is low."""


def match_names(text: str, store: Any, also: Also | None = None) -> list[NameMatch]:
    """Names in a text that do not overlap, highest score first; two look-ups in the store.

    A span that is no name or alias may be the folded form of one ("Jose Nunez" of José Núñez), at a lower score.
    ``also`` is that of ``best_matches``.
    """
    spans = dict.fromkeys(name_spans(text[:MAX_CHARACTERS]))
    names = {span: normalise(text[slice(*span)]) for span in spans}
    found = store.resolve_many(list(dict.fromkeys(name for name in names.values() if name)))
    folded = {span: spellings(name) for span, name in names.items() if name and not found.get(name)}
    others = store.resolve_folded(list(dict.fromkeys(chain.from_iterable(folded.values()))))
    matches = []
    for span, name in names.items():
        if nodes := found.get(name) or next(filter(None, map(others.get, folded.get(span, ()))), None):
            share = 1.0 if found.get(name) else _FOLDED
            matches.append(NameMatch(*span, text[slice(*span)], tuple(nodes), share * _score(text, span)))
    return best_matches(matches, also)


def best_matches(matches: Iterable[NameMatch], also: Also | None = None) -> list[NameMatch]:
    """Matches that do not overlap, highest score first, without those far below the best ("In" next to a full name).

    Of these, ``also`` says which are kept, as the last.
    """
    kept: list[NameMatch] = []
    for match in sorted(matches, key=lambda match: (-match.score, match.start)):
        if all(match.end <= other.start or match.start >= other.end for other in kept):
            kept.append(match)
    least = 0.6 * kept[0].score if kept else 0.0
    best = [match for match in kept if match.score > 0 and match.score >= least]
    lower = [match for match in kept if also and 0 < match.score < least and also(match)]
    return best + [replace(match, score=least) for match in lower]


def mask_names(text: str, matches: Sequence[Any]) -> str:
    """The text with the spans of all matches (``start``, ``end``) replaced by "it", so that the relation remains."""
    for match in sorted(matches, key=lambda match: -match.start):
        text = text[: match.start] + "it" + text[match.end :]
    return text


def trimmed_words(text: str) -> list[tuple[int, int]]:
    """Start and end of each word without punctuation and possessive at its ends; no empty words."""
    spans = [list(_trimmed(text, *match.span()))[-1] for match in _WORD.finditer(text)]
    return [(start, end) for start, end in spans if start < end]


def name_spans(text: str) -> Iterator[tuple[int, int]]:
    """All spans of at most ``MAX_SPAN`` words, with and without punctuation and possessive at their ends."""
    words = [match.span() for match in _WORD.finditer(text)][:MAX_WORDS]
    for first, (begin, _) in enumerate(words):
        for _, end in words[first : first + MAX_SPAN]:
            yield from _trimmed(text, begin, end)


def _trimmed(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    yield begin, end
    while begin < end and text[begin] in _OPENING:
        begin += 1
    first = end - _MAX_TRIMMED
    while end > begin:
        if end > first or text[end - 1] not in _CLOSING:
            yield begin, end
            last = max(begin, end - 2)
            if possessive := POSSESSIVE.search(text[last:end]):
                yield begin, last + possessive.start()
        if text[end - 1] not in _CLOSING:
            return
        end -= 1


def _score(text: str, span: tuple[int, int]) -> float:
    """Score of a name by its words, characters and capitals; halved for stop words, 0 for lower-case ones."""
    words = text[slice(*span)].split()
    if not words:
        return 0.0
    capitals = sum(word[:1].isupper() or word[:1].isdigit() for word in words) / len(words)
    if span[0] == 0 and len(words) == 1:
        capitals *= 0.3  # the first word of a sentence always has a capital
    common = all(word.casefold().strip(_CLOSING) in STOP_WORDS for word in words)
    score = len(words) + 0.1 * min(len(text[slice(*span)]), 40) + 2.0 * capitals
    if common and capitals < 0.5:
        return 0.0
    return score * (0.5 if common else 1.0)
