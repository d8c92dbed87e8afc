"""Times: microseconds since 1970 UTC below the surface, ISO 8601 and EDTF text above it.

A text less precise than a day (``1995``, ``1995-06``, ``199X``, ``1815~``) keeps its precision: as the start of a fact
it is its first instant, as the end of a fact the instant after its last one, and it is shown as it was given.
"""

from __future__ import annotations

import calendar
import operator
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from graphmem.core.errors import InvalidTime

Time = str | int | date | datetime
"""What a caller may pass as a time: ISO or EDTF text, a year as a number, a date, or a datetime (UTC by default)."""

OPEN = ".."
"""EDTF's sign of an open start or end."""

_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_TEXT = 64
_HINT = "use ISO text such as 2024-05-01, a year, or EDTF such as 1815~, 199X, -0043 (44 BC); timestamps as datetime"
_PLAIN = re.compile(r"(-?)(\d{1,4})(?:-(\d{1,2}))?", re.ASCII)
_CIRCA = frozenset("c ca circa about around approximately approx".split())
_DOUBT = frozenset("probably possibly perhaps maybe".split())
_WITHIN = frozenset("early mid late beginning start middle end".split())
_ORDINALS = {name: number for number, name in enumerate("first second third fourth".split(), 1)}
_PART = re.compile(
    rf"\b(?:(?P<sign>[qh])\s?(?P<number>\d)|(?P<word>{'|'.join(_ORDINALS)}|\d(?=st|nd|rd|th))"
    r"(?:st|nd|rd|th)?[ -](?P<name>quarter|half)(?: of(?: the)?)?)\b"
)
_ERAS = {"bc": -1, "bce": -1, "ad": 1, "ce": 1}
_WORDS = frozenset(
    [*"the in of century st nd rd th s spring summer autumn fall winter q h quarter half".split(), *_CIRCA]
    + [*_DOUBT, *_WITHIN, *_ORDINALS]
    + [name.lower() for names in (calendar.month_name, calendar.month_abbr) for name in names if name]
)
"""Words of a date that the parser of natural language is trusted with; it skips what it does not know."""


class Moment(NamedTuple):
    """A time as given: its first instant, the instant after it where it is less precise than a day, its EDTF text."""

    first: int
    after: int | None = None
    text: str | None = None


class Interval(NamedTuple):
    """A valid interval: two instants, the end exclusive, and its EDTF text where they do not say it exactly."""

    start: int | None
    end: int | None
    text: str | None


def is_date_like(text: str) -> bool:
    """Whether every word of a text is a number or a word of dates, so that it is worth reading as a time."""
    words = re.findall(r"\d+|[^\W\d]+", text.lower())
    return bool(words) and all(word.isdigit() or word in _WORDS or word in _ERAS for word in words)


def to_micros(time: Time | None) -> int | None:
    """First instant of a time, in microseconds since 1970 UTC; None for None and ``..``.

    Raises:
        InvalidTime: the value cannot be read as a time between the years -9999 and 9999.
    """
    moment = read_time(time)
    return None if moment is None else moment.first


def end_micros(time: Time | None) -> int | None:
    """End of an interval up to a time: the instant after a year, month or season, the first instant of a full date."""
    moment = read_time(time)
    return None if moment is None else moment.first if moment.after is None else moment.after


def as_text(time: Time | None) -> str | None:
    """ISO or EDTF text of a time, with the precision that it was given with."""
    moment = read_time(time)
    return None if moment is None else moment.text or from_micros(moment.first)


