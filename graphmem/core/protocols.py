"""Contracts: graph index, text encoder, and a store of vectors, passages and a graph.

Ids are those of nodes and facts in one namespace; times are microseconds since 1970 UTC. An encoder's fingerprint
names the vectors that it made. Docstrings state which methods write; each call is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from graphmem.core.edits import Edit, JournalEntry
from graphmem.core.types import Arcs, Edge, Fact, Node, Triple


class GraphIndex(Protocol):
    """Packed adjacency of one moment. Node ids index its arrays directly."""

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


class StoredIndex(GraphIndex, Protocol):
    """Adjacency of a stored graph."""

    def facts_only(self) -> GraphIndex:
        """The index without arcs of passages; itself where there are none."""

    def sample(self, nodes: np.ndarray, fanouts: Sequence[int], rng: np.random.Generator) -> list[Arcs]:
        """Random arcs out of ``nodes``, hop by hop."""

    def all_facts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Subject, relation, object and edge ids of every fact, int64 [F] each, by edge id."""


@runtime_checkable
class TextEncoder(Protocol):
    """Encoder of texts as unit vectors. ``adapters/sentence_transformers.py`` is the usual one."""

    @property
    def dim(self) -> int:
        """K."""

    @property
    def fingerprint(self) -> str:
        """Name of the exact weights; vectors of different fingerprints never mix."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32 [n, K]."""


class VectorStore(Protocol):
    """Store of one vector a node, float16, with exact nearest-neighbour search."""

    def put_vectors(self, node_ids: np.ndarray, vectors: np.ndarray, fingerprint: str) -> None:
        """Store vectors [n, K]. Writes."""

    def keep_vectors(self, node_ids: np.ndarray, vectors: np.ndarray, fingerprint: str) -> None:
        """Keep vectors [n, K] in RAM until the store is closed."""

    def vectors(self, fingerprint: str) -> tuple[np.ndarray, np.ndarray]: ...
    def nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> tuple[np.ndarray, np.ndarray]: ...
    def approximate_nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> np.ndarray: ...
    def similarity(self, query: np.ndarray, fingerprint: str, node_ids: np.ndarray) -> np.ndarray: ...
    def missing_vectors(self, fingerprint: str) -> np.ndarray: ...
    def without_vectors(self, fingerprint: str, limit: int = 1024, after: int = 0) -> list[Node]: ...


