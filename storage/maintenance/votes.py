"""Votes on a damaged name: the name, its normal form, the index and the words of full-text search."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence

from graphmem.core.names import normalise
from graphmem.storage.tables.schema import TABLES

TOKENIZER = re.findall(r'tokenize="([^"]+)"', TABLES)[0]


SAMPLE = 500  # names by which the usual spelling is judged


class Words:
    """The words that full-text search makes of a text."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        raw.execute("DROP TABLE IF EXISTS temp.said_words")
        raw.execute("DROP TABLE IF EXISTS temp.said")
        raw.execute(f'CREATE VIRTUAL TABLE temp.said USING fts5(x, tokenize="{TOKENIZER}")')
        raw.execute("CREATE VIRTUAL TABLE temp.said_words USING fts5vocab(temp, said, instance)")

    def of(self, text: str) -> list[str]:
        """Words of a text, in order."""
        self.raw.execute("DELETE FROM temp.said")
        self.raw.execute("INSERT INTO temp.said(x) VALUES (?)", (text,))
        return [row[0] for row in self.raw.execute("SELECT term FROM temp.said_words ORDER BY offset")]


def recased(name: str, form: str, normal: Callable[[str], str] = normalise) -> str:
    """A normal form in the capitals of a damaged name, where both have the same length."""
    if normal(name) == form:
        return name
    if len(name) != len(form):
        return form
    return "".join(other.upper() if one.isupper() else other for one, other in zip(name, form, strict=True))


def candidates(name: object, norms: Sequence[str], words: Sequence[str]) -> list[tuple[str, str]]:
    """Names that a row may have had, each with its normal form, likeliest first."""
    shown = name if isinstance(name, str) else ""
    forms = list(dict.fromkeys([*norms, *([normalise(shown)] if shown else []), *([" ".join(words)] if words else [])]))
    found: dict[tuple[str, str], None] = {}
    for form in forms:
        for spelled in (recased(shown, form), form.title(), form.capitalize(), form, form.upper()):
            if normalise(spelled) == form and form:
                found[spelled, form] = None
    return list(found)


def elected(
    name: object, norms: Sequence[str], words: Sequence[str], said: Words, normal: Callable[[str], str] = normalise
) -> tuple[str, str] | None:
    """The name and normal form that most of the voters hold; None where none has more votes than every other.

    Args:
        norms: normal forms, of the row and of the index.
        words: words of full-text search, which vote for the form of the same words.
        normal: the normal form of such names.
    """
    votes: Counter[str] = Counter(norms)
    shown = name if isinstance(name, str) else ""
    if shown:
        votes[normal(shown)] += 1
    for form in list(votes):
        if words and said.of(form) == list(words):
            votes[form] += 1
    ranked = votes.most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return recased(shown, ranked[0][0], normal), ranked[0][0]


def usual_spelling(names: Sequence[tuple[object, object]]) -> Callable[[str], str]:
    """How most of some names write their normal forms: in capitals, small, or with capital initials."""
    styles: tuple[Callable[[str], str], ...] = (str.title, str.capitalize, str, str.upper)
    pairs = [(name, form) for name, form in names[:SAMPLE] if isinstance(form, str)]
    return max(styles, key=lambda style: sum(name == style(form) for name, form in pairs))
