"""Expressions of time: what they mean on the day of writing."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest

from graphmem.core.times import read_time, to_micros
from graphmem.synthetic.everyday.times import TimePart, TimeWriter

DAY = date(2024, 5, 3)  # a Friday
EXPECTED = {
    "yesterday": "2024-05-02", "today": "2024-05-03", "last night": "2024-05-02", "this morning": "2024-05-03",
    "last Monday": "2024-04-29", "last Saturday": "2024-04-27", "last week": "2024-04-22~", "last month": "2024-04",
    "last year": "2023", "two years ago": "2022", "three months ago": "2024-02", "five months ago": "2023-12",
    "four days ago": "2024-04-29", "last summer": "2023-22", "last spring": "2023-21", "two weeks ago": "2024-04-19~",
}  # fmt: skip
COMING = {
    "tomorrow": "2024-05-04", "next week": "2024-05-06~", "next month": "2024-06", "next year": "2025",
    "in two days": "2024-05-05", "in three weeks": "2024-05-24~", "in four years": "2028",
}  # fmt: skip


def written(slot: str, count: int = 400) -> dict[str, TimePart]:
    """Parts with a value of many expressions, by their words and those before them."""
    found = {}
    for seed in range(count):
        parts = TimeWriter(Random(seed), DAY).expression(slot)
        found |= {part.words: part for part in parts if part.value is not None}
    return found


def test_relative_times_before_the_day_of_writing() -> None:
    found = written("begin", 4000)
    assert {words: found[words].value for words in EXPECTED} == EXPECTED
    assert all(found[words].relative for words in EXPECTED)
    assert found["March"].value == "2024-03" and found["June"].value == "2023-06"
    assert found["Monday"].value == "2024-04-29"


def test_relative_times_after_the_day_of_writing() -> None:
    found = written("next", 4000)
    assert {words: found[words].value for words in COMING} == COMING
    assert found["March"].value == "2025-03" and found["June"].value == "2024-06"
    assert found["Monday"].value == "2024-05-06"


@pytest.mark.parametrize("slot", ["begin", "end", "at", "since", "until", "span"])
def test_the_past_has_begun_and_is_read(slot: str) -> None:
    today = to_micros(DAY)
    assert today is not None
    for words, part in written(slot).items():
        moment = read_time(part.value)
        assert moment is not None and moment.first <= today, words
        assert part.precision in ("day", "week", "month", "quarter", "season", "year", "decade")


def test_absolute_times_are_read_as_they_are_meant() -> None:
    checked = 0
    for words, part in written("begin", 150).items():
        if not part.relative and any(c.isalpha() for c in words):
            given, value = read_time(words), read_time(part.value)
            assert given is not None and value is not None and given[:2] == value[:2], words
            checked += 1
    assert checked > 30


def test_a_span_has_two_times_in_order() -> None:
    for seed in range(300):
        parts = TimeWriter(Random(seed), DAY).expression("span")
        first, last = (read_time(part.value) for part in parts if part.value is not None)
        assert first is not None and last is not None and first.first < last.first


def test_days_are_written_in_many_ways() -> None:
    forms = {TimeWriter(Random(seed), DAY).written(date(2024, 3, 22)) for seed in range(400)}
    assert {"22 March 2024", "March 22, 2024", "2024-03-22", "22/03/2024", "03/22/2024", "22.3.2024"} <= forms
    short = {TimeWriter(Random(seed), DAY).written(date(2024, 3, 22), year=False) for seed in range(400)}
    assert {"22 March", "March 22nd", "22nd of March"} <= short


def test_days_to_come_and_days_of_birth() -> None:
    for seed in range(300):
        times = TimeWriter(Random(seed), DAY)
        assert DAY < date.fromisoformat(times.future_day().value or "") < DAY + timedelta(days=100)
        assert date.fromisoformat(times.birth_day().value or "") < DAY - timedelta(days=5 * 365)
