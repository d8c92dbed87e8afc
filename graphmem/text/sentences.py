"""Sentence splitting."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

Stretch = tuple[int, int]
"""Start and end of a span of a text, in characters."""

_SENTENCE_END = re.compile(r"[.!?。！？]['\")\]]?\s|[\n。！？]")
_TITLES = ("Dr", "Mr", "Mrs", "Ms", "St", "No", "Jr", "Sr", "vs", "c", "ca")


def sentences(text: str) -> list[Stretch]:
    """Spans of the sentences of a text, by full stops and line breaks."""
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        if _abbreviation(text, match.start()):
            continue
        if text[start:end].strip():
            found.append((start, end))
        start = end
    if text[start:].strip():
        found.append((start, len(text)))
    return found


def sentence_at(bounds: Sequence[Stretch], position: int) -> Stretch | None:
    """The one of some spans, in order, that holds the character before ``position``; None where none does."""
    at = bisect_left(bounds, position, key=lambda span: span[1])
    return bounds[at] if at < len(bounds) and bounds[at][0] < position else None


def is_question(sentence: str) -> bool:
    """Whether a sentence ends with a question mark, closing quotes and brackets aside."""
    return sentence.rstrip("\"'”’) ").endswith(("?", "？", "؟"))


def _abbreviation(text: str, stop: int) -> bool:
    """Whether a full stop belongs to an initial or a title, as in "J. Smith", "Dr. No", "U.S. Senate"."""
    if text[stop] != ".":
        return False
    last = re.split(r"\W", text[max(0, stop - 12) : stop])[-1]
    return (len(last) == 1 and last.isupper()) or last in _TITLES
