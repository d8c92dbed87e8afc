"""Ordinals of a question: the place on a scale that it asks for ("the second film", "the 3rd tallest")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from graphmem.text.name_matching import trimmed_words

MAX_WORDS = 200
"""Words of a question that are looked at."""

_DIGITS = re.compile(r"(\d{1,3})(?:st|nd|rd|th)", re.IGNORECASE)


def rank_of(question: str, taken: Sequence[tuple[int, int]] = ()) -> int:
    """The place on a scale that a question asks for: 2 for "second"; 1 where it says none.

    Args:
        taken: spans of names in characters; an ordinal in one of them is a part of that name.
    """
    for start, end in trimmed_words(question)[:MAX_WORDS]:
        if not any(first < end and start < last for first, last in taken):
            rank = ordinal(question[start:end].casefold())
            if rank is not None:
                return max(1, rank)
    return 1


@lru_cache(maxsize=4096)
def ordinal(word: str) -> int | None:
    """The number of an English ordinal in letters or digits; None for another word."""
    from number_parser import parse_number, parse_ordinal

    found = _DIGITS.fullmatch(word)
    if found is not None:
        return int(found[1])
    if any(map(str.isdigit, word)) or parse_number(word, "en") is not None:
        return None
    return parse_ordinal(word, "en")
