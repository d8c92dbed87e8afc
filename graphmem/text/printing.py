"""Texts as lines that are safe to print: names and texts may be hostile to a terminal."""

from __future__ import annotations

import re

from graphmem.core.types import Fact

CONFIDENCE = ((0.9, "sure"), (0.7, "likely"), (0.5, "perhaps"), (0.0, "unsure"))
"""Words for a probability, by the least probability of each."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")


def printable(value: object) -> str:
    """A text with its control characters and marks of direction escaped."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), str(value))


def lines_of(value: object) -> str:
    """A text of several lines, each ``printable``."""
    return "\n".join(map(printable, str(value).splitlines()))


def one_line(text: str, length: int = 160) -> str:
    """A text on one line, cut at ``length`` characters."""
    text = printable(" ".join(text[: 4 * length].split()))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def interval(fact: Fact) -> str:
    """The valid interval of a fact in brackets; empty for an undated one."""
    return f"  [{fact.valid_from or '…'} → {fact.valid_to or 'now'}]" if fact.valid_from or fact.valid_to else ""


def confidence(probability: float) -> str:
    """A probability in a word and in percent: ``sure 97 %``."""
    word = next(word for least, word in CONFIDENCE if probability >= least or not least)
    return f"{word} {100 * probability:.0f} %"
