"""Overlapping windows of whole sentences over a long text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphmem.text.sentences import Stretch, sentences

OVERLAP = 160
"""Characters that a window shares with the previous one."""
WINDOW = 800
"""Maximum length of a window, in characters."""


@dataclass(frozen=True, slots=True)
class Window:
    """Window of the characters ``start`` to ``end``; those before ``own`` belong to the previous window."""

    start: int
    end: int
    own: int


def windows(text: str) -> list[Window]:
    """Windows of whole sentences; each begins with the end of the previous one, for coreference."""
    found: list[Window] = []
    start = own = end = 0
    for a, b in _short(sentences(text)):
        if end > own and b - start > WINDOW:
            found.append(Window(start, end, own))
            start, own = max(own, a - OVERLAP) if end == a else a, a
            start = text.find(" ", start, a) + 1 or start if start < a else start
        end = b
    if end > own:
        found.append(Window(start, end, own))
    return found


def _short(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """The same spans, those longer than a window cut."""
    for start, end in stretches:
        while end - start > WINDOW:
            yield start, start + WINDOW
            start += WINDOW
        yield start, end
