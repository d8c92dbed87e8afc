"""Checks of arguments: what each lets through, and errors that name the argument and stay short."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from graphmem.core import arguments
from graphmem.core.errors import InvalidTime, InvalidValue

RIGHT: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (arguments.whole, (1, "n")), (arguments.whole, (0, "n", 0)), (arguments.number, (0.5, "n", "a share", 0, 1)),
    (arguments.number, (1, "n", "a share", 0, 1)), (arguments.flag, (False, "f")), (arguments.text, ("a\0b", "t")),
    (arguments.moment, (None, "at")), (arguments.moment, ("2024-05-01", "at")),
    (arguments.moment, (date(1815, 1, 1), "at")),
    (arguments.path, ("x", "p")), (arguments.path, (Path("x"), "p")), (arguments.instance, (1, int, "i", "a number")),
]  # fmt: skip
WRONG: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (arguments.whole, (True, "n")), (arguments.whole, (0, "n")), (arguments.whole, (2**70, "n")),
    (arguments.whole, ("1", "n")), (arguments.whole, (7, "n", 1, 6)),
    (arguments.number, (math.nan, "n", "a share", 0, 1)),
    (arguments.number, ("1", "n", "a share")), (arguments.number, (-1, "n", "a share")), (arguments.flag, (1, "f")),
    (arguments.text, (None, "t")), (arguments.text, ("\ud800", "t")), (arguments.path, ("", "p")),
    (arguments.path, (7, "p")), (arguments.instance, ("1", int, "i", "a number")),
]  # fmt: skip


@pytest.mark.parametrize(("check", "given"), RIGHT)
def test_right_values_pass(check: Callable[..., Any], given: tuple[Any, ...]) -> None:
    assert check(*given) is None


@pytest.mark.parametrize(("check", "given"), WRONG)
def test_wrong_values_are_named(check: Callable[..., Any], given: tuple[Any, ...]) -> None:
    with pytest.raises(
        InvalidValue, match=f"^{given[1 if len(given) < 3 or check is not arguments.instance else 2]} must"
    ):
        check(*given)


def test_texts_and_times() -> None:
    arguments.text(None, "t", optional=True)
    for wrong in ("", " ", "\u200b", "\ufeff \u00ad"):
        with pytest.raises(InvalidValue, match="t must be visible text"):
            arguments.text(wrong, "t", blank=False)
    for right in ("?", "\u200bx", "王"):
        arguments.text(right, "t", blank=False)
    for wrong in ([], True, b"2024", "once", math.nan):
        with pytest.raises(InvalidTime):
            arguments.moment(wrong, "at")


def test_long_values_are_shown_in_short() -> None:
    for value in ("\ud800" * 10_000, [0] * 100_000, 10**5000):
        with pytest.raises(InvalidValue) as caught:
            arguments.text(value, "t")
        assert len(str(caught.value)) < 600
