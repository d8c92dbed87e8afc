"""Phrases in answers, found as a reader would: case, accents, articles and punctuation are set aside."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

HEAD_WORDS = 40
"""Words of an answer that are scored."""

_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_NUMBERS = {word: str(i) for i, word in enumerate(_WORDS)}
_LETTERS = str.maketrans("øłđ’‘–—", "old''--")


def plain(text: str) -> str:
    """Lower case without accents, punctuation and articles."""
    letters = unicodedata.normalize("NFKD", str(text).casefold())
    letters = "".join(c for c in letters if not unicodedata.combining(c)).translate(_LETTERS)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", re.sub(r"[^\w%€£$]+", " ", letters)).split())


def contains_phrase(text: str, phrase: str) -> bool:
    """Whether a phrase occurs in a text as whole words; number words equal digits, currency signs may be missing."""
    have, want = (" ".join(_NUMBERS.get(word, word) for word in plain(x).split()) for x in (text, phrase))
    if not re.search("[€£$]", want):
        have = re.sub("[€£$]", "", have)
    return bool(want) and f" {want} " in f" {have} "


def is_acceptable(text: str, answers: Sequence[Any]) -> bool:
    """Whether the first words of a text hold one of the alternatives: a phrase, or ``{"all": [...]}`` of phrases."""
    head = " ".join(str(text).split()[:HEAD_WORDS])
    return any(_holds(head, answer) for answer in answers)


def _holds(head: str, answer: Any) -> bool:
    if isinstance(answer, Mapping):
        return all(any(contains_phrase(head, one) for one in wanted_strings([want])) for want in answer["all"])
    if plain(answer) in ("yes", "no"):
        return plain(head).split()[:1] == [plain(answer)]
    return contains_phrase(head, answer)


def wanted_strings(answers: Sequence[Any]) -> list[str]:
    """Every string that one of the alternatives names."""
    parts = [want for answer in answers for want in (answer["all"] if isinstance(answer, Mapping) else [answer])]
    return [one for want in parts for one in (want if isinstance(want, list) else [want])]


def is_similar(one: str, other: str) -> bool:
    """Whether two phrases are one, or one holds the other, with at most twice its words."""
    short, long = sorted((re.sub("[€£$]", "", plain(name)) for name in (one, other)), key=len)
    whole = short and f" {short} " in f" {long} "
    return short == long or bool(whole and 2 * len(short.split()) >= len(long.split()))
