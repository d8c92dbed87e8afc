"""Relation context: the words around a pair of mentions, with the mentions masked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from graphmem.text.sentences import Stretch, sentences

_WORD = re.compile(r"[\w'’-]+|[^\w\s]", re.UNICODE)
_EMPTY = frozenset("and or , ; & ( ) the a an as well".split())
_AUXILIARY = frozenset(
    "is are was were be been being has have had will would a an the its his her their 's ’s also now currently later "
    "then who which that whose whom it he she they".split()
)
_JOINTS = frozenset("and or but who which that where while ; , : ( )".split())
_BEFORE, _AFTER, _LONGEST = 6, 4, 6


def may_be_related(sentence: Sequence[int], first: int, second: int, topic: int) -> bool:
    """Whether two mentions stand in one sentence or in neighbouring ones, or the earlier one is the passage's topic.

    ``sentence`` numbers each mention's sentence; ``topic`` is the passage's first entity mention, or -1.
    """
    return sentence[second] - sentence[first] <= 1 or first == topic


def mask_pair(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch] = ()) -> str:
    """The words around a pair, the earlier mention as ``X`` and the later one as ``Y``.

    Where other names lie between the two, only what follows the last of them is kept, unless nothing does (as in a
    list): "X was directed by Z and stars Y" becomes "X stars Y".
    """
    start, end = _bounds(text, first, second, others)
    before = " ".join(_WORD.findall(text[start : first[0]])[-_BEFORE:])
    words = _WORD.findall(text[second[1] : end])[:_AFTER]
    after = " ".join(takewhile(lambda word: word.casefold() not in _JOINTS, words))  # up to the next clause
    return " ".join(f"{before} X {linking_words(text, first, second, others)} Y {after}".split())


def linking_words(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch] = ()) -> str:
    """Words that link the earlier mention to the later one, past any names between them."""
    stop = second[0]
    inner = sorted((s for s in others if first[1] <= s[0] and s[1] <= second[0]), reverse=True)
    for start, end in [*inner, first]:
        words = _WORD.findall(text[end:stop])
        if any(word.casefold() not in _EMPTY for word in words) or (start, end) == tuple(first):
            while words and words[0].casefold() in ("and", ",", ";") and len(words) > 1:
                words = words[1:]
            return " ".join(words)
        stop = start
    return ""


def relation_phrase(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch] = ()) -> str:
    """A relation named by the words between two names: "was built by" -> "built by"; "" when they do not name one.

    Where only function words lie between, the words before name it: "The capital of X is Y" -> "capital".
    """
    words = _core(linking_words(text, first, second, others))
    if not words:
        start, _ = _bounds(text, first, second, others)
        before = _WORD.findall(text[start : first[0]])
        words = _core(" ".join(before[:-1])) if before and before[-1].casefold() == "of" else []
    return " ".join(words).lower() if len(words) <= _LONGEST else ""


def _core(words: str) -> list[str]:
    kept = [word for word in words.split() if word[0].isalnum()]
    while kept and kept[0].casefold() in _AUXILIARY:
        kept = kept[1:]
    while kept and kept[-1].casefold() in ("the", "a", "an", "his", "her", "its", "their"):
        kept = kept[:-1]
    return kept


def _bounds(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch]) -> Stretch:
    """The context of a pair: up to another name or the end of its sentences."""
    bounds = sentences(text)
    starts = [s for s, _ in bounds if s <= first[0]]
    ends = [e for _, e in bounds if e >= second[1]]
    start = max([*(e for _, e in others if e <= first[0]), *starts[-1:], 0])
    end = min([*(s for s, _ in others if s >= second[1]), *ends[:1], len(text)])
    return start, end
