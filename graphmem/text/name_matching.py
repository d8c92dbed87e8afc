"""Which nodes a text names: exact matches of names and aliases, longest and rarest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from graphmem.core.names import normalise
from graphmem.text.stop_words import STOP_WORDS

MAX_CHARACTERS = 4000
"""Only this much of a text is searched for names."""
MAX_WORDS = 300
MAX_SPAN = 16
"""Longest name that is looked for, in words."""

_OPENING = "\"'([{<«“‘¿¡*"
_CLOSING = "\"')]}>»”’.,;:!?*"
_POSSESSIVE = re.compile(r"['’`]s?$", re.IGNORECASE)
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


class NameResolver(Protocol):
    """The part of a store that finding mentions needs."""

    def resolve_many(self, normalised: Sequence[str]) -> dict[str, list[int]]: ...


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A stretch of text that is the name of one or more nodes. ``score`` grows with how sure it is."""

    start: int
    end: int
    text: str
    nodes: tuple[int, ...]
    score: float


def match_names(text: str, store: NameResolver) -> list[NameMatch]:
    """Names in ``text`` that do not overlap, surest first. One look-up, whatever the length of the text."""
    spans = dict.fromkeys(name_spans(text[:MAX_CHARACTERS]))
    names = {span: normalise(text[span[0] : span[1]]) for span in spans}
    found = store.resolve_many(list(dict.fromkeys(name for name in names.values() if name)))
    mentions = [
        NameMatch(*span, text[slice(*span)], tuple(found[name]), _score(text, span)) for span, name in names.items()
        if found.get(name)
    ]  # fmt: skip
    return _without_weak(_without_overlap(mentions))


def blank(text: str, mentions: Sequence[NameMatch], mark: str = "it") -> str:
    """``text`` with every mention replaced, so that what is left says what is asked and not about whom."""
    for mention in sorted(mentions, key=lambda mention: -mention.start):
        text = text[: mention.start] + mark + text[mention.end :]
    return text


def trimmed_words(text: str) -> list[tuple[int, int]]:
    """Start and end of each word, the punctuation and possessive at its ends left out; words of nothing else go."""
    spans = [list(_trimmed(text, *match.span()))[-1] for match in _WORD.finditer(text)]
    return [(start, end) for start, end in spans if start < end]


def name_spans(text: str) -> Iterator[tuple[int, int]]:
    """Every stretch of at most ``MAX_SPAN`` words, with and without the punctuation and possessive at its ends."""
    words = [match.span() for match in _WORD.finditer(text)][:MAX_WORDS]
    for first, (begin, _) in enumerate(words):
        for _, end in words[first : first + MAX_SPAN]:
            yield from _trimmed(text, begin, end)


def _trimmed(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    yield begin, end
    while begin < end and text[begin] in _OPENING:
        begin += 1
    while end > begin:
        yield begin, end
        possessive = _POSSESSIVE.search(text[begin:end])
        if possessive:
            yield begin, begin + possessive.start()
        if text[end - 1] not in _CLOSING:
            return
        end -= 1


def _score(text: str, span: tuple[int, int]) -> float:
    """Characters, words and capitals speak for a name; a common word in lower case or at the start against it."""
    words = text[slice(*span)].split()
    if not words:
        return 0.0
    capitals = sum(word[:1].isupper() or word[:1].isdigit() for word in words) / len(words)
    if span[0] == 0 and len(words) == 1:
        capitals *= 0.3  # a sentence starts with a capital whatever its first word is
    common = all(word.casefold().strip(_CLOSING) in STOP_WORDS for word in words)
    score = len(words) + 0.1 * min(len(text[slice(*span)]), 40) + 2.0 * capitals
    if common and capitals < 0.5:
        return 0.0
    return score * (0.5 if common else 1.0)


def _without_overlap(mentions: list[NameMatch]) -> list[NameMatch]:
    kept: list[NameMatch] = []
    for mention in sorted(mentions, key=lambda mention: (-mention.score, mention.start)):
        if all(mention.end <= other.start or mention.start >= other.end for other in kept):
            kept.append(mention)
    return kept


def _without_weak(mentions: list[NameMatch]) -> list[NameMatch]:
    """Drop what is far less sure than the best: ``In`` beside a person's full name is no topic."""
    best = max((mention.score for mention in mentions), default=0.0)
    return [mention for mention in mentions if mention.score > 0 and mention.score >= 0.6 * best]
