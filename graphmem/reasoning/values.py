"""Typed values of names and literals: numbers with units, money, durations and dates, as far as they compare.

Units are converted by Pint to base units; a word that is no unit ("doors") is a unit of its own, and so is a sign of
a currency. Dates keep their precision: a year is an interval, and overlaps with each of its days.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Literal

from graphmem.core.errors import InvalidTime
from graphmem.core.times import read_time

Kind = Literal["number", "date"]

MAX_LITERAL = 64
"""Characters of the longest text that is a value."""

MAX_UNIT_WORDS = 4
"""Words of the longest unit."""

_DAY = 86_400_000_000
_NUMBER = r"[-+−]?(?:\d{1,3}(?:[,’' ]\d{3})+|\d+)(?:\.\d+)?"
_LITERAL = re.compile(rf"(?P<before>[^\d\s.,+−-]{{0,3}})\s?(?P<number>{_NUMBER})(?![\d/:])(?P<after>.*)", re.S)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)\b", re.IGNORECASE)
_YEAR = re.compile(r"[12]\d{3}")
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_POWERS = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9}


@dataclass(frozen=True, slots=True)
class Value:
    """A value that was read in a name or literal.

    Attributes:
        text: as given.
        kind: ``number`` or ``date``.
        unit: base unit, sign of a currency or words; empty for dates and bare numbers.
        low, high: the number in base units; of a date, the first instant and the instant after the last one, in days
            since 1970.
        year: whether the text is four digits that may be a year or a number; such a value is a date, and compares
            with bare numbers too.
    """

    text: str
    kind: Kind
    unit: str
    low: float
    high: float
    year: bool = False

    @property
    def number(self) -> float:
        """The bare number of a value that may be a year; else the magnitude."""
        return float(self.text) if self.year else self.low


@lru_cache(maxsize=65_536)
def typed(text: str) -> Value | None:
    """The value that a whole text states, or None: ``19.4 kg``, ``£3,900``, ``two weeks``, ``4 May 1998``, ``2009``."""
    text = " ".join(text.split())
    if not text or len(text) > MAX_LITERAL:
        return None
    found = _number(text) or _date(text)
    return None if found is None else replace(found, text=text)


def comparable(first: Value, second: Value) -> bool:
    """Whether two values lie on one scale: the same kind and unit, or a bare number and what may be a year."""
    if first.kind != second.kind:
        number, date = (first, second) if first.kind == "number" else (second, first)
        return date.year and not number.unit
    return first.unit == second.unit


def on_one_scale(values: Sequence[Value]) -> list[int]:
    """Positions of the largest group of values that compare with each other; the first of groups of one size."""
    groups: dict[tuple[str, str], list[int]] = {}
    bare = any(value.kind == "number" and not value.unit for value in values)
    for at, value in enumerate(values):
        key = ("number", "") if value.year and bare else (value.kind, value.unit)
        groups.setdefault(key, []).append(at)
    return max(groups.values(), key=len, default=[])


def magnitude(value: Value, values: Sequence[Value]) -> float:
    """The number by which a value is ordered among ``values`` of its scale."""
    return value.low if all(other.kind == "date" for other in values) else value.number


def compare(value: Value, sign: str, constant: Value) -> bool:
    """Whether ``value sign constant`` holds, for the signs ``< <= = >= >``; False where they do not compare.

    A date is before a year where it ends before the year begins, and equal to it where the two overlap.
    """
    if not comparable(value, constant):
        return False
    if value.kind == constant.kind == "date":
        low, high, first, after = value.low, value.high, constant.low, constant.high
    else:
        low = high = value.number
        first = after = constant.number
    if sign in ("=", "<=", ">=") and low <= first < max(high, math.nextafter(low, math.inf)):
        return True
    if sign in ("=", "<=", ">=") and first <= low < max(after, math.nextafter(first, math.inf)):
        return True
    return (sign in ("<", "<=") and high <= first) if sign in ("<", "<=") else sign in (">", ">=") and low >= after


def in_unit_of(amount: float, like: Value) -> str:
    """An amount in base units as a text in the unit of a value: 4150 like ``£3,900`` is ``£4,150``."""
    found = _LITERAL.fullmatch(_with_digits(like.text))
    if found is None:
        return plain_number(amount)
    before, after, start = found["before"], found["after"], found.start("number")
    one = typed(f"{found[0][:start]}1{after}")
    number = amount / (one.low if one is not None and one.low else 1.0)
    currency = before or _is_currency(after.strip())
    return f"{found[0][:start]}{plain_number(number, cents=bool(currency and number % 1))}{after}".strip()


def plain_number(number: float, cents: bool = False) -> str:
    """A number without an exponent, thousands apart; at most six decimals, or the two of money."""
    text = f"{number:,.2f}" if cents else f"{round(number, 6):,.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def difference(first: Value, second: Value) -> float | None:
    """``first`` less ``second`` in base units, days for dates; None where they do not compare."""
    if not comparable(first, second):
        return None
    pair = (first, second)
    return magnitude(first, pair) - magnitude(second, pair)


def _with_digits(text: str) -> str:
    """A text whose first word is written in digits where it is a small number."""
    head, _, rest = text.partition(" ")
    return f"{_WORDS.index(head.casefold())} {rest}".strip() if head.casefold() in _WORDS else text


def _number(text: str) -> Value | None:
    """A number with a unit; None for other texts and for what may be a year."""
    text = _with_digits(text)
    found = None if _ORDINAL.match(text) else _LITERAL.fullmatch(text)
    if found is None or (_YEAR.fullmatch(text) and not _is_currency(found["before"])):
        return None
    before, after = found["before"], found["after"].strip()
    if before and not _is_currency(before):
        return None
    number = float(re.sub(r"[,’' ]", "", found["number"]).replace("−", "-"))
    power, _, more = after.partition(" ")
    if power.casefold() in _POWERS and (before or len(power) > 2):
        number, after = number * _POWERS[power.casefold()], more
    if not _is_unit(after) or (after and not before and _date(text) is not None):
        return None
    unit, factor = (f"{before} {after}".strip(), 1.0) if before else base_unit(after)
    return Value(text, "number", unit, number * factor, number * factor)


def _date(text: str) -> Value | None:
    """A date of any precision."""
    if not any(map(str.isdigit, text)):
        return None
    try:
        moment = read_time(text)
    except InvalidTime:
        return None
    if moment is None:
        return None
    after = moment.first + _DAY if moment.after is None else moment.after
    year = _YEAR.fullmatch(text) is not None
    return Value(text, "date", "", moment.first / _DAY, after / _DAY, year)


def _is_currency(sign: str) -> bool:
    """Whether a text is the sign of a currency or a code of three letters."""
    return sign[-1:] != "" and (unicodedata.category(sign[-1]) == "Sc" or (len(sign) == 3 and sign.isupper()))


def _is_unit(words: str) -> bool:
    """Whether words after a number may be a unit: few, without digits and signs of a sentence."""
    return len(words.split()) <= MAX_UNIT_WORDS and not re.search(r"[\d,;:.!?\"()]", words)


@lru_cache(maxsize=4096)
def base_unit(words: str) -> tuple[str, float]:
    """Base unit and factor of a unit; the folded words themselves where Pint knows none, or several words."""
    folded = words if _is_currency(words) else words.casefold()
    if not words or " " in words:
        return folded, 1.0
    if _is_currency(words):
        return words, 1.0
    try:
        quantity, twice = (_registry().Quantity(count, words).to_base_units() for count in (1, 2))
    except Exception:  # Pint raises errors of many kinds for words that are no units
        return folded, 1.0
    factor = float(quantity.magnitude)
    scaled = abs(float(twice.magnitude) - 2 * factor) <= 1e-9 * abs(factor)  # degrees Celsius have another zero
    return (str(quantity.units), factor) if scaled and len(str(quantity.units).split()) < 4 else (folded, 1.0)


@lru_cache(maxsize=4096)
def is_unit(word: str) -> bool:
    """Whether a word is a unit that converts into others."""
    try:
        return bool(_registry().Quantity(1, word).dimensionality)
    except Exception:  # Pint raises errors of many kinds for words that are no units
        return False


@cache
def _registry() -> Any:
    from pint import UnitRegistry

    return UnitRegistry(cache_folder=None)
