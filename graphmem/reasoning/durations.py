"""Lengths of time: of a fact's interval, or since a date, as precise as the dates are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from dateutil.relativedelta import relativedelta

from graphmem.core.errors import InvalidTime
from graphmem.core.times import from_micros, read_time
from graphmem.core.types import Fact
from graphmem.encoding.evidence_encoder import Reading
from graphmem.encoding.evidence_text import date_words
from graphmem.reasoning.weighing import Support, Weighed, answers_of
from graphmem.retrieval.evidence import EvidenceUnit

UNITS = ("year", "month", "day")
"""Precisions of a length of time, the coarsest first."""

OTHER = 8.0
"""Nats by which an answer that is no length of time, nor a fact's number, is less likely where one is asked for."""

_PLAIN = re.compile(r"-?\d{4,}(?:-(\d\d)(?:-\d\d(?:T.*)?)?)?")


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in years, months and days; ``precision``: the finest of ``UNITS`` that its dates give.

    ``is_exact``: False where one of the dates is approximate or less precise than a year.
    """

    years: int
    months: int
    days: int
    precision: str
    is_exact: bool = True

    def __str__(self) -> str:
        named = [(getattr(self, f"{unit}s"), unit) for unit in UNITS[: UNITS.index(self.precision) + 1]]
        parts = [f"{count} {unit}{'s' * (count != 1)}" for count, unit in named if count][:2]
        text = " and ".join(parts) or f"less than a {self.precision}"
        return text if self.is_exact else f"about {text}"


def elapsed(start: str, end: str) -> Duration | None:
    """The time from one date to another, as precise as the less precise of them; None where it is negative.

    Args:
        start, end: ISO or EDTF texts.

    Raises:
        InvalidTime: a date that cannot be read.
    """
    first, last = read_time(start), read_time(end)
    if first is None or last is None or first.first > last.first:
        return None
    texts = [one.text or from_micros(one.first) or "" for one in (first, last)]
    kinds = [_precision(text) for text in texts]
    precision = min((kind for kind, _ in kinds), key=UNITS.index)
    exact = all(is_exact for _, is_exact in kinds)
    begin, finish = (from_micros(one.first) or "" for one in (first, last))
    years = [int(re.match(r"-?\d+", text)[0]) for text in (begin, finish)]  # type: ignore[index]
    if precision == "year" or not all(1 <= year <= 9999 for year in years):
        return Duration(years[1] - years[0], 0, 0, "year", exact)
    days = [date.fromisoformat(text[:10]) for text in (begin, finish)]
    if precision == "month":
        days = [day.replace(day=1) for day in days]
    between = relativedelta(days[1], days[0])
    return Duration(between.years, between.months, between.days, precision, exact)


def _precision(text: str) -> tuple[str, bool]:
    """Precision of a date and whether it is exact: of decades, seasons and circa dates, the year, and not."""
    found = _PLAIN.fullmatch(text)
    if found is None or (found[1] and not 1 <= int(found[1]) <= 12):
        return "year", False
    return ("day" if text.count("-", 1) == 2 else "month" if found[1] else "year"), True


def fact_duration(fact: Fact, at: int) -> str | None:
    """How long a fact held, or has held at the moment ``at`` (microseconds), in words; None without a start.

    Of an undated fact with a date as its object ("born | 1938"), the time since that date.
    """
    start, end = fact.valid_from, fact.valid_to
    if start is None and end is None and re.search(r"\d{4}", fact.object):
        start = fact.object
    now = (from_micros(at) or "")[:10]
    try:
        if start is None or (length := elapsed(start, now if end is None else end)) is None:
            return None
    except InvalidTime:
        return None
    return f"{length} ({date_words(start)} to {date_words(end)})" if end else f"{length} (since {date_words(start)})"


@lru_cache(maxsize=1024)
def is_duration(text: str) -> bool:
    """Whether a text is a length of time ("ten days"), and no time ("ten days ago", "1998")."""
    from datetime import datetime

    from dateparser.date import DateDataParser

    base = datetime(2000, 1, 1)
    settings: Any = {"RELATIVE_BASE": base, "PARSERS": ["relative-time"], "PREFER_DATES_FROM": "future"}
    found = DateDataParser(languages=["en"], settings=settings).get_date_data(text[:60]).date_obj
    return found is not None and found > base + timedelta(seconds=1)


def in_durations(weighed: Weighed, units: Sequence[EvidenceUnit], readings: Sequence[Reading], at: int) -> Weighed:
    """What the evidence says to a question for a length of time: how long each fact held, beside lengths as they stand.

    Args:
        at: moment of asking in microseconds, up to which a fact without an end is counted.
    """
    supports = [
        replace(support, weight=support.weight - OTHER * (not _may_be_length(support)))
        for answer in weighed.answers for support in answer.support if support.field != "dates"
    ]  # fmt: skip
    for unit, reading in zip(units, readings, strict=True):
        if len(unit.facts) == 1 and not is_duration(unit.facts[0].object):
            text = fact_duration(unit.facts[0], at)
            if text is not None:
                supports.append(Support(unit, reading, text, -1, reading.relevance, "dates"))
    return replace(weighed, answers=answers_of(supports))


def _may_be_length(support: Support) -> bool:
    """Whether an answer is a length of time as it stands: in words, or a number of a fact ("age | 42")."""
    return is_duration(support.text) or (bool(support.unit.facts) and support.text.isdigit())
