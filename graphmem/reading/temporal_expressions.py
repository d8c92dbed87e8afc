"""Temporal expressions in English, and the validity interval that they give a fact."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from graphmem.core.errors import InvalidTime
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.times import valid_interval as checked_interval
from graphmem.text.sentences import Stretch

Role = Literal["from", "to", "in"]

_NAMES = "january february march april may june july august september october november december".split()
_MONTHS: Final = {name[:n]: i for i, name in enumerate(_NAMES, 1) for n in (3, len(name))} | {"sept": 9}
_MONTH = "(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_YEAR = r"(?P<year>1\d{3}|20\d{2})"
_FORMS: Final = (
    rf"(?P<iso>{_YEAR}-(?P<m>0[1-9]|1[0-2])(?:-(?P<d>[0-3]\d))?)(?![\d-])",
    rf"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?: of)? {_MONTH},? {_YEAR}",
    rf"{_MONTH} (?P<day>[0-3]?\d)(?:st|nd|rd|th)?,? {_YEAR}",
    rf"{_MONTH},? {_YEAR}",
    r"(?P<word>today|yesterday)",
    _YEAR,
)
_PATTERNS: Final = tuple(re.compile(rf"(?<![\w,.-]){form}(?![\w%]|[.,]\d|-\d)", re.IGNORECASE) for form in _FORMS)
_CUE = re.compile(
    r"\b(in|on|since|from|as of|after|by|until|till|to|through|and|between|back in|around|during|early|late|of)"
    r"(?: the(?: year)?| early| late| about)?\s*$",
    re.IGNORECASE,
)
_ENDING = frozenset({"until", "till", "to", "through", "and"})
_STARTING = frozenset({"since", "from", "as of", "after", "between"})


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Characters ``start`` to ``end`` name the time ``iso``; ``role``: start or end of an interval, or within it."""

    start: int
    end: int
    iso: str
    role: Role


def find_times(text: str, now: Time | None = None) -> list[TimeSpan]:
    """Dates, months with a year, and bare years that a word such as "in" or "since" marks as times.

    ``now`` is the day of "today", the current one when None.
    """
    found: list[TimeSpan] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            iso = _iso(match, now)
            free = all(match.end() <= span.start or match.start() >= span.end for span in found)
            if iso and free and (role := _role(text, match)):
                found.append(TimeSpan(match.start(), match.end(), iso, role))
    return sorted(found, key=lambda span: span.start)


def parse_time(text: str) -> str | None:
    """ISO date, month or year of a text that is a time and nothing else ("10 December 1815"); None for others."""
    for pattern in _PATTERNS:
        match = pattern.fullmatch(text.strip())
        if match:
            return _iso(match, None)
    return None


def _iso(match: re.Match[str], now: Time | None) -> str | None:
    parts = match.groupdict()
    if parts.get("word"):
        micros = to_micros(now if now is not None else datetime.now())
        today = date.fromisoformat((from_micros(micros) or "")[:10])
        return (today - timedelta(days=parts["word"].casefold() == "yesterday")).isoformat()
    month = int(parts["m"]) if parts.get("m") else _MONTHS.get((parts.get("month") or "").casefold())
    day = int(parts.get("d") or parts.get("day") or 0)
    try:
        whole = date(int(parts["year"]), month or 1, day or 1).isoformat()
    except ValueError:
        return None
    return whole if day else whole[:7] if month else whole[:4]


def _role(text: str, match: re.Match[str]) -> Role | None:
    before = text[: match.start()]
    cue = _CUE.search(before)
    bare = match.re is _PATTERNS[-1]
    if cue:
        word = cue.group(1).casefold()
        if word in _ENDING:
            is_open = re.search(r"\b(from|between|since)\b[^.;]{0,30}$", before, re.IGNORECASE)  # "between 1990 and"
            return "to" if word not in ("and", "to") or is_open else (None if bare else "in")
        return "from" if word in _STARTING else "in"
    enclosed = before.rstrip().endswith(("(", ",", ";")) or text[match.end() :].lstrip()[:1] in (":",)
    return "in" if not bare or enclosed and not before[-1:].isalnum() else None


def valid_interval(
    sentence: Stretch, fact_end: int, fact_ends: Sequence[int], times: Sequence[TimeSpan], taken: Sequence[Stretch]
) -> tuple[str | None, str | None]:
    """Validity interval of a fact, from the times in its sentence.

    A time before every fact of the sentence holds for all of them; a later one belongs to the nearest fact before it.
    ``fact_ends`` are the ends of the facts of the sentence; ``taken`` are spans that are the object of some fact, and
    so no times of validity.
    """
    start = end = None
    for span in times:
        outside = span.start < sentence[0] or span.end > sentence[1]
        if outside or any(a < span.end and span.start < b for a, b in taken):
            continue
        earlier = [other for other in fact_ends if other <= span.start]
        if earlier and max(earlier) != fact_end:
            continue
        if span.role == "to":
            end = end or span.iso
        else:
            start = start or span.iso
    with suppress(InvalidTime):
        checked_interval(start, end)
        return start, end
    return start, None
