"""The words around a pair of names: what is said about them, with the names themselves blanked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphmem.text.sentences import Stretch, sentences

_WORD = re.compile(r"[\w'’-]+|[^\w\s]", re.UNICODE)
_EMPTY = frozenset("and or , ; & ( ) the a an as well".split())
_AUXILIARY = frozenset(
    "is are was were be been being has have had will would a an the its his her their 's ’s also now currently later "
    "then who which that whose whom it he she they".split()
)
_JOINTS = frozenset("and or but who which that where while ; , : ( )".split())
_BEFORE, _AFTER, _LONGEST = 6, 4, 6


def linked(sentence: Sequence[int], first: int, second: int, topic: int) -> bool:
    """Whether two mentions may be said something about together.

    They stand in one sentence or in neighbouring ones, or the earlier is what the passage is about.

    Args:
        sentence: the number of each mention's sentence.
        first, second: two mentions, in their order.
        topic: the passage's first name, or -1.
    """
    return sentence[second] - sentence[first] <= 1 or first == topic


def blanked(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch] = ()) -> str:
    """Return the words around a pair, the earlier name as ``X`` and the later as ``Y``.

    Of other names between the two only what follows the last one is kept, unless nothing is said after it (as in a
    list), so that "X was directed by Z and stars Y" becomes "X stars Y".
    """
    start, end = _room(text, first, second, others)
    before = " ".join(_WORD.findall(text[start : first[0]])[-_BEFORE:])
    after = " ".join(_clause(_WORD.findall(text[second[1] : end])[:_AFTER]))
    return " ".join(f"{before} X {between(text, first, second, others)} Y {after}".split())


def _clause(words: list[str]) -> list[str]:
    """The words up to where another clause begins."""
    stop = next((place for place, word in enumerate(words) if word.casefold() in _JOINTS), len(words))
    return words[:stop]


def between(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch] = ()) -> str:
    """Words that link the earlier name to the later one, past any names that lie between them."""
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


def relation_words(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch] = ()) -> str:
    """Name a relation by the words between two names: "was built by" -> "built by"; "" when they do not name one.

    Where only helpers stand between, the words before name it: "The capital of X is Y" -> "capital".
    """
    words = _core(between(text, first, second, others))
    if not words:
        start, _ = _room(text, first, second, others)
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


def _room(text: str, first: Stretch, second: Stretch, others: Sequence[Stretch]) -> Stretch:
    """Where the words before the first and after the second name may come from: up to another name or sentence."""
    bounds = sentences(text)
    starts = [s for s, _ in bounds if s <= first[0]]
    ends = [e for _, e in bounds if e >= second[1]]
    start = max([*(e for _, e in others if e <= first[0]), *starts[-1:], 0])
    end = min([*(s for s, _ in others if s >= second[1]), *ends[:1], len(text)])
    return start, end
