"""Check of the fields of configuration dataclasses."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from graphmem.core.errors import InvalidValue


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise InvalidValue, with the offending value in the message, unless the condition holds."""
    if not condition:
        raise InvalidValue(f"{name} must be {expected}, not {value!r}")


def require_counts(config: Any) -> None:
    """Raise InvalidValue unless every field of a dataclass is a whole number of at least 1."""
    for name in (field.name for field in fields(config)):
        value = getattr(config, name)
        require(isinstance(value, int) and value >= 1, name, value, "a whole number of at least 1")
