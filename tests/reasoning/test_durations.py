"""Lengths of time: their precision, facts that still hold, ages, and dates that cannot be read."""

from __future__ import annotations

import pytest

from graphmem.core.errors import InvalidTime
from graphmem.core.times import to_micros
from graphmem.core.types import Fact
from graphmem.reasoning.durations import elapsed, fact_duration, is_duration

AT = to_micros("2026-11-30") or 0


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2001", "2014", "13 years"),
        ("2008", "2021-03", "13 years"),
        ("2020-01", "2022-04", "2 years and 3 months"),
        ("1961-05-20", "2009-02-14", "47 years and 8 months"),
        ("2024-01-30", "2024-02-02", "3 days"),
        ("2020-02-29", "2021-03-01", "1 year and 1 day"),
        ("2012", "2012", "less than a year"),
        ("2012", "2013", "1 year"),
        ("1815~", "1820", "about 5 years"),
        ("-0043", "0014", "57 years"),
    ],
)
def test_a_length_is_as_precise_as_its_dates(start: str, end: str, text: str) -> None:
    assert str(elapsed(start, end)) == text


def test_a_negative_length_is_none_and_no_date_is_refused() -> None:
    assert elapsed("2014", "2001") is None
    with pytest.raises(InvalidTime):
        elapsed("some day", "2001")


def test_the_interval_of_a_fact_is_counted_up_to_the_moment_of_asking() -> None:
    assert fact_duration(Fact("a", "r", "b", valid_from="1974", valid_to="1998"), AT) == "24 years (1974 to 1998)"
    assert fact_duration(Fact("a", "r", "b", valid_from="2020"), AT) == "6 years (since 2020)"
    assert fact_duration(Fact("a", "r", "b", valid_from="2024-11-30"), AT) == "2 years (since 30 November 2024)"
    assert fact_duration(Fact("a", "r", "b", valid_to="2020"), AT) is None
    assert fact_duration(Fact("a", "r", "b", valid_from="2030"), AT) is None


def test_an_age_is_counted_from_the_date_of_an_undated_fact() -> None:
    assert fact_duration(Fact("Ann", "born", "30 November 1996"), AT) == "30 years (since 30 November 1996)"
    assert fact_duration(Fact("Ann", "born", "1938"), AT) == "88 years (since 1938)"
    assert fact_duration(Fact("Ann", "weighs", "2000 pounds or so"), AT) is None
    assert fact_duration(Fact("Ann", "born", "in Vik"), AT) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ten days", True), ("13 years", True), ("two weeks", True), ("ten days ago", False), ("1998", False),
     ("two", False), ("Oslo", False), ("", False), ("last year", False), ("x" * 100_000, False)],
)  # fmt: skip
def test_a_text_is_a_length_of_time_or_not(text: str, expected: bool) -> None:
    assert is_duration(text) is expected
