"""Values of the whole library: nodes, edges, facts, arcs and subgraphs.

Alphabet, used in every docstring: B batch, T text tokens, N nodes of a subgraph, E its arcs, M memory slots,
D model width, H heads, K width of the text encoder.

Times are ISO-8601 text at the surface (``2024-05-01`` or ``2024-05-01T12:00:00Z``, always UTC) and whole
microseconds since 1970 below it. A fact is bi-temporal: *valid time* is when it held in the world, *recorded time*
when the memory recorded it. Superseding closes an interval; it never deletes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

READ_MARK = "reading"
"""Kind of a node that marks a text as read (``writing/deduplication.py``); its name begins with ``reading:``."""

PASSAGE = "passage"
"""Kind of a node that holds a piece of a document in its text, with the document's title in its attributes."""

SYSTEM_KINDS = ("episode", "session", PASSAGE, READ_MARK)
"""Kinds of nodes that are no entities: unconfirmed claims, the state of conversations and streams, passages of
documents, and marks of texts that were read. Ordinary searches leave them out."""

TITLED = "has passage"
"""Relation from the entity that a document's title names to its passages."""

MENTIONS = "passage mentions"
"""Relation from a passage to each entity that its text names."""

ALSO_KNOWN = "also known as"
"""Relation from a node to another name of it. Texts that are read give aliases, and no such facts."""


Factuality = Literal["asserted", "planned", "negated", "reported", "uncertain"]
"""How a text presents a fact. Only asserted facts hold; the others are kept beside them."""

FactStatus = Literal["stated", "inferred", "suggested"]
"""Where a fact comes from: stated by a source, inferred from other facts, or suggested and not yet accepted.
Only stated facts hold."""

RankerName = Literal["activation", "path", "ppr", "hybrid", "dense", "bm25"]
RANKERS: tuple[RankerName, ...] = get_args(RankerName)
"""Ways to rank the nodes of a search."""


@dataclass(frozen=True, slots=True)
class Place:
    """Characters ``start`` to ``end`` of the text of node ``passage``: where a fact was read."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Node:
    """An entity with a name. ``kind`` is free text (``entity``, ``passage``, ``literal``, ...).

    ``date`` is the date of a passage or episode itself, as it was given.
    """

    id: int
    name: str
    kind: str = "entity"
    text: str = ""
    aliases: tuple[str, ...] = ()
    namespace: str = "default"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    strength: float = 1.0
    retired: bool = False
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """One recorded fact, by node ids. Times are microseconds since 1970 UTC; None is open."""

    id: int
    src: int
    relation: str
    dst: int
    text: str = ""
    valid_from: int | None = None
    valid_to: int | None = None
    confidence: float = 1.0
    source: str | None = None
    recorded_at: int = 0
    retired_at: int | None = None
    strength: float = 1.0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    factuality: Factuality = "asserted"
    status: FactStatus = "stated"
    qualifiers: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact by names. ``id`` is its edge's id once stored."""

    subject: str
    relation: str
    object: str
    text: str = ""
    valid_from: str | None = None
    valid_to: str | None = None
    confidence: float = 1.0
    source: str | None = None
    id: int | None = None
    recorded_at: str | None = None
    factuality: Factuality = "asserted"
    status: FactStatus = "stated"
    qualifiers: Mapping[str, str] = field(default_factory=dict, hash=False)
    place: Place | None = None
    pinned: bool = False

    def __str__(self) -> str:
        return f"{self.subject} | {self.relation} | {self.object}"


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Subgraph that a query activated. Position 0..N-1 of every array is one node.

    Attributes:
        node_ids: int64 [N], most relevant first.
        relevance: float32 [N], logit of each node (comparable within one subgraph).
        activation: float32 [N], activation in [0, 1] that the sampler left on each node.
        edge_index: int64 [2, E], positions (not ids) of each arc's source and target.
        relations: int64 [E], arc codes: ``2 * relation_id + direction`` (1 = walked from object to subject).
        edge_ids: int64 [E], id of the fact behind each arc.
        seeds: ids of the nodes that activation started from, with their scores.
        truncated_mass: share of activation mass dropped by the budget, 0..1.
        answerable: probability that some node here answers the query, or None where the ranker gives none.
    """

    node_ids: np.ndarray
    relevance: np.ndarray
    activation: np.ndarray
    edge_index: np.ndarray
    relations: np.ndarray
    edge_ids: np.ndarray
    seeds: tuple[tuple[int, float], ...] = ()
    truncated_mass: float = 0.0
    answerable: float | None = None

    @classmethod
    def empty(cls) -> Subgraph:
        """Subgraph of no nodes."""
        none, ids = np.zeros(0, np.float32), np.zeros(0, np.int64)
        return cls(ids, none, none, np.zeros((2, 0), np.int64), ids, ids)


@dataclass(frozen=True, slots=True)
class Arcs:
    """Arcs out of a frontier. ``origin`` [E] are positions in the frontier, ``target`` [E] node ids."""

    origin: np.ndarray
    target: np.ndarray
    relation: np.ndarray
    edge: np.ndarray

    def take(self, at: np.ndarray) -> Arcs:
        """The arcs at some positions, int64 [n]."""
        return Arcs(self.origin[at], self.target[at], self.relation[at], self.edge[at])


Triple = tuple[str, str, str]
