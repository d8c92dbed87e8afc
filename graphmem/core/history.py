"""Facts in the recorded history of a node."""

from __future__ import annotations

from contextlib import suppress

from graphmem.core.errors import NotFound
from graphmem.core.protocols import GraphStore
from graphmem.core.types import Fact


def recorded_facts(store: GraphStore, node: int, entries: int | None = None) -> list[Fact]:
    """Facts in a node's journal entries (its last ``entries``), by id, without facts that an undo has removed."""
    history = store.history(node)
    ids = sorted({edge for entry in (history[-entries:] if entries else history) for edge in entry.edge_ids})
    with suppress(NotFound):
        return store.facts_by_id(ids)
    return store.facts_by_id([edge.id for edge in store.edges(ids)])
