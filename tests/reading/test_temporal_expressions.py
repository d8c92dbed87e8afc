import pytest

from graphmem.reading.temporal_expressions import find_times, parse_time, valid_interval


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("In 1843 Ada moved to Surrey.", [("1843", "in")]),
        ("He was born on 10 December 1815.", [("1815-12-10", "in")]),
        ("He worked there from 2001 to 2010.", [("2001", "from"), ("2010", "to")]),
        ("between May 1990 and June 3rd, 1995", [("1990-05", "from"), ("1995-06-03", "to")]),
        ("since 2019-05-01", [("2019-05-01", "from")]),
        ("until 2020", [("2020", "to")]),
        ("1843: Ada moved.", [("1843", "in")]),
        ("It has 1984 seats and costs 2000.50.", []),
        ("Blade Runner 2049 is long", []),
        ("", []),
    ],
)
def test_times_are_found(text: str, times: list[tuple[str, str]]) -> None:
    assert [(span.iso, span.role) for span in find_times(text)] == times


def test_today_is_a_parameter() -> None:
    assert [span.iso for span in find_times("Today Bob left; yesterday he came.", "2024-03-01")] == [
        "2024-03-01",
        "2024-02-29",
    ]


def test_only_a_time_parses() -> None:
    assert parse_time("10 December 1815") == "1815-12-10"
    assert parse_time("32 May 1900") is None
    assert parse_time("in 1900") is None


def test_each_fact_gets_the_nearest_time() -> None:
    text = "Ada was born in London in 1815 and moved to Surrey in 1843."
    times, ends = find_times(text), [text.index("London") + 6, text.index("Surrey") + 6]
    whole = (0, len(text))
    assert valid_interval(whole, ends[0], ends, times, []) == ("1815", None)
    assert valid_interval(whole, ends[1], ends, times, []) == ("1843", None)


def test_a_time_that_is_an_object_is_no_time_of_validity() -> None:
    text = "Ada was born on 10 December 1815."
    times = find_times(text)
    assert valid_interval((0, len(text)), 3, [3], times, [(times[0].start, times[0].end)]) == (None, None)


def test_an_interval_that_ends_before_it_starts_has_no_end() -> None:
    text = "He worked there from 1995-06-01 to 1995."
    times = find_times(text)
    assert valid_interval((0, len(text)), 3, [3], times, []) == ("1995-06-01", "1995")
    text = "He worked there from 1996 to 1995."
    assert valid_interval((0, len(text)), 3, [3], find_times(text), []) == ("1996", None)
