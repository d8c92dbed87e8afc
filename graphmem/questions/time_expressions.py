"""Times that a question names, absolute or relative to the moment of asking.

Absolute times are spans that ``core.times`` reads (``2010``, ``June 2019``, ``the summer of 2023``, ``the 1990s``);
relative ones (``last year``, ``two years ago``) are found and read by dateparser.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import islice
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidTime
from graphmem.core.times import Moment, from_micros, is_date_like, read_time, to_micros

DAY = 86_400_000_000
"""Microseconds of a day."""

MAX_WORDS = 5
"""Words of the longest time that is looked for."""

MAX_CHARACTERS, MAX_READ = 600, 60
"""Characters of a text in which times are looked for, and groups of its words that are read as a time."""

_WORDS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"\w+(?:[-'’.,:]\w+)*")
_BESIDE = frozenset("#$€£%-/")
"""Signs next to which a number is no time."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A time that a text names: characters ``start`` to ``end``, and its interval in microseconds, end exclusive."""

    start: int
    end: int
    first: int
    after: int

    def overlaps(self, valid_from: int | None, valid_to: int | None) -> bool:
        """Whether a fact with this valid interval (None: open) held at some moment of the time."""
        return (valid_from is None or valid_from < self.after) and (valid_to is None or valid_to > self.first)


def moment_of_asking(at: Any = None) -> int:
    """The moment of asking in microseconds since 1970 UTC; now when None.

    Raises:
        InvalidTime: ``at`` cannot be read as a time.
    """
    given = to_micros(at)
    return given if given is not None else int(datetime.now(UTC).timestamp() * 1e6)


def find_times(text: str, at: int, taken: Collection[tuple[int, int]] = ()) -> list[TimeSpan]:
    """The times that a text names, in their order.

    Args:
        at: moment of asking in microseconds, to which relative times refer.
        taken: spans of names, in characters; a time in one of them is a part of that name.
    """
    text = text[:MAX_CHARACTERS]
    found: list[TimeSpan] = []
    free = lambda start, end: all(end <= a or start >= b for a, b in [*taken, *((s.start, s.end) for s in found)])
    words = [match.span() for match in _WORD.finditer(text)]
    groups = (words[i : i + n] for n in range(MAX_WORDS, 0, -1) for i in range(len(words) - n + 1))
    for group in islice((g for g in groups if is_date_like(text[g[0][0] : g[-1][1]])), MAX_READ):
        if free(group[0][0], group[-1][1]) and (span := _absolute(text, group, at)) is not None:
            found.append(span)
    found += [span for span in _relative(text, at) if free(span.start, span.end)]
    return sorted(found, key=lambda span: span.start)


def _absolute(text: str, words: Sequence[tuple[int, int]], at: int) -> TimeSpan | None:
    """The time that some words in a row name, without words at its beginning that do not change it; None for others."""
    start, end = words[0][0], words[-1][1]
    moment = _moment(text, start, end, at)
    if moment is None or (len(words) > 1 and _same(_moment(text, start, words[-2][1], at), moment)):
        return None
    start = max(first for first, _ in words if _same(_moment(text, first, end, at), moment))
    return TimeSpan(start, end, moment.first, moment.after if moment.after is not None else moment.first + DAY)


def _same(one: Moment | None, other: Moment) -> bool:
    return one is not None and one[:2] == other[:2]


def _moment(text: str, start: int, end: int, at: int) -> Moment | None:
    """The time of characters ``start`` to ``end``; a month or season without a year is the latest before ``at``."""
    part = text[start:end]
    if text[max(0, start - 1) : start] in _BESIDE or text[end : end + 1] in _BESIDE:
        return None
    if not any(character.isdigit() for character in part):
        return _without_year(part, at)
    if part.isdigit() and len(part) != 4:
        return None
    has_year = re.search(r"(?<!\d)\d{4}(?!\d)", part) or any(character.isalpha() for character in part)
    return _read(part) if has_year else None


def _without_year(part: str, at: int) -> Moment | None:
    """A month or season, marked by another word of a date ("in March"), of the year before ``at``."""
    if len(part.split()) < 2:
        return None
    year = int((from_micros(at) or "0000")[:4])
    for candidate in (year, year - 1):
        moment = _read(f"{part.split()[-1]} {candidate}")
        if moment is not None and re.fullmatch(r"\d{4}-\d\d", moment.text or "") and moment.first <= at:
            return moment
    return None


@lru_cache(maxsize=4096)
def _read(part: str) -> Moment | None:
    try:
        return read_time(part)
    except InvalidTime:
        return None


def _relative(text: str, at: int) -> Iterator[TimeSpan]:
    """Times relative to ``at`` and not after it, in days or more. A duration ("two years") is read as to come."""
    if not any(character.isdigit() for character in text) and _time_words().isdisjoint(_WORDS.findall(text.lower())):
        return
    from dateparser.date import DateDataParser
    from dateparser.search import search_dates

    base = datetime(1970, 1, 1) + timedelta(days=at // DAY, hours=12)
    settings: Any = {"RELATIVE_BASE": base, "PARSERS": ["relative-time"], "PREFER_DATES_FROM": "future"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dateparser's, about dates without a year
        dates = search_dates(text, languages=["en"], settings=settings) or []
        position, parser = 0, DateDataParser(languages=["en"], settings=settings)
        for part, moment in dates:
            start = text.find(part, position)
            if start < 0 or moment > base or (moment.hour, moment.second) != (12, 0):
                continue
            position = start + len(part)
            yield TimeSpan(start, position, *_period(moment, str(parser.get_date_data(part).period)))


@cache
def _time_words() -> frozenset[str]:
    """Words of dateparser's English data one of which is in every relative time without digits: units of time, and
    phrases such as "yesterday" and "tonight". Read without importing dateparser, which takes a quarter of a second."""
    package = find_spec("dateparser")
    assert package is not None and package.submodule_search_locations
    data = Path(package.submodule_search_locations[0], "data", "date_translation_data", "en.py")
    found = spec_from_file_location("dateparser_en", data)
    assert found is not None and found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    info: dict[str, Any] = module.info
    units = set(info) - {"name", "skip", "pertain", "ago", "in", "sentence_splitter_group"}
    phrases = [
        phrase for key in units if isinstance(info[key], list) for phrase in info[key] if isinstance(phrase, str)
    ]
    phrases += [phrase for known in info["relative-type"].values() for phrase in known]
    phrases += [phrase for rule in info["simplifications"] for phrase in rule if phrase.replace(" ", "").isalpha()]
    return frozenset(word for phrase in phrases for word in _WORDS.findall(phrase.lower()) if len(word) > 2)


def _period(moment: datetime, period: str) -> tuple[int, int]:
    """The year, month, week or day around a moment, in microseconds, end exclusive."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if period in ("year", "month"):
        read = read_time(f"{day:%Y}" if period == "year" else f"{day:%Y-%m}")
        assert read is not None and read.after is not None
        return read.first, read.after
    begin = day - timedelta(days=day.weekday()) if period == "week" else day
    first = (begin - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    return first, first + DAY * (7 if period == "week" else 1)
