"""Texts of sums and differences: in the unit that a question asks for, else in that of the values."""

from __future__ import annotations

from collections.abc import Sequence

from graphmem.core.errors import InvalidTime
from graphmem.reasoning.durations import Duration, elapsed
from graphmem.reasoning.topics import lemma
from graphmem.reasoning.values import Value, base_unit, in_unit_of, is_unit, magnitude, plain_number
from graphmem.text.name_matching import trimmed_words
from graphmem.text.word_classes import STOP_WORDS

SHORTEST_UNIT = 4
"""Letters of the shortest word that is a unit a question asks for: "in" and "at" are units too."""

MAX_WORDS = 200
"""Words of a question that are looked at."""

_SECONDS_A_DAY = 86_400


def asked_unit(question: str, taken: Sequence[tuple[int, int]]) -> str:
    """The first word of a question that is a unit ("how many days …"), outside the spans ``taken``; empty for none."""
    for start, end in trimmed_words(question)[:MAX_WORDS]:
        word = question[start:end].casefold()
        free = len(word) >= SHORTEST_UNIT and word not in STOP_WORDS
        if free and not any(first < end and start < last for first, last in taken):
            if is_unit(lemma(word)):
                return word
    return ""


def sum_text(values: Sequence[Value], unit: str = "") -> str:
    """The sum of values of one scale, in the unit asked for, or in the first one's."""
    return _amount_text(sum(magnitude(value, values) for value in values), values, unit)


def difference_text(first: Value, second: Value, unit: str = "") -> str:
    """How far two values lie apart: between dates, a length of time as precise as they are."""
    values = (first, second)
    if all(value.kind == "date" for value in values):
        earlier, later = sorted(values, key=lambda value: value.low)
        return _between(earlier, later, unit)
    return _amount_text(abs(magnitude(first, values) - magnitude(second, values)), values, unit)


def _amount_text(amount: float, values: Sequence[Value], unit: str) -> str:
    """An amount in base units: in the unit asked for where it fits, else in that of the first value."""
    base, factor = base_unit(lemma(unit)) if unit else ("", 1.0)
    if unit and base == values[0].unit and values[0].unit:
        return f"{plain_number(amount / factor)} {unit}"
    return in_unit_of(amount, values[0])


def _between(first: Value, second: Value, unit: str) -> str:
    """The time from one date to another; about as many of a unit as lie between them where one is asked for."""
    try:
        length: Duration | None = elapsed(first.text, second.text)
    except InvalidTime:
        length = None
    base, factor = base_unit(lemma(unit)) if unit else ("", 1.0)
    days = second.low - first.low
    if length is None:
        return f"{plain_number(round(days))} days"
    if base != "second":
        return str(length)
    name = lemma(unit)
    whole = {"year": length.years, "month": 12 * length.years + length.months}.get(name)
    exact = length.is_exact and (name == "year" or length.precision in (name, "day"))
    count = round(days * _SECONDS_A_DAY / factor) if whole is None else whole
    return f"{'' if exact else 'about '}{plain_number(count)} {unit if count != 1 else name}"
