"""Valid intervals of facts of the same ends: which of them are one fact, and what a held one learns from a new one."""

from __future__ import annotations

from graphmem.core.times import Interval, joined, side_texts


def is_same(held: Interval, new: Interval, now: int) -> bool:
    """Whether two intervals of the same subject, relation and object are one fact, which ``combined`` gives.

    They are one when they are equal; when both are open at the end and hold now; when the new one says no time and the
    held one holds now; or when they share the start, or the end, and one of them leaves the other side open. All other
    intervals stand side by side, those that overlap included.
    """
    if held[:2] == new[:2]:
        return True
    if new.start is None and new.end is None:
        return holds(held, now)
    if new.end is None and held.end is None:
        return holds(held, now) and holds(new, now)
    if new.start == held.start:
        return new.end is None or held.end is None
    return new.end == held.end and (new.start is None or held.start is None)


def combined(held: Interval, new: Interval) -> Interval:
    """The held interval with the sides that it leaves open taken from the new one."""
    start = new.start if held.start is None else held.start
    end = new.end if held.end is None else held.end
    if start is not None and end is not None and end < start:
        return held
    (held_first, held_last), (new_first, new_last) = side_texts(*held), side_texts(*new)
    first, last = (new_first if held.start is None else held_first), (new_last if held.end is None else held_last)
    return Interval(start, end, joined(start, first, end, last))


def until(held: Interval, end: int) -> Interval:
    """An interval that ends at an instant."""
    return Interval(held.start, end, joined(held.start, side_texts(*held)[0], end, None))


def holds(interval: Interval, now: int) -> bool:
    """Whether an instant lies in an interval; an open side reaches as far as any."""
    start, end = interval[:2]
    return (start is None or start <= now) and (end is None or end > now)
