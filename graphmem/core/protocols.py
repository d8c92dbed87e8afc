"""Contracts: graph store, graph index and text encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from graphmem.core.edits import Edit, JournalEntry
from graphmem.core.types import Arcs, Edge, Fact, Node


class GraphIndex(Protocol):
    """The packed read view of one moment: what a search walks on. Node ids index its arrays directly."""

    @property
    def size(self) -> int:
        """One more than the highest node id."""

    @property
    def relations(self) -> Sequence[str]:
        """Relation text by relation id. Arc code ``2 * id`` walks subject to object, ``2 * id + 1`` back."""

    def degree(self, nodes: np.ndarray) -> np.ndarray:
        """Number of arcs out of each node, both directions, int64 [N]."""

    def expand(self, nodes: np.ndarray, limit: int | None = None) -> Arcs:
        """All arcs out of ``nodes`` (both directions); of a node with more than ``limit``, ``limit`` of them."""


@runtime_checkable
class TextEncoder(Protocol):
    """Turns text into unit vectors. ``adapters/sentence_transformers.py`` is the usual one."""

    @property
    def dim(self) -> int:
        """K."""

    @property
    def fingerprint(self) -> str:
        """Names the exact weights; vectors of different fingerprints never mix."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32 [n, K]."""


class GraphStore(Protocol):
    """Durable graph. Every change is a list of edits in ONE transaction with one journal entry."""

    path: str
    namespace: str

    # -- writing: each call is one transaction
    def apply(self, edits: Sequence[Edit], *, note: str = "", action: str = "apply") -> JournalEntry: ...
    def bulk_load(
        self,
        names: Sequence[str],
        triples: Iterable[tuple[str, str, str]],
        vectors: np.ndarray | None = None,
        *,
        fingerprint: str | None = None,
        source: str | None = None,
        note: str = "",
    ) -> JournalEntry:
        """Write many facts, and vectors float16 [len(names), K] of the names where there are any."""

    def undo(self, entry: int | None = None) -> JournalEntry: ...
    def redo(self, entry: int | None = None) -> JournalEntry: ...

    # -- reading
    def node(self, node_id: int) -> Node: ...
    def nodes(self, node_ids: Sequence[int] | np.ndarray) -> list[Node]: ...
    def names(self, node_ids: Sequence[int] | np.ndarray) -> list[str]: ...
    def resolve(self, name: str) -> Node | None: ...
    def resolve_many(self, normalised: Sequence[str]) -> dict[str, list[int]]: ...
    def edge(self, edge_id: int) -> Edge: ...
    def edges(self, edge_ids: Sequence[int] | np.ndarray) -> list[Edge]: ...
    def facts(
        self,
        subject: int | None = None,
        relation: str | None = None,
        object: int | None = None,
        *,
        as_of: int | None = None,
        known_at: int | None = None,
        limit: int | None = None,
    ) -> list[Fact]:
        """Facts of these ends and this relation that held at ``as_of`` and were known at ``known_at`` (µs)."""

    def state(self, node_id: int) -> np.ndarray | None: ...
    def facts_by_id(self, edge_ids: Sequence[int] | np.ndarray) -> list[Fact]: ...
    def search_text(
        self, query: str, *, limit: int = 10, what: Literal["node", "edge"] = "node"
    ) -> list[tuple[int, float]]: ...
    def search_texts(self, query: str, *, nodes: int, facts: int) -> tuple[list[int], list[int]]: ...
    def index(self, as_of: int | None = None) -> GraphIndex: ...
    def history(self, node_id: int) -> list[JournalEntry]: ...
    def journal(self, limit: int = 20) -> list[JournalEntry]: ...
    def stats(self) -> dict[str, Any]: ...

    # -- vectors (fingerprint names the encoder)
    def put_vectors(self, node_ids: np.ndarray, vectors: np.ndarray, fingerprint: str) -> None: ...
    def lend_vectors(self, node_ids: np.ndarray, vectors: np.ndarray, fingerprint: str) -> None: ...
    def vectors(self, fingerprint: str) -> tuple[np.ndarray, np.ndarray]: ...
    def nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> tuple[np.ndarray, np.ndarray]: ...
    def about_nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> np.ndarray: ...
    def likeness(self, query: np.ndarray, fingerprint: str, node_ids: np.ndarray) -> np.ndarray: ...
    def missing_vectors(self, fingerprint: str) -> np.ndarray: ...
    def without_vectors(self, fingerprint: str, limit: int = 1024, after: int = 0) -> list[Node]: ...

    def close(self) -> None: ...
