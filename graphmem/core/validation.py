"""Check of the fields of configuration dataclasses."""

from __future__ import annotations

from typing import Any

from graphmem.core.errors import InvalidValue


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise InvalidValue, with the offending value in the message, unless the condition holds."""
    if not condition:
        raise InvalidValue(f"{name} must be {expected}, not {value!r}")
