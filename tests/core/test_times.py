from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.core.errors import InvalidTime
from graphmem.core.times import end_micros, from_micros, read_time, shown, to_micros, valid_interval

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "first", "after", "text"),
    [
        ("1843", "1843-01-01", "1844-01-01", "1843"), (1843, "1843-01-01", "1844-01-01", "1843"),
        ("1995-06", "1995-06-01", "1995-07-01", "1995-06"), ("1995-12", "1995-12-01", "1996-01-01", "1995-12"),
        ("1815~", "1815-01-01", "1816-01-01", "1815~"), ("c. 1815", "1815-01-01", "1816-01-01", "1815~"),
        ("1984?", "1984-01-01", "1985-01-01", "1984?"), ("2004-06%", "2004-06-01", "2004-07-01", "2004-06%"),
        ("199X", "1990-01-01", "2000-01-01", "199X"), ("the 1990s", "1990-01-01", "2000-01-01", "199X"),
        ("12XX", "1200-01-01", "1300-01-01", "12XX"), ("12th century", "1100-01-01", "1200-01-01", "11XX"),
        ("2004-06-XX", "2004-06-01", "2004-07-01", "2004-06-XX"), ("2001-21", "2001-03-01", "2001-06-01", "2001-21"),
        ("-0043", "-0043-01-01", "-0042-01-01", "-0043"), ("44 BC", "-0043-01-01", "-0042-01-01", "-0043"),
        ("c. 300 BC", "-0299-01-01", "-0298-01-01", "-0299~"), ("0000", "0000-01-01", "0001-01-01", "0000"),
        (-500, "-0500-01-01", "-0499-01-01", "-0500"), ("5th century BC", "-0499-01-01", "-0399-01-01", "-04XX"),
        ("early 1990s", "1990-01-01", "2000-01-01", "199X"), ("mid-2010s", "2010-01-01", "2020-01-01", "201X"),
        ("the late 1980s", "1980-01-01", "1990-01-01", "198X"), ("early 2019", "2019-01-01", "2020-01-01", "2019"),
        ("mid-19th century", "1800-01-01", "1900-01-01", "18XX"),
        ("late May 2020", "2020-05-01", "2020-06-01", "2020-05"),
        ("end of 2018", "2018-01-01", "2019-01-01", "2018"), ("fall 2015", "2015-09-01", "2015-12-01", "2015-23"),
        ("summer 2019", "2019-06-01", "2019-09-01", "2019-22"), ("Q3 2024", "2024-07-01", "2024-10-01", "2024-35"),
        ("2024-Q1", "2024-01-01", "2024-04-01", "2024-33"), ("2024 Q4", "2024-10-01", "2025-01-01", "2024-36"),
        ("third quarter of 2024", "2024-07-01", "2024-10-01", "2024-35"),
        ("H2 2024", "2024-07-01", "2025-01-01", "2024-41"),
        ("1st half of 1999", "1999-01-01", "1999-07-01", "1999-40"), ("1950s?", "1950-01-01", "1960-01-01", "195X?"),
        ("first half of the 19th century", "1800-01-01", "1900-01-01", "18XX"),
        ("probably 1815", "1815-01-01", "1816-01-01", "1815?"), ("c. Q2 1999", "1999-04-01", "1999-07-01", "1999-34~"),
        ("-0043-03-15", "-0043-03-15", None, None), ("4 May 1901", "1901-05-04", None, None),
        ("2024-05-01", "2024-05-01", None, None), ("2024-05-01T12:00+02:00", "2024-05-01T10:00:00Z", None, None),
        (date(2024, 5, 1), "2024-05-01", None, None), (datetime(2024, 5, 1, 12), "2024-05-01T12:00:00Z", None, None),
    ],
)  # fmt: skip
def test_times_keep_their_precision(time: Any, first: str, after: str | None, text: str | None) -> None:
    moment = read_time(time)
    assert moment is not None
    assert (from_micros(moment.first), from_micros(moment.after), moment.text) == (first, after, text)
    assert to_micros(time) == moment.first and end_micros(time) == (moment.after or moment.first)
    assert text is None or read_time(text) == moment


@pytest.mark.parametrize(
    "time",
    [
        "", "nonsense", "1815 or 1816", "after 1900", "not in 1990", "Q5 2024", "H3 2024", "Q0 2024",
        "5th quarter of 2024", "Q3", "early", "mid-", "late late",
        "early 1990s late 1980s", "FY2024", "1990s-2000s", "Q1 Q2 2024", "first half", "13/04/2021", "XXXX", "12345",
        "1999 2000",
        10_000, -10_000, 1_714_521_600, 1.5, 1843.0, True, float("nan"), float("inf"), [], b"1995", {}, "2024-13",
        "2024-02-30", "1995/1996", "x" * 100_000, "[" * 60, "²⁰²⁴", "Y17000", "1e5", "\x00", "1990s 1980s",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_advice(time: Any) -> None:
    with pytest.raises(InvalidTime, match="ISO text") as refusal:
        to_micros(time)
    assert len(str(refusal.value)) < 400


@settings(deadline=None)
@given(st.datetimes(), st.integers(-9999, 9999))
def test_instants_and_years_come_back(moment: datetime, year: int) -> None:
    micros = (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert to_micros(moment) == micros == to_micros(from_micros(micros))
    assert to_micros(from_micros(to_micros(year))) == to_micros(year)
    assert (end_micros(year) or 0) == (to_micros(year + 1) if year < 9999 else to_micros("9999-12-31") + 86_400_000_000)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        moment = read_time(text)
    except InvalidTime:
        return
    assert moment is None or moment.after is None or moment.first < moment.after


@pytest.mark.parametrize(
    ("given_times", "instants", "shown_times"),
    [
        (("1815~", "1995"), ("1815-01-01", "1996-01-01"), ("1815~", "1995")),
        ((None, "1995-06"), (None, "1995-07-01"), (None, "1995-06")),
        (("2000", None), ("2000-01-01", None), ("2000", None)),
        (("2000-03-01", "1 May 2001"), ("2000-03-01", "2001-05-01"), ("2000-03-01", "2001-05-01")),
        (("1990/1995~", None), ("1990-01-01", "1996-01-01"), ("1990", "1995~")),
        (("1990/..", None), ("1990-01-01", None), ("1990", None)), (("..", ".."), (None, None), (None, None)),
        (("1995", "1995"), ("1995-01-01", "1996-01-01"), ("1995", "1995")),
    ],
)  # fmt: skip
def test_an_interval_ends_with_its_last_period(given_times: Any, instants: Any, shown_times: Any) -> None:
    interval = valid_interval(*given_times)
    assert tuple(map(from_micros, interval[:2])) == instants
    assert shown(*interval) == shown_times
    assert valid_interval(*shown(*interval)) == interval


@pytest.mark.parametrize("times", [("2000", "1999"), ("2000", "1999-12-31"), ("2000-06", "2000-05")])
def test_an_interval_that_ends_before_it_starts_is_refused(times: tuple[str, str]) -> None:
    with pytest.raises(InvalidTime, match="before"):
        valid_interval(*times)


@pytest.mark.parametrize(
    ("text", "plain"), [("44 B.C.", "44 BC"), ("c. 44 b.c.e.", "c. 44 BC"), ("A.D. 79", "AD 79"), ("79 C.E.", "79 AD")]
)
def test_eras_may_be_abbreviated_with_dots(text: str, plain: str) -> None:
    assert read_time(text) == read_time(plain)
