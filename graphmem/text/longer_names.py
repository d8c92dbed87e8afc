"""Longer names: whether a name that was found in a text is only a part of one, by the capitals next to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_WORDS = re.compile(r"\w+")
_JOINING = frozenset("of the a an and in at on for to de la le von van der du".split())
_JOINTS = rf"(?:(?:{'|'.join(sorted(_JOINING))})\s+)*"
_ABBREVIATION = re.compile(rf"[A-Z]{{2,5}}\s+(?:{'|'.join(sorted(_JOINING))})\s")
_AFTER = re.compile(rf"\s+{_JOINTS}(\w)")
_LOOK_BACK = 200
"""Characters before a name in which the word before it is looked for."""


def stands_alone(query: str, mention: Any, mentions: Sequence[Any]) -> bool:
    """Whether a match is not part of a longer name: no capital stands next to it, with at most "of the" between.

    A capital of another match is allowed, unless the two read as one name ("Wild Boy", "Anna of Austria"); so are the
    first word of the query and an abbreviation before "of" or "in" ("the CEO of Nokia").
    """
    before, after = _word_before(query, mention.start), _AFTER.match(query, mention.end)
    neighbours = [(before, query[before : mention.start])] if before else []
    neighbours = [(at, joint) for at, joint in neighbours if not _ABBREVIATION.match(joint)]
    neighbours += [(after.start(1), after.group())] if after else []
    return all(
        not query[at].isupper() or (_separates(joint) and any(m.start <= at < m.end for m in mentions))
        for at, joint in neighbours
    )


def _word_before(text: str, stop: int) -> int | None:
    """Start of the word before a place, past joining words such as "of the"; None where none stands there."""
    found, end, first = None, stop, max(0, stop - _LOOK_BACK)
    while end > first and text[end - 1].isspace():
        while end > first and text[end - 1].isspace():
            end -= 1
        start = end
        while start > first and (text[start - 1].isalnum() or text[start - 1] in "_."):
            start -= 1
        word = text[start:end].lstrip(".")
        if not word:
            break
        found = end - len(word)
        if word not in _JOINING or (start > first and not text[start - 1].isspace()):
            break
        end = start
    return found


def _separates(joint: str) -> bool:
    """Whether the words between two known names keep them apart: "and", "in", but not "of", "in the" or nothing."""
    words = set(_WORDS.findall(joint.casefold())) & _JOINING
    return bool(words) and ("and" in words or not words & {"of", "the", "de", "von", "van"})
