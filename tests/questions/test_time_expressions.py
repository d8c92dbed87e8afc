"""Times that a question names: absolute and relative ones, durations and numbers that are none, hostile text."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from graphmem.core.errors import InvalidTime
from graphmem.core.times import from_micros, to_micros
from graphmem.questions.time_expressions import find_times, moment_of_asking

AT = to_micros("2026-11-30") or 0


def times(text: str) -> list[tuple[str, str | None, str | None]]:
    return [(text[one.start : one.end], from_micros(one.first), from_micros(one.after)) for one in find_times(text, AT)]


@pytest.mark.parametrize(
    ("text", "words", "first", "after"),
    [
        ("Who was mayor in 2010?", "2010", "2010-01-01", "2011-01-01"),
        ("What was the fee in the summer of 2023?", "summer of 2023", "2023-06-01", "2023-09-01"),
        ("What did it cost at the end of October 2024?", "October 2024", "2024-10-01", "2024-11-01"),
        ("who paid on 3 June 2019", "3 June 2019", "2019-06-03", "2019-06-04"),
        ("Who was mayor in the early 1990s?", "1990s", "1990-01-01", "2000-01-01"),
        ("Who was king in 44 BC?", "44 BC", "-0043-01-01", "-0042-01-01"),
        ("Who led it as of 2024-05-01?", "2024-05-01", "2024-05-01", "2024-05-02"),
        ("who was boss last year", "last year", "2025-01-01", "2026-01-01"),
        ("Who led it two years ago?", "two years ago", "2024-01-01", "2025-01-01"),
        ("Who fed her yesterday?", "yesterday", "2026-11-29", "2026-11-30"),
        ("What was the fee in March?", "in March", "2026-03-01", "2026-04-01"),
        ("What was the fee in December?", "in December", "2025-12-01", "2026-01-01"),
    ],
)
def test_a_time_has_its_words_and_its_interval(text: str, words: str, first: str, after: str) -> None:
    assert times(text) == [(words, first, after)]


@pytest.mark.parametrize(
    "text",
    ["For how many years was she away?", "How long are two years?", "Who may I ask?", "What is incident 24-03?",
     "Is $2000 enough?", "Who drives truck 33?", "Who sat next to us on the way?", "Who wrote about the sea?", "", "?"],
)  # fmt: skip
def test_durations_numbers_and_words_are_no_times(text: str) -> None:
    assert times(text) == []


def test_two_times_are_found_in_their_order() -> None:
    assert [words for words, _, _ in times("Who ran it between 2001 and May 2005?")] == ["2001", "May 2005"]


def test_a_time_in_a_name_is_a_part_of_it() -> None:
    text = "Who came to Christmas 2022 in 2022?"
    start = text.index("Christmas")
    (found,) = find_times(text, AT, [(start, start + len("Christmas 2022"))])
    assert found.start == text.rindex("2022")


def test_a_time_overlaps_facts_that_held_at_some_moment_of_it() -> None:
    (year,) = find_times("in 2010", AT)
    inside, before, after = to_micros("2010-06-01"), to_micros("2009-12-31"), to_micros("2011-01-01")
    assert year.overlaps(None, None) and year.overlaps(before, None) and year.overlaps(inside, inside)
    assert not year.overlaps(None, before) and not year.overlaps(after, None)


def test_the_moment_of_asking_is_given_or_now() -> None:
    assert from_micros(moment_of_asking("2024-05")) == "2024-05-01"
    assert abs(moment_of_asking() / 1e6 - time.time()) < 60
    with pytest.raises(InvalidTime):
        moment_of_asking("some day")


@pytest.mark.parametrize(
    "text", ["2010 " * 50_000, "\0in 2010\0", "last " * 2000, "９９９９", "🦀 in 99999 years", "in 0000-13-77"]
)
def test_any_text_is_searched_in_bounded_time(text: str) -> None:
    started = time.process_time()
    assert all(0 <= one.start < one.end <= len(text) and one.first < one.after for one in find_times(text, AT))
    assert time.process_time() - started < 5


def test_a_question_without_a_word_of_time_does_not_load_the_parser_of_times() -> None:
    code = """
import sys
from graphmem.questions.time_expressions import find_times, moment_of_asking
at = moment_of_asking("2026-06-15")
assert find_times("Where does Ann work, and who is her boss?", at) == []
assert "dateparser" not in sys.modules
assert [(span.start, span.end) for span in find_times("Who was her boss last year?", at)] == [(17, 26)]
assert len(find_times("Who came yesterday?", at)) == len(find_times("Who came two weeks ago?", at)) == 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
