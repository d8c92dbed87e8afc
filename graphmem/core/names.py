"""Names of nodes and relations: length, normal form, validity."""

from __future__ import annotations

import unicodedata
from typing import Any

from graphmem.core.errors import InvalidName

MAX_NAME = 1024
"""Longest name of a node or relation, in characters."""


def normalise(name: str) -> str:
    """The form under which names are compared: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_name(name: Any, what: str = "name") -> str:
    """Return ``name`` stripped.

    Raises:
        InvalidName: not text, empty, longer than ``MAX_NAME``, a NUL or a lone surrogate inside.
    """
    if not isinstance(name, str):
        raise InvalidName(f"{what} must be text, not {type(name).__name__}: {name!r}")
    stripped = name.strip()
    if not stripped:
        raise InvalidName(f"{what} is empty; give it at least one visible character")
    if len(stripped) > MAX_NAME:
        raise InvalidName(f"{what} has {len(stripped)} characters, {MAX_NAME} at most; use `text`: {stripped[:40]!r}")
    if reason := unstorable(stripped):
        raise InvalidName(f"{what} {reason}: {stripped[:40]!r}")
    return stripped


def unstorable(text: str) -> str | None:
    """Why a text cannot be stored (a NUL character or a lone surrogate inside), or None."""
    if "\x00" in text:
        return f"holds a NUL character at {text.index(chr(0))}"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"is not valid Unicode (lone surrogate at {error.start})"
    return None