class PassageStore(Protocol):
    """Store of passages: nodes with the text of a document, and arcs to what their title and text name."""

    def passage_ids(self, after: int = 0) -> np.ndarray: ...
    def passages_by_id(self, ids: Sequence[int] | np.ndarray) -> dict[int, Node]: ...
    def passage_vectors(self, fingerprint: str, ids: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...
    def passages_without_vectors(self, fingerprint: str, limit: int, after: int = 0) -> np.ndarray: ...
    def titled(self, normalised: Sequence[str], as_of: int | None = None) -> dict[str, list[tuple[int, int]]]: ...
    def mentioned(self, passages: Sequence[int], as_of: int | None = None) -> list[tuple[int, int]]: ...
    def passages_of(self, nodes: Sequence[int], as_of: int | None = None) -> list[tuple[int, int]]: ...
    def passages_with(self, phrase: str, *, limit: int = 10) -> list[int]: ...
    def held(self, phrases: Sequence[str]) -> set[str]: ...
    def put_sentences(self, spans: Mapping[int, Sequence[tuple[int, int]]]) -> None: ...
    def sentences(self, passages: Sequence[int]) -> dict[int, list[tuple[int, int]]]: ...
    def search_sentences(self, query: str, *, limit: int = 10) -> list[tuple[int, tuple[int, int], float]]: ...
    def passages_without_sentences(self, limit: int = 1024, after: int = 0) -> list[tuple[int, str]]: ...
    def search_passages(
        self, query: str, *, limit: int = 10, where: Literal["anywhere", "title"] = "anywhere"
    ) -> list[tuple[int, float]]: ...


class GraphStore(VectorStore, PassageStore, Protocol):
    """Durable graph with its vectors and passages. Every change is a list of edits with one journal entry."""

    path: str
    namespace: str

    def apply(self, edits: Sequence[Edit], *, note: str = "", action: str = "apply") -> JournalEntry:
        """Apply edits. Writes."""

    def bulk_load(
        self, names: Sequence[str], triples: Iterable[Triple], vectors: np.ndarray | None = None, *,
        fingerprint: str | None = None, source: str | None = None, note: str = "",
    ) -> JournalEntry:  # fmt: skip
        """Add many facts, and vectors [len(names), K] of the names where they are given. Writes."""

    def undo(self, entry: int | None = None) -> JournalEntry:
        """Revert an entry, the newest when None. Writes."""

    def redo(self, entry: int | None = None) -> JournalEntry:
        """Apply an undone entry again, the newest when None. Writes."""

    def touch(self, node_ids: Sequence[int] | np.ndarray) -> None:
        """Count one use of each node. Writes; not journalled."""

    def usage(self) -> Iterator[tuple[int, int, int, int]]:
        """Id, time of creation, number of uses and time of the last use of every live node."""

    def node(self, node_id: int) -> Node: ...
    def nodes(self, node_ids: Sequence[int] | np.ndarray) -> list[Node]: ...
    def all_nodes(self, *, after: int = 0, limit: int = 1024) -> list[Node]: ...
    def names(self, node_ids: Sequence[int] | np.ndarray) -> list[str]: ...
    def resolve(self, name: str) -> Node | None: ...
    def resolve_many(self, normalised: Sequence[str], *, records: bool = False) -> dict[str, list[int]]:
        """Ids of live nodes of each normalised name; ``records``: those of ``SYSTEM_KINDS`` too."""

    def resolve_folded(self, folded: Sequence[str]) -> dict[str, list[int]]: ...
    def readings(self, name: str) -> list[int]: ...
    def look_up(self, name: str) -> Node | None: ...
    def state(self, node_id: int) -> np.ndarray | None: ...
    def edge(self, edge_id: int) -> Edge: ...
    def edges(self, edge_ids: Sequence[int] | np.ndarray) -> list[Edge]: ...
    def facts(
        self, subject: int | None = None, relation: str | None = None, object: int | None = None, *,
        as_of: int | None = None, known_at: int | None = None, limit: int | None = None, links: bool = True,
        history: bool = False,
    ) -> list[Fact]:  # fmt: skip
        """Facts of these ends and this relation that held at ``as_of`` and were known at ``known_at``; of any time
        with ``history``; without ``links``, none that join passages of documents to names."""

    def fact_ids_around(
        self, nodes: Iterable[int], *, limit: int, as_of: Any = None, relation: str | None = None
    ) -> list[int]: ...
    def sources(self, edge_id: int) -> list[str]: ...
    def pinned(self) -> list[int]: ...
    def facts_by_id(self, edge_ids: Sequence[int] | np.ndarray) -> list[Fact]: ...
    def named_with(self, phrases: Sequence[str], *, limit: int = 16) -> dict[str, list[int]]: ...
    def similar_words(self, words: Sequence[str]) -> dict[str, list[str]]: ...
    def has_fact_texts(self) -> bool: ...
    def search_text(
        self, query: str, *, limit: int = 10, what: Literal["node", "edge"] = "node"
    ) -> list[tuple[int, float]]: ...
    def search_texts(self, query: str, *, nodes: int, facts: int) -> tuple[list[int], list[int]]: ...
    def index(self, as_of: int | None = None) -> StoredIndex: ...
    def history(self, node_id: int) -> list[JournalEntry]: ...
    def journal(self, limit: int = 20) -> list[JournalEntry]: ...
    def stats(self) -> dict[str, Any]: ...
    def close(self) -> None: ...
