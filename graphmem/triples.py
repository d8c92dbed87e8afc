"""What a caller may hand in as a fact: a triple of names, or a ``Fact``."""

from __future__ import annotations

from typing import Any

from graphmem.core.types import AddEdge, Fact


def is_triple(item: Any) -> bool:
    """Whether this is (subject, relation, object), all text."""
    return isinstance(item, (tuple, list)) and len(item) == 3 and all(isinstance(part, str) for part in item)


def as_edge(item: tuple[str, str, str] | Fact, source: str | None) -> AddEdge:
    """The edit that writes it; ``source`` where it names none of its own."""
    if isinstance(item, Fact):
        return AddEdge(
            item.subject, item.relation, item.object, item.text, item.valid_from, item.valid_to, item.confidence,
            item.source or source,
        )  # fmt: skip
    return AddEdge(*item, source=source)
