"""Texts of sums and differences: units, money, dates and how precise they are."""

from __future__ import annotations

import pytest

from graphmem.reasoning.sets.amounts import asked_unit, difference_text, sum_text
from graphmem.reasoning.values import Value, in_unit_of, plain_number, typed


def value(text: str) -> Value:
    found = typed(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    ("texts", "total"),
    [
        (("£3,900", "£250"), "£4,150"),
        (("19.4 kg", "900 g"), "20.3 kg"),
        (("$1.5 million", "$250,000"), "$1.75 million"),
        (("12 doors", "8 doors", "5 doors"), "25 doors"),
        (("two weeks", "7 days"), "3 weeks"),
        (("12", "30"), "42"),
        (("CHF 10.40", "CHF 2.10"), "CHF 12.50"),
        (("0 kg", "250 g"), "0.25 kg"),
    ],
)
def test_a_sum_has_the_unit_of_the_first_value(texts: tuple[str, ...], total: str) -> None:
    assert sum_text([value(text) for text in texts]) == total


@pytest.mark.parametrize(
    ("first", "second", "unit", "apart"),
    [
        ("1.68 m", "193 cm", "", "0.25 m"),
        ("1.68 m", "193 cm", "centimetres", "25 centimetres"),
        ("1990", "2002", "", "12 years"),
        ("2002", "1990", "months", "about 144 months"),
        ("4 May 1998", "1 June 1998", "days", "28 days"),
        ("4 May 1998", "1 June 1999", "", "1 year and 28 days"),
        ("May 1998", "June 1999", "months", "13 months"),
        ("4 May 1998", "6 May 1999", "year", "1 year"),
        ("£5", "£3.50", "days", "£1.50"),
    ],
)
def test_a_difference_is_as_precise_as_its_values(first: str, second: str, unit: str, apart: str) -> None:
    assert difference_text(value(first), value(second), unit) == apart


def test_a_unit_is_a_word_outside_names() -> None:
    assert asked_unit("How many days lie between them?", ()) == "days"
    assert asked_unit("How many pounds of coal?", ()) == "pounds"
    question = "How much older is Days Inn than Bo?"
    assert asked_unit(question, ((18, 26),)) == "" != asked_unit(question, ())
    assert asked_unit("", ()) == ""


def test_a_number_is_written_without_an_exponent() -> None:
    assert plain_number(1e7) == "10,000,000" and plain_number(-0.0000001) == "0" and plain_number(2.5) == "2.5"
    assert in_unit_of(5000, value("1998")) == "5,000"
