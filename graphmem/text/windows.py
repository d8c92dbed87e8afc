"""Windows over a long text: whole sentences where they fit, each window beginning with the end of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphmem.text.sentences import Stretch, sentences

OVERLAP = 160
"""Characters of a window that the one before it has too."""
WINDOW = 800
"""Characters that are read together, unless a sentence is longer."""


@dataclass(frozen=True, slots=True)
class Window:
    """Characters ``start`` to ``end`` are read together; what lies before ``own`` was read before."""

    start: int
    end: int
    own: int


def windows(text: str) -> list[Window]:
    """Cut a text into windows of whole sentences; each begins with the end of the one before, for coreference."""
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
    """The same stretches, those longer than a window cut."""
    for start, end in stretches:
        while end - start > WINDOW:
            yield start, start + WINDOW
            start += WINDOW
        yield start, end
