"""Sentence frames, word lists and name patterns of synthetic texts, from ``graphmem/data/templates``."""

from __future__ import annotations

from functools import cache
from typing import Any

from graphmem.core.paths import DATA
from graphmem.datasets.files import read_json


@cache
def load(name: str) -> dict[str, Any]:
    """Return one file of templates: ``frames``, ``profiles``, ``small_talk``, ``names`` or ``questions``."""
    found: dict[str, Any] = read_json(DATA / "templates" / f"{name}.json")
    return found
