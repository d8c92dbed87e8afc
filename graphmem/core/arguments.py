"""Checks of the arguments that users pass: each raises InvalidValue with the argument's name, and what it must be."""

from __future__ import annotations

import math
import os
from datetime import date
from typing import Any

from graphmem.core.errors import InvalidTime
from graphmem.core.names import normalise, unstorable
from graphmem.core.times import to_micros
from graphmem.core.validation import require

_MOST = 1 << 31


def whole(value: Any, name: str, least: int = 1, most: int = _MOST) -> None:
    """Check that a value is a whole number between ``least`` and ``most``."""
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    require(fits, name, _short(value), f"a whole number of at least {least}" + (f", {most} at most" * (most < _MOST)))


def number(value: Any, name: str, expected: str, least: float = 0.0, most: float = math.inf) -> None:
    """Check that a value is a number between ``least`` and ``most``; NaN is none."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    require(fits, name, _short(value), expected)


def flag(value: Any, name: str) -> None:
    """Check that a value is True or False."""
    require(isinstance(value, bool), name, _short(value), "True or False")


def text(value: Any, name: str, *, optional: bool = False, blank: bool = True) -> None:
    """Check that a value is valid Unicode text; None where it is ``optional``."""
    if value is None and optional:
        return
    expected = ("text" if blank else "visible text") + (" or None" if optional else "")
    require(isinstance(value, str) and (blank or bool(value.strip())), name, _short(value), expected)
    reason = unstorable(value.replace("\0", " "))
    require(reason is None, name, _short(value), f"valid Unicode text; it {reason}")
    require(blank or "0" <= value.strip()[0] <= "z" or bool(normalise(value)), name, _short(value), expected)


def moment(value: Any, name: str) -> None:
    """Check that a value is a time or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (str, int, date))):
        raise InvalidTime(f"{name} must be a time such as '2024-05-01', or None, not {_short(value)!r}")
    to_micros(value)


def path(value: Any, name: str) -> None:
    """Check that a value is a path."""
    usable = isinstance(value, (str, os.PathLike)) and bool(str(value)) and unstorable(str(value)) is None
    require(usable, name, _short(value), "a path")


def instance(value: Any, kind: type | tuple[type, ...], name: str, expected: str) -> None:
    """Check that a value is of a class."""
    require(isinstance(value, kind), name, _short(value), expected)


def _short(value: Any) -> Any:
    """The value as an error shows it: short, and its type where it may be anything."""
    if isinstance(value, str):
        return value if len(value) <= 80 else f"{value[:80]}…"
    plain = value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 64)
    return value if plain else type(value)
