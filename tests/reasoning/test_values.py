"""Typed values: what is one, which compare, and what does not."""

from __future__ import annotations

import pytest

from graphmem.reasoning.values import comparable, compare, difference, magnitude, on_one_scale, typed


def value(text: str):
    found = typed(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    ("text", "kind", "unit", "low"),
    [
        ("19.4 kg", "number", "kilogram", 19.4),
        ("430 g", "number", "kilogram", 0.43),
        ("£3,900", "number", "£", 3900),
        ("$11.2 million", "number", "$", 11_200_000),
        ("CHF 300", "number", "CHF", 300),
        ("two weeks", "number", "second", 14 * 86_400),
        ("3 working days", "number", "working days", 3),
        ("12", "number", "", 12),
        ("2,340", "number", "", 2340),
        ("-5 °C", "number", "°c", -5),
        ("4 May 1998", "date", "", 10_350),
        ("1998", "date", "", 10_227),
    ],
)
def test_a_literal_has_a_kind_a_unit_and_a_magnitude(text: str, kind: str, unit: str, low: float) -> None:
    found = value(text)
    assert (found.kind, found.unit) == (kind, unit) and found.low == pytest.approx(low)


@pytest.mark.parametrize(
    "text", ["", "Truck 9", "Kenworth T680", "(785) 555-0142", "8 Chapel Rise, Hollin", "HF19 BVC", "I-80", "9" * 80]
)
def test_a_name_an_address_or_a_number_plate_is_no_value(text: str) -> None:
    assert typed(text) is None


def test_unlike_units_and_currencies_do_not_compare() -> None:
    assert comparable(value("430 g"), value("2 lb")) and comparable(value("90 minutes"), value("2 hours"))
    assert not comparable(value("£5"), value("€5")) and not comparable(value("5 kg"), value("5 m"))
    assert not compare(value("£9"), ">", value("€5")) and difference(value("5 kg"), value("5 m")) is None
    assert difference(value("1 km"), value("400 m")) == pytest.approx(600)


def test_a_year_overlaps_its_days_and_is_before_later_ones() -> None:
    day, year = value("18 January 2023"), value("2023")
    assert compare(day, "=", year) and compare(day, ">=", year) and not compare(day, "<", year)
    assert compare(value("2018"), "<", value("2019")) and not compare(value("2019"), "<", value("2019"))
    assert compare(value("2019"), "<=", value("2019")) and compare(value("2020"), ">", value("2019"))
    assert difference(value("2 March 2017"), value("1 March 2017")) == 1


def test_four_digits_may_be_a_number_where_others_are() -> None:
    values = [value(text) for text in ("8", "1500", "24")]
    assert on_one_scale(values) == [0, 1, 2] and [magnitude(v, values) for v in values] == [8, 1500, 24]
    dates = [value(text) for text in ("2012", "4 May 2015")]
    assert on_one_scale(dates) == [0, 1] and magnitude(dates[0], dates) < magnitude(dates[1], dates)


def test_the_largest_group_of_one_scale_is_taken() -> None:
    assert on_one_scale([value(text) for text in ("£5", "€7", "£9")]) == [0, 2]
    assert on_one_scale([]) == []