def read_time(time: Any) -> Moment | None:
    """A time with its precision; None for None and ``..``. Raises ``InvalidTime``: see ``to_micros``."""
    if time is None or (isinstance(time, str) and time.strip() == OPEN):
        return None
    if isinstance(time, datetime):
        moment = time if time.tzinfo else time.replace(tzinfo=UTC)
        return Moment((moment - _EPOCH) // timedelta(microseconds=1))
    if isinstance(time, date):
        return Moment(_micros(time.year, time.month, time.day))
    if isinstance(time, str):
        return _read_text(time.strip() if len(time) < 4 * _MAX_TEXT else time)
    try:
        year = operator.index(time)
    except TypeError:
        raise InvalidTime(f"cannot read {time!r:.80} as a time; {_HINT}") from None
    if isinstance(time, bool) or abs(year) > 9999:
        raise InvalidTime(f"cannot read {time!r:.80} as a time: a whole number is a year, -9999 to 9999; {_HINT}")
    return _period(year, None)


def valid_interval(valid_from: Any, valid_to: Any) -> Interval:
    """Valid interval of a fact. ``valid_from`` alone may be an EDTF interval (``1990/1995~``).

    Raises:
        InvalidTime: a time that cannot be read, or an interval that ends before it starts.
    """
    if valid_to is None and isinstance(valid_from, str) and valid_from.count("/") == 1:
        valid_from, valid_to = (part.strip() or None for part in valid_from.split("/"))
    start, end = read_time(valid_from), read_time(valid_to)
    first = None if start is None else start.first
    after = None if end is None else end.first if end.after is None else end.after
    if first is not None and end is not None and after is not None and (after < first or end.first < after <= first):
        raise InvalidTime(f"valid_to {valid_to!r} is before valid_from {valid_from!r}")
    return Interval(first, after, joined(first, start and start.text, after, end and end.text))


def joined(start: int | None, start_text: str | None, end: int | None, end_text: str | None) -> str | None:
    """EDTF text of an interval from its instants and the texts of those that say more; None where none does."""
    if start_text is None and end_text is None:
        return None
    return f"{start_text or from_micros(start) or OPEN}/{end_text or from_micros(end) or OPEN}"


def shown(start: int | None, end: int | None, text: str | None) -> tuple[str | None, str | None]:
    """Start and end of a stored interval as they were given."""
    if text is None or text.count("/") != 1:
        return from_micros(start), from_micros(end)
    first, last = text.split("/")
    return (None if start is None else first), (None if end is None else last)


def side_texts(start: int | None, end: int | None, text: str | None) -> tuple[str | None, str | None]:
    """The texts of a stored interval's sides that say more than their instants."""
    first, last = shown(start, end, text)
    return (None if first == from_micros(start) else first), (None if last == from_micros(end) else last)


def from_micros(micros: int | None) -> str | None:
    """ISO text of a time in microseconds: the date alone at midnight, else with time and ``Z``."""
    if micros is None:
        return None
    days, rest = divmod(micros, _DAY)
    era, day = divmod(days + 719_468, 146_097)  # proleptic Gregorian, years from 1 March
    of_era = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    of_year = day - (365 * of_era + of_era // 4 - of_era // 100)
    month = (5 * of_year + 2) // 153
    number = (month + 2) % 12 + 1
    year = of_era + era * 400 + (number <= 2)
    shown_year = f"{year:04d}" if 0 <= year <= 9999 else f"-{-year:04d}" if -9999 <= year < 0 else f"Y{year}"
    text = f"{shown_year}-{number:02d}-{of_year - (153 * month + 2) // 5 + 1:02d}"
    if not rest:
        return text
    seconds, fraction = divmod(rest, 1_000_000)
    clock = f"T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}{clock}{f'.{fraction:06d}' if fraction else ''}Z"


def _micros(year: int, month: int, day: int) -> int:
    """First instant of a day of the proleptic Gregorian calendar, with a year 0."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return (era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468) * _DAY


def _period(year: int, month: int | None) -> Moment:
    """A year or a month."""
    name = f"{'-' * (year < 0)}{abs(year):04d}"
    if month is None:
        return Moment(_micros(year, 1, 1), _micros(year + 1, 1, 1), name)
    if not 1 <= month <= 12:
        raise ValueError(f"month must be in 1..12, not {month}")
    years, index = divmod(month, 12)
    return Moment(_micros(year, month, 1), _micros(year + years, index + 1, 1), f"{name}-{month:02d}")


@lru_cache(maxsize=4096)
def _read_text(text: str) -> Moment:
    problem: Exception | str = "no date"
    if len(text) > _MAX_TEXT:
        raise InvalidTime(f"cannot read {text[:40]!r}... as a time: more than {_MAX_TEXT} characters; {_HINT}")
    try:
        plain = _PLAIN.fullmatch(text)
        if plain and (plain[3] is None or int(plain[3]) <= 12):
            return _period(int(plain[1] + plain[2]), None if plain[3] is None else int(plain[3]))
        if text[:1].isdigit() and not plain and (moment := _iso(text)) is not None:
            return moment
        return _read_edtf(text) or _read_edtf(_from_words(text)) or _fail(problem)
    except (ValueError, OverflowError) as error:
        problem = error
    raise InvalidTime(f"cannot read {text!r} as a time ({problem}); {_HINT}")


def _fail(problem: Any) -> Moment:
    raise ValueError(problem)


def _iso(text: str) -> Moment | None:
    """A full date or instant of ISO 8601, or None."""
    try:
        return read_time(datetime.fromisoformat(text))
    except ValueError:
        return None


def _read_edtf(text: str | None) -> Moment | None:
    """A date of EDTF levels 0 and 1, or a season; None for anything else."""
    if not text or not any(character.isdigit() for character in text) or re.search(r"X.*\d", text):
        return None
    from edtf import parse_edtf
    from edtf.parser import parser_classes as kinds

    base = text.rstrip("?~%")
    try:
        parsed = parse_edtf(base)
        if not isinstance(parsed, kinds.Date | kinds.Season | kinds.Unspecified) or len(text) > len(base) + 1:
            return None
        low, high = (tuple(bound)[:3] for bound in (parsed.lower_strict(), parsed.upper_strict()))
    except Exception:  # the parser lets errors of many kinds through
        return None
    if abs(low[0]) > 9999 or abs(high[0]) > 9999:
        return None
    first, last = _micros(*low), _micros(*high)
    return Moment(first, None if first == last else last + _DAY, None if text == from_micros(first) else text)


def _from_words(text: str) -> str | None:
    """EDTF text of a date in words (``c. 1815``, ``early 1990s``, ``12th century``, ``44 BC``, ``Q3 2024``), or None.

    What lies within a period has the precision of that period. Quarters and halves of a year have codes of their own.
    """
    from edtf import text_to_edtf

    sign = text[-1:] if text[-1:] in "?~%" else ""
    text = re.sub(r"\b(early|mid|late)-(?=\d|the )|(?<=\d)-(?=q\d)|(?<=\dth)-(?=c)", r"\1 ", text.lower().rstrip("?~%"))
    text, code = _part(text)
    text = re.sub(r"\b(b|a|c)\.\s?(c|d|e)\.(?:\s?(e)\.)?", r"\1\2\3", text)  # 44 B.C.
    words = re.findall(r"\d+|[^\W\d]+", re.sub(r"(?<=\d)['’](?=s\b)", "", text))
    eras = [_ERAS[word] for word in words if word in _ERAS]
    doubt = not _DOUBT.isdisjoint(words)
    words = [word for word in words if word not in _ERAS and word not in _WITHIN and word not in _DOUBT]
    numbers = [word for word in words if word.isdigit()]
    unknown = [word for word in words if word not in _WORDS and not (word.isascii() and word.isdigit())]
    if unknown or re.search(r"[^\w\s.,'’]", text) or not numbers or len(eras) > 1 or len(numbers) > 2:
        return None
    century = "century" in words
    circa = sign or ("?" if doubt else "~" if any(word in _CIRCA for word in words) else "")
    if eras and not century:  # the parser has no year 0: 1 BC is 0000 in EDTF, 44 BC is -0043
        if len(numbers) > 1 or not set(words) <= {*numbers, *_CIRCA, "the", "in"} or len(numbers[0]) > 4:
            return None
        year = int(numbers[0]) if eras[0] > 0 else 1 - int(numbers[0])
        return f"{'-' * (year < 0)}{abs(year):04d}{circa}"
    kept = " ".join(word for word in words if word not in _CIRCA)
    kept = re.sub(r"(\d) (st|nd|rd|th|s)\b", r"\1\2", kept)
    try:
        found = str(text_to_edtf(kept) or "")
    except Exception:  # the parser lets errors of many kinds through
        return None
    whole = len(numbers) == 1 and "X" in found if century else any(n[:3] in found for n in numbers if n[2:])
    if re.fullmatch(r"\d{4}", found):
        found += code
    return f"{'-' * (eras == [-1])}{found.rstrip('~?')}{circa}" if whole and "/" not in found else None


def _part(text: str) -> tuple[str, str]:
    """A text without the quarter or half of a year that it names, and the end of its EDTF code, such as ``-35``."""
    found = _PART.search(text)
    if found is None:
        return text, ""
    number = int(found["number"] or _ORDINALS.get(found["word"]) or found["word"])
    half = "h" in (found["sign"] or found["name"])
    if not 1 <= number <= (2 if half else 4):
        raise ValueError(f"there is no {found[0]!r}")
    rest = text[: found.start()] + text[found.end() :]
    if _PART.search(rest):
        raise ValueError("two parts of a year")
    return rest.strip(" ,"), f"-{number + (39 if half else 32)}"
