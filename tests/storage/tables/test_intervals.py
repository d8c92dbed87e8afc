from __future__ import annotations

from itertools import permutations

import pytest

from graphmem.core.edits import AddEdge, SupersedeEdge, UpdateNode
from graphmem.core.times import to_micros
from graphmem.storage.sqlite import SQLiteStore

Interval = tuple[str | int | None, str | int | None]


def add(store: SQLiteStore, *intervals: Interval) -> None:
    for start, end in intervals:
        store.apply([AddEdge("Ann", "works at", "Acme", valid_from=start, valid_to=end)])


def held(store: SQLiteStore) -> list[tuple[str | None, str | None]]:
    """Intervals of every fact of the file."""
    count = store.stats()["facts_recorded"]
    return sorted(((f.valid_from, f.valid_to) for f in store.facts_by_id(range(1, count + 1))), key=str)


@pytest.mark.parametrize(
    "intervals",
    [
        [(None, None), (2000, 2001)], [(2010, None), (2000, 2001)], [(2000, 2001), (2005, 2006)],
        [(2000, 2005), (2003, 2008)], [(None, None), (2990, None)], [(None, None), (2000, "2001~"), (2990, 2999)],
        [(1995, None), (2000, 2001)],
    ],
)  # fmt: skip
def test_intervals_of_one_fact_stand_side_by_side(tmp_path, intervals: list[Interval]) -> None:
    for number, order in enumerate(permutations(intervals)):
        with SQLiteStore.open(str(tmp_path / f"{number}.db")) as store:
            add(store, *order)
            shown = [tuple(None if time is None else str(time) for time in interval) for interval in intervals]
            assert held(store) == sorted(shown, key=str)
            assert len(store.facts()) == sum(a in (None, 2010, 1995) and b is None for a, b in intervals)
            if (2000, 2001) in intervals:
                assert len(store.facts(as_of=to_micros("2000-06"))) >= 1


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([(None, None), (None, None)], (None, None)), ([(None, None), ("1995~", None)], ("1995~", None)),
        ([(1995, None), (None, None)], ("1995", None)), ([(1995, None), (1997, None)], ("1995", None)),
        ([(1995, None), (1995, 1999)], ("1995", "1999")), ([(None, 1999), (1995, 1999)], ("1995", "1999")),
        ([(1995, "1999~"), ("1995-01-01", "2000-01-01")], ("1995", "1999~")),
        ([(None, None), (None, 1999)], (None, "1999")),
    ],
)  # fmt: skip
def test_a_fact_that_agrees_is_strengthened(store, intervals: list[Interval], expected: Interval) -> None:
    add(store, *intervals)
    assert held(store) == [expected]
    assert store.edge(1).strength == 2.0


def test_an_ended_fact_is_not_what_is_said_of_the_present(store) -> None:
    add(store, (None, 1999), (None, None))
    assert held(store) == [(None, "1999"), (None, None)]


def test_a_partial_end_runs_to_the_end_of_its_period(store) -> None:
    add(store, ("1990s", "1995-06"))
    assert store.facts(as_of=to_micros("1995-06-30T23:59:59")) and not store.facts(as_of=to_micros("1995-07-01"))
    assert held(store) == [("199X", "1995-06")]
    store.undo()
    store.redo()
    assert held(store) == [("199X", "1995-06")]


def test_times_before_our_era_are_stored_and_found(store) -> None:
    add(store, ("753 BC", "44 BC"))
    assert held(store) == [("-0752", "-0043")]
    assert store.facts(as_of=to_micros("-0100")) and not store.facts(as_of=to_micros("0001"))


def test_superseding_keeps_the_precision_of_the_start(store) -> None:
    add(store, ("c. 1815", None))
    store.apply([SupersedeEdge(1, AddEdge("Ann", "works at", "Globex"), at="1843")])
    assert held(store) == [("1815~", "1843-01-01"), ("1843", None)]


def test_a_value_inside_a_past_interval_takes_the_rest_of_it(store) -> None:
    add(store, (2000, "2009"))
    store.apply([SupersedeEdge(1, AddEdge("Ann", "works at", "Globex"), at="2005")])
    assert held(store) == [("2000", "2005-01-01"), ("2005", "2010-01-01")]


def test_a_text_older_than_the_held_fact_is_history(store) -> None:
    add(store, ("2024", None))
    store.apply([SupersedeEdge(1, AddEdge("Ann", "works at", "Globex"), at="2010")])
    (now,), (then,) = store.facts(), store.facts(as_of=to_micros("2015"))
    assert (now.object, now.valid_from, now.valid_to) == ("Acme", "2024", None)
    assert (then.object, then.valid_from, then.valid_to) == ("Globex", "2010", "2024-01-01")


@pytest.mark.parametrize("name", ["acme", "ACME ", "Acme Ltd"])
@pytest.mark.parametrize(("start", "at"), [(None, None), (None, "2020"), ("1995", None), ("1995", "2020")])
def test_the_value_that_is_held_keeps_its_start(store, name: str, start: str | None, at: str | None) -> None:
    add(store, (start, None))
    store.apply([UpdateNode("Acme", add_aliases=("Acme Ltd",))])
    store.apply([SupersedeEdge(1, AddEdge("ann", "works_at", name), at=at)])
    assert held(store) == [(start, None)]
    assert store.edge(1).strength == 2.0
