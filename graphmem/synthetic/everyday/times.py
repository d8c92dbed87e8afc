"""Expressions of time in everyday texts, absolute and relative to the day of writing, with what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from graphmem.synthetic.templates import load

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBERS: Final = ("two", "three", "four", "five", "six")
_SEASONS: Final = {"spring": 21, "summer": 22, "autumn": 23}
_SEASON_MONTHS: Final = {"spring": (3, 5), "summer": (6, 8), "autumn": (9, 11)}


@dataclass(frozen=True, slots=True)
class TimePart:
    """Words of an expression of time.

    Attributes:
        words: the characters, with the spaces around them.
        value: the time that they name, in EDTF; None for the words between two times ("since", "to").
        precision: ``day``, ``week``, ``month``, ``quarter``, ``season``, ``year`` or ``decade``; empty without a value.
        relative: whether the value depends on the day of writing.
    """

    words: str
    value: str | None = None
    precision: str = ""
    relative: bool = False


Expression = list[TimePart]


class TimeWriter:
    """Random expressions of time for a text written on ``day``."""

    def __init__(self, rng: Random, day: date) -> None:
        self.rng, self.day = rng, day
        self._months: list[str] = load("names")["months"]
        self.day_first = rng.random() < 0.7

    def expression(self, slot: str) -> Expression:
        """Return an expression for a slot of a frame.

        Args:
            slot: ``begin``, ``end`` and ``at`` (a point in the past), ``next`` (in the future), ``since``, ``until``,
                ``span`` (two times), ``day`` (a coming day without a preposition).
        """
        if slot in ("begin", "end"):
            return self._point()
        if slot == "at":
            return self._point() if self.rng.random() < 0.8 else self._period()
        if slot == "day":
            return [self.future_day()]
        makers: dict[str, Callable[[], Expression]] = {
            "next": self._future, "since": self._since, "until": self._until, "span": self._span,
        }  # fmt: skip
        return makers[slot]()

    def written(self, day: date, *, year: bool = True) -> str:
        """Return a day as it is written: ``3 May 2024``, ``May 3rd``, ``03/05/2024``, ``2024-05-03``."""
        rng, month = self.rng, self._months[day.month - 1]
        ending = "th" if 10 < day.day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
        short = month if rng.random() < 0.7 else month[:3]
        number = f"{day.day}{ending}" if rng.random() < 0.3 else str(day.day)
        if not year:
            return rng.choice((f"{number} {short}", f"{short} {number}", f"{number} of {month}"))
        first, second = (day.day, day.month) if self.day_first else (day.month, day.day)
        forms = (
            f"{number} {short} {day.year}", f"{short} {number}, {day.year}", day.isoformat(),
            f"{first:02d}/{second:02d}/{day.year}", f"{day.day}.{day.month}.{day.year}",
        )  # fmt: skip
        return rng.choices(forms, (6, 3, 1, 1, 1))[0]

    def birth_day(self) -> TimePart:
        """Return the day of birth of somebody of 5 to 90 years."""
        day = self.day - timedelta(days=self.rng.randint(5 * 366, 90 * 365))
        return TimePart(self.written(day), day.isoformat(), "day")

    def future_day(self) -> TimePart:
        """Return a coming day that can stand after "on" and "by"."""
        rng, ahead = self.rng, self.rng.choice((1, 2, 3, 4, 5, 6, 9, 12, 16, 25, 40, 75))
        day = self.day + timedelta(days=ahead)
        name = _WEEKDAYS[day.weekday()]
        if ahead < 7 and rng.random() < 0.7:
            return TimePart(name, day.isoformat(), "day", True)
        if rng.random() < 0.25:
            with_name = f"{name}, {self.written(day, year=False)}"
            return TimePart(with_name, day.isoformat(), "day", True)
        full = day.year != self.day.year or rng.random() < 0.4
        return TimePart(self.written(day, year=full), day.isoformat(), "day", not full)

    def _point(self) -> Expression:
        rng = self.rng
        makers = (self._recent, self._month, self._year, self._past_date, self._ago, self._last, self._part)
        return rng.choices(makers, (4, 3, 3, 3, 3, 2, 1))[0]()

    def _recent(self) -> Expression:
        rng, back = self.rng, self.rng.choice((0, 1, 2, 3, 4, 5, 6))
        day = self.day - timedelta(days=back)
        value = day.isoformat()
        if back < 2:
            words = rng.choice(("today", "this morning")) if not back else rng.choice(("yesterday", "last night"))
            return [TimePart(words, value, "day", True)]
        name = _WEEKDAYS[day.weekday()]
        if rng.random() < 0.5:
            return [TimePart("on "), TimePart(name, value, "day", True)]
        return [TimePart(f"last {name}", value, "day", True)]

    def _month(self) -> Expression:
        """A month, with its year or without; without one it is the latest before the day of writing."""
        rng, year, month = self.rng, *self._months_back(self.rng.randint(1, 11))
        name, word = self._months[month - 1], self.rng.choice(("in ", "in ", "back in ", "in early ", "at the end of "))
        if rng.random() < 0.5:
            return [TimePart(word), TimePart(name, f"{year}-{month:02d}", "month", True)]
        year, month = self._months_back(rng.randint(1, 150))
        return [TimePart(word), TimePart(f"{self._months[month - 1]} {year}", f"{year}-{month:02d}", "month")]

    def _year(self) -> Expression:
        year = str(self.day.year - self.rng.choice((1, 1, 2, 3, 4, 5, 7, 10, 14, 20)))
        before = self.rng.choice(("in ", "in ", "in ", "early in ", "at the end of "))
        return [TimePart(before), TimePart(year, year, "year")]

    def _past_date(self) -> Expression:
        day = self.day - timedelta(days=self.rng.randint(8, 2500))
        recent = (self.day - day).days < 300 and self.rng.random() < 0.6
        return [TimePart("on "), TimePart(self.written(day, year=not recent), day.isoformat(), "day", recent)]

    def _ago(self) -> Expression:
        rng, count = self.rng, self.rng.randint(2, 6)
        unit = rng.choice(("days", "weeks", "months", "years"))
        words = f"{_NUMBERS[count - 2] if rng.random() < 0.7 else count} {unit} ago"
        return [TimePart(words, *self._back(unit, count), True)]

    def _back(self, unit: str, count: int) -> tuple[str, str]:
        """The time ``count`` units before the day of writing, and its precision."""
        if unit == "days":
            return (self.day - timedelta(days=count)).isoformat(), "day"
        if unit == "weeks":
            return f"{(self.day - timedelta(weeks=count)).isoformat()}~", "week"
        if unit == "months":
            year, month = self._months_back(count)
            return f"{year}-{month:02d}", "month"
        return str(self.day.year - count), "year"

    def _last(self) -> Expression:
        rng = self.rng
        unit = rng.choice(("week", "month", "year", "season"))
        if unit == "season":
            name, year = self._season()
            return [TimePart(f"last {name}", f"{year}-{_SEASONS[name]}", "season", True)]
        return [TimePart(f"last {unit}", *self._unit(unit, -1), True)]

    def _unit(self, unit: str, step: int) -> tuple[str, str]:
        """The last (-1) or next (1) week, month or year, and its precision; a week is its Monday, approximately."""
        if unit == "week":
            monday = self.day - timedelta(days=self.day.weekday()) + timedelta(weeks=step)
            return f"{monday.isoformat()}~", "week"
        if unit == "month":
            year, month = self._months_back(-step)
            return f"{year}-{month:02d}", "month"
        return str(self.day.year + step), "year"

    def _season(self) -> tuple[str, int]:
        """The name of a season and the year of the last one that is over."""
        name = self.rng.choice(tuple(_SEASONS))
        return name, self.day.year - (self.day.month <= _SEASON_MONTHS[name][1])

    def _part(self) -> Expression:
        """A quarter of a year, or a season with its year."""
        rng, year = self.rng, self.day.year - self.rng.randint(1, 9)
        if rng.random() < 0.5:
            quarter = rng.randint(1, 4)
            words = rng.choice((f"Q{quarter} {year}", f"Q{quarter} of {year}"))
            return [TimePart("in "), TimePart(words, f"{year}-{quarter + 32}", "quarter")]
        name = rng.choice(tuple(_SEASONS))
        words = rng.choice((f"{name} {year}", f"the {name} of {year}"))
        return [TimePart("in "), TimePart(words, f"{year}-{_SEASONS[name]}", "season")]

    def _period(self) -> Expression:
        """A decade."""
        decade = self.day.year // 10 - self.rng.randint(1, 5)
        return [TimePart("in "), TimePart(f"the {decade}0s", f"{decade}X", "decade")]

    def _future(self) -> Expression:
        rng = self.rng
        chance = rng.random()
        if chance < 0.25:
            return [TimePart("from " if rng.random() < 0.2 else "on "), self.future_day()]
        if chance < 0.35:
            return [TimePart("tomorrow", (self.day + timedelta(days=1)).isoformat(), "day", True)]
        if chance < 0.55:
            unit = rng.choice(("week", "month", "year"))
            return [TimePart(f"next {unit}", *self._unit(unit, 1), True)]
        if chance < 0.7:
            count, unit = rng.randint(2, 6), rng.choice(("days", "weeks", "months", "years"))
            words = f"in {_NUMBERS[count - 2] if rng.random() < 0.7 else count} {unit}"
            return [TimePart(words, *self._back(unit, -count), True)]
        year, month = self._months_back(-rng.randint(1, 11))
        name, value = self._months[month - 1], f"{year}-{month:02d}"
        if chance < 0.85:
            return [TimePart("from " if rng.random() < 0.25 else "in "), TimePart(name, value, "month", True)]
        if chance < 0.93:
            return [TimePart("in "), TimePart(f"{name} {year}", value, "month")]
        later = str(self.day.year + rng.randint(1, 16))
        return [TimePart("in "), TimePart(later, later, "year")]

    def _since(self) -> Expression:
        rng = self.rng
        if rng.random() < 0.3:
            count, unit = rng.randint(2, 6), rng.choice(("days", "weeks", "months", "years"))
            words = f"{_NUMBERS[count - 2] if rng.random() < 0.7 else count} {unit}"
            return [TimePart("for "), TimePart(words, *self._back(unit, count), True)]
        return [TimePart("since "), self._bare()]

    def _until(self) -> Expression:
        return [TimePart(self.rng.choice(("until ", "until ", "till ", "up to "))), self._bare()]

    def _bare(self) -> TimePart:
        """A point in the past without its preposition, other than "two weeks ago"."""
        makers = (self._recent, self._month, self._year, self._past_date, self._last, self._part)
        part = self.rng.choices(makers, (3, 3, 4, 3, 2, 1))[0]()[-1]
        return part

    def _span(self) -> Expression:
        rng, end = self.rng, self.day.year - self.rng.randint(0, 12)
        start = end - rng.randint(1, 9)
        first, last = TimePart(str(start), str(start), "year"), TimePart(str(end), str(end), "year")
        if rng.random() < 0.35:
            first, last = (
                TimePart(f"{self._months[month - 1]} {part.value}", f"{part.value}-{month:02d}", "month")
                for part, month in ((first, rng.randint(1, 12)), (last, rng.randint(1, max(1, self.day.month))))
            )
        before, between = rng.choice((("from ", " to "), ("between ", " and "), ("from ", " until "), ("from ", " - ")))
        return [TimePart(before), first, TimePart(between), last]

    def _months_back(self, count: int) -> tuple[int, int]:
        """Year and month of the month ``count`` before that of writing."""
        year, month = divmod(self.day.year * 12 + self.day.month - 1 - count, 12)
        return year, month + 1
