"""What was recorded about a node, whenever it held: its history without what was undone."""

from __future__ import annotations

from contextlib import suppress

from graphmem.core.errors import NotFound
from graphmem.core.protocols import GraphStore
from graphmem.core.types import Fact


def recorded_facts(store: GraphStore, node: int, entries: int | None = None) -> list[Fact]:
    """Facts that a node's history (its last ``entries``) speaks of and that are still recorded, by id.

    An entry goes on naming a fact that an undo has taken away; such facts are left out.
    """
    history = store.history(node)
    ids = sorted({edge for entry in (history[-entries:] if entries else history) for edge in entry.edge_ids})
    with suppress(NotFound):
        return store.facts_by_id(ids) if ids else []
    found: list[Fact] = []
    for identifier in ids:
        with suppress(NotFound):
            found += store.facts_by_id([identifier])
    return found
