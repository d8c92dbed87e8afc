"""View of a store without its passages, so that documents do not change a search for facts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, islice
from typing import Any

import numpy as np

from graphmem.core.protocols import GraphIndex

OVERSAMPLING = 8
"""Factor on the number of results before names that only passages contain are dropped."""


def facts_only(store: Any, index: Any) -> tuple[Any, GraphIndex]:
    """Store and index without passages; the same objects where there are none."""
    facts = index.facts_only()
    if facts is index:
        return store, index
    return FactStore(store, index, facts), facts


class FactStore:
    """View of a store whose searches skip nodes that only passages name; it delegates everything else.

    ``index`` has all arcs, ``facts`` those that are facts.
    """

    def __init__(self, store: Any, index: GraphIndex, facts: GraphIndex) -> None:
        self._store, self._index, self._facts = store, index, facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _kept(self, nodes: Sequence[int] | np.ndarray) -> np.ndarray:
        """Nodes with facts, or without any arc, bool [N]."""
        ids = np.asarray(nodes, np.int64)
        return (self._facts.degree(ids) > 0) | (self._index.degree(ids) == 0)

    def resolve_many(self, normalised: Sequence[str], *, records: bool = False) -> dict[str, list[int]]:
        """Nodes of each normalised name."""
        return self._held(self._store.resolve_many(normalised, records=records))

    def resolve_folded(self, folded: Sequence[str]) -> dict[str, list[int]]:
        """Nodes of each folded name."""
        return self._held(self._store.resolve_folded(folded))

    def named_with(self, phrases: Sequence[str], *, limit: int = 16) -> dict[str, list[int]]:
        """Nodes whose names contain each phrase."""
        return self._held(self._store.named_with(phrases, limit=limit))

    def _held(self, found: dict[str, list[int]]) -> dict[str, list[int]]:
        every = np.asarray(sorted({node for nodes in found.values() for node in nodes}), np.int64)
        kept = set(every[self._kept(every)].tolist()) if len(every) else set()
        return {name: [node for node in nodes if node in kept] for name, nodes in found.items()}

    def search_text(self, query: str, *, limit: int = 10) -> list[tuple[int, float]]:
        """Nodes by BM25: ids with scores, best first."""
        found = self._store.search_text(query, limit=OVERSAMPLING * limit)
        kept = self._kept([node for node, _ in found])
        return list(islice(compress(found, kept), limit))

    def missing_vectors(self, fingerprint: str) -> np.ndarray:
        """Ids of nodes without a vector of this encoder."""
        missing = np.asarray(self._store.missing_vectors(fingerprint))
        return missing[self._kept(missing)]

    def nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids and cosines of the nodes nearest to a vector, best first."""
        ids, scores = self._store.nearest(query, fingerprint, OVERSAMPLING * limit)
        kept = self._kept(ids)
        return ids[kept][:limit], scores[kept][:limit]
