"""A memory without its passages: what a search for facts looks at, so that documents never stand in its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from graphmem.core.protocols import GraphIndex

MORE = 8
"""So many times more is asked for when names that only passages hold are dropped from what is found."""


def facts_only(store: Any, index: Any) -> tuple[Any, GraphIndex]:
    """The store and index as they are where there are no passages, else views of both that leave these out."""
    facts = index.facts_only()
    if facts is index:
        return store, index
    return FactStore(store, index, facts), facts


class FactStore:
    """A store whose searches leave out what only passages name. Everything else is the store's own.

    Args:
        store: the memory.
        index: all arcs.
        facts: the arcs that are facts.
    """

    def __init__(self, store: Any, index: GraphIndex, facts: GraphIndex) -> None:
        self._store, self._index, self._facts = store, index, facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _kept(self, nodes: Sequence[int] | np.ndarray) -> np.ndarray:
        """Whether a node has facts, or no arcs at all, bool [N]."""
        ids = np.asarray(nodes, np.int64)
        return (self._facts.degree(ids) > 0) | (self._index.degree(ids) == 0)

    def resolve_many(self, normalised: Sequence[str]) -> dict[str, list[int]]:
        """As the store's, without nodes that only passages name."""
        found: dict[str, list[int]] = self._store.resolve_many(normalised)
        every = np.asarray(sorted({node for nodes in found.values() for node in nodes}), np.int64)
        kept = set(every[self._kept(every)].tolist()) if len(every) else set()
        return {name: [node for node in nodes if node in kept] for name, nodes in found.items()}

    def search_text(
        self, query: str, *, limit: int = 10, what: Literal["node", "edge"] = "node"
    ) -> list[tuple[int, float]]:
        """As the store's, without nodes that only passages name."""
        if what == "edge":
            return list(self._store.search_text(query, limit=limit, what=what))
        found = self._store.search_text(query, limit=MORE * limit, what=what)
        kept = self._kept([node for node, _ in found])
        return [item for item, keep in zip(found, kept, strict=True) if keep][:limit]

    def missing_vectors(self, fingerprint: str) -> np.ndarray:
        """As the store's, without nodes that only passages name: these need no vector."""
        missing = np.asarray(self._store.missing_vectors(fingerprint))
        return missing[self._kept(missing)]

    def nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """As the store's, without nodes that only passages name."""
        ids, scores = self._store.nearest(query, fingerprint, MORE * limit)
        kept = self._kept(ids)
        return ids[kept][:limit], scores[kept][:limit]
