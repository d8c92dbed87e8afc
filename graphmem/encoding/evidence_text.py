"""Facts and passages as the texts that the evidence encoder reads: one unit of evidence each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from graphmem.core.names import normalise_relation
from graphmem.core.types import Fact

SEPARATOR, LINK = " | ", " ; "
"""Stand between the fields of a fact, and between a passage's title and its text; and between the facts of a chain."""

LINE = "\n- "
"""Stands between texts that are read together."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DATE = re.compile(r"(-?\d{4,})(?:-(\d{2})(?:-(\d{2}))?)?$")


class EvidenceText(NamedTuple):
    """Text of one unit of evidence, and where its fields stand in it, in characters.

    Attributes:
        text: as the encoder reads it.
        subject, object: spans of a fact's ends; the title and the text of a passage.
        dates: span of a fact's interval; empty where it has none.
    """

    text: str
    subject: tuple[int, int]
    object: tuple[int, int]
    dates: tuple[int, int] = (0, 0)


def fact_text(
    subject: str, relation: str, object: str, begin: str | None = None, end: str | None = None
) -> EvidenceText:
    """A fact as ``subject | relation | object | from 1998 until June 2019``."""
    head = f"{subject}{SEPARATOR}{relation_words(relation)}{SEPARATOR}"
    text = head + object
    ends = (0, len(subject)), (len(head), len(text))
    if not (interval := interval_words(begin, end)):
        return EvidenceText(text, *ends)
    start = len(text) + len(SEPARATOR)
    return EvidenceText(f"{text}{SEPARATOR}{interval}", *ends, (start, start + len(interval)))


def stored_fact_text(fact: Fact) -> EvidenceText:
    """The text of a fact of the store, see ``fact_text``."""
    return fact_text(fact.subject, fact.relation, fact.object, fact.valid_from, fact.valid_to)


def chain_text(facts: Sequence[Sequence[str | None]], end: str) -> EvidenceText:
    """A chain of facts, joined by ``;``, as one text; ``object`` is the span of the name ``end`` in the last one.

    Each fact is a subject, a relation and an object, perhaps with the start and the end of its interval.
    """
    texts = [fact_text(*fact) for fact in facts]  # type: ignore[arg-type]
    whole, last = LINK.join(text.text for text in texts), texts[-1]
    offset = len(whole) - len(last.text)
    start, stop = last.subject if last.text[slice(*last.subject)] == end else last.object
    first = texts[0].subject
    return EvidenceText(whole, first, (offset + start, offset + stop))


def passage_text(title: str, text: str, date: str | None = None) -> EvidenceText:
    """A part of a passage as ``title (6 March 2024) | text``."""
    head = f"{title} ({date_words(date)})" if date else title
    start = len(head) + len(SEPARATOR) if head else 0
    whole = f"{head}{SEPARATOR}{text}" if head else text
    return EvidenceText(whole, (0, len(head)), (start, len(whole)))


def joined_text(texts: Sequence[str]) -> tuple[str, list[int]]:
    """Several texts as the lines of one, and the character at which each begins in it."""
    whole, starts = "", []
    for text in texts:
        whole += LINE if whole else ""
        starts.append(len(whole))
        whole += text
    return whole, starts


def relation_words(relation: str) -> str:
    """A relation's name in words: ``placeOfBirth``, ``place_of_birth`` and ``/person/place of birth`` are split."""
    last = relation.rstrip("/").rsplit("/", 1)[-1]
    return normalise_relation(_CAMEL.sub(" ", last)) or relation


def interval_words(begin: str | None, end: str | None) -> str:
    """An interval in words; empty without a start and an end."""
    if begin and end:
        return f"from {date_words(begin)} until {date_words(end)}"
    if begin:
        return f"since {date_words(begin)}"
    return f"until {date_words(end)}" if end else ""


def date_words(date: str | None) -> str:
    """A date in words, as precise as it was given: ``2024-03-06`` is "6 March 2024"; other texts as they are."""
    text = (date or "").strip()
    found = _DATE.match(text[:10] if re.match(r"\d{4}-\d{2}-\d{2}T", text) else text)
    if found is None or (found[2] and not 1 <= int(found[2]) <= 12):
        return text
    year, month, day = found[1], found[2], found[3]
    if not month:
        return year
    return f"{int(day)} {_MONTHS[int(month) - 1]} {year}" if day else f"{_MONTHS[int(month) - 1]} {year}"
