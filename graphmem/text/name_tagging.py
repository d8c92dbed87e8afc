"""Name tagging: spans of names in texts, by capitals or by comparison with known titles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from graphmem.core.names import MAX_NAME, normalise
from graphmem.text.word_classes import STOP_WORDS

Tagger = Callable[[Sequence[str]], list[list[tuple[int, int]]]]
"""From texts to start and end of every name in each."""

Known = Callable[[Sequence[str]], set[str]]
"""From normalised names to those that are known."""

MAX_WORDS = 10
"""Maximum length of a title, in words."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_CAPITALISED = re.compile(
    r"\b[^\W\d_a-zß-öø-ÿ][\w'’\-]*(?:(?: (?:of|the|de|von|van|la|le|du|di|da|del|al|bin|ibn|and|for))* "
    r"[^\W\d_a-zß-öø-ÿ][\w'’\-]*)*"
)
_POSSESSIVE = re.compile(r"['’]s?$")


def capitalised(texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Runs of capitalised words without leading stop words; needs no model."""
    return [list(_runs(text)) for text in texts]


def _runs(text: str) -> Iterator[tuple[int, int]]:
    for run in _CAPITALISED.finditer(text):
        start, end = run.span()
        for word in text[start:end].split():
            if word.casefold() not in STOP_WORDS:
                break
            start += len(word) + 1
        if start < end:
            found = _POSSESSIVE.search(text[start:end])
            yield start, start + found.start() if found else end


def short_title(title: str) -> str:
    """A title without its disambiguating parenthesis: ``Camille (1926 film)`` is ``Camille``."""
    title = title.strip()
    start = max(title.rfind("("), title.rfind("（"))
    closed = start >= 0 and title[-1] in ")）" and not any(c in ")）" for c in title[start:-1])
    return title[:start].strip() or title if closed else title


def title_spans(texts: Sequence[str], known: Known) -> list[list[tuple[int, int]]]:
    """Spans of known, capitalised titles in texts: the longest at each word, none inside another.

    ``known`` finds the names that are titles; it is called once.
    """
    spans = [list(_candidates(text)) for text in texts]
    names = [[normalise(text[start:end]) for start, end in each] for text, each in zip(texts, spans, strict=True)]
    titles = known(list({name for each in names for name in each}))
    return [
        list(_longest(span for span, name in zip(each, named, strict=True) if name in titles))
        for each, named in zip(spans, names, strict=True)
    ]


def _candidates(text: str) -> Iterator[tuple[int, int]]:
    words = [match.span() for match in _WORD.finditer(text)]
    for first, (start, _) in enumerate(words):
        if text[start].islower() and text[start].isascii():
            continue
        for _, end in reversed(words[first : first + MAX_WORDS]):
            if end - start > MAX_NAME or text[start:end].casefold() in STOP_WORDS:
                continue
            yield start, end
            if text[end : end + 1] in (")", "）", "!", "?", "."):
                yield start, end + 1


def _longest(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    covered = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= covered:
            yield start, end
            covered = end
