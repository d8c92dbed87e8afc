"""Times as microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from graphmem.core.errors import InvalidTime

Time = str | int | float | date | datetime
"""What a caller may pass as a time: ISO text (a bare year is its first instant), POSIX seconds, date or datetime."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(time: Time | None) -> int | None:
    """Microseconds since 1970 UTC, or None for None.

    Raises:
        InvalidTime: the value cannot be read as a time between the years 1 and 9999.
    """
    if time is None:
        return None
    try:
        return (_as_datetime(time) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError, TypeError) as error:
        raise InvalidTime(f"cannot read {time!r} as a time ({error}); use ISO text such as 2024-05-01") from None


def _as_datetime(time: Time) -> datetime:
    if isinstance(time, bool):
        raise TypeError("a bool is no time")
    if isinstance(time, datetime):
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    if isinstance(time, date):
        return datetime(time.year, time.month, time.day, tzinfo=UTC)
    if isinstance(time, (int, float)):
        return _EPOCH + timedelta(seconds=time)
    text = time.strip()
    parts = text.split("-")
    if len(parts) <= 2 and all(part.isdigit() for part in parts):  # a year, or a year and a month
        return datetime(int(parts[0]), int(parts[1]) if len(parts) == 2 else 1, 1, tzinfo=UTC)
    return _as_datetime(datetime.fromisoformat(text))


def from_micros(micros: int | None) -> str | None:
    """ISO text of a time in microseconds: the date alone at midnight, else with time and ``Z``."""
    if micros is None:
        return None
    moment = _EPOCH + timedelta(microseconds=micros)
    if micros % 86_400_000_000 == 0:
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat() + "Z"
