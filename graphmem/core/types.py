"""The plain values that the whole library speaks, and the contract every store keeps.

Alphabet, used in every docstring: B batch, T text tokens, N nodes of a subgraph, E its arcs, M memory slots,
D model width, G GNN width, H heads, K width of the text encoder.

Times are ISO-8601 text at the surface (``2024-05-01`` or ``2024-05-01T12:00:00Z``, always UTC) and whole
microseconds since 1970 below it. A fact is bi-temporal: *valid time* says when it held in the world, *recorded time*
when the memory came to know it. Superseding closes an interval; it never deletes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from graphmem.core.errors import InvalidName, InvalidTime

MAX_NAME = 1024
"""Longest name of a node or relation, in characters."""

READING = "reading"
"""Kind of a node that only remembers that a text was read, see ``told``; its name begins with the kind and a colon."""

PASSAGE = "passage"
"""Kind of a node that holds a piece of a document in its text, with the document's title in its attributes."""

APART = ("episode", "session", PASSAGE, READING)
"""Kinds of nodes that are no knowledge but its history: what was heard, the state of conversations and streams,
passages of documents, and which texts were read. Ordinary searches leave them out."""

TITLED = "has passage"
"""Relation from the thing that a document's title names to its passages."""

MENTIONS = "passage mentions"
"""Relation from a passage to each thing that it names."""

Time = str | int | float | date | datetime
"""What a caller may pass as a time: ISO text (a bare year is its first instant), POSIX seconds, date or datetime."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# ---------------------------------------------------------------- names and times


def normalise(name: str) -> str:
    """The form under which names are compared: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_name(name: Any, what: str = "name") -> str:
    """Return ``name`` stripped, or say what is wrong with it.

    Raises:
        InvalidName: not text, empty, longer than ``MAX_NAME``, a NUL or a lone surrogate inside.
    """
    if not isinstance(name, str):
        raise InvalidName(f"{what} must be text, not {type(name).__name__}: {name!r}")
    stripped = name.strip()
    if not stripped:
        raise InvalidName(f"{what} is empty; give it at least one visible character")
    if len(stripped) > MAX_NAME:
        raise InvalidName(
            f"{what} has {len(stripped)} characters, {MAX_NAME} at most: {stripped[:40]!r}...; "
            "put long text into the node's or fact's `text`"
        )
    if "\x00" in stripped:
        raise InvalidName(f"{what} holds a NUL character: {stripped[:40]!r}")
    try:
        stripped.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidName(f"{what} is not valid Unicode (lone surrogate at {error.start}): {stripped[:40]!r}") from None
    return stripped


def to_micros(time: Time | None) -> int | None:
    """Microseconds since 1970 UTC, or None for None.

    Raises:
        InvalidTime: the value cannot be read as a time between the years 1 and 9999.
    """
    if time is None:
        return None
    try:
        return (_as_datetime(time) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError, TypeError) as error:
        raise InvalidTime(f"cannot read {time!r} as a time ({error}); use ISO text such as 2024-05-01") from None


def _as_datetime(time: Time) -> datetime:
    if isinstance(time, bool):
        raise TypeError("a truth value is no time")
    if isinstance(time, datetime):
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    if isinstance(time, date):
        return datetime(time.year, time.month, time.day, tzinfo=UTC)
    if isinstance(time, (int, float)):
        return _EPOCH + timedelta(seconds=time)
    text = time.strip()
    parts = text.split("-")
    if len(parts) <= 2 and all(part.isdigit() for part in parts):  # a year, or a year and a month
        return datetime(int(parts[0]), int(parts[1]) if len(parts) == 2 else 1, 1, tzinfo=UTC)
    return _as_datetime(datetime.fromisoformat(text))


def from_micros(micros: int | None) -> str | None:
    """ISO text of a time in microseconds: the date alone at midnight, else with time and ``Z``."""
    if micros is None:
        return None
    moment = _EPOCH + timedelta(microseconds=micros)
    if micros % 86_400_000_000 == 0:
        return moment.date().isoformat()
    return moment.replace(tzinfo=None).isoformat() + "Z"


# ---------------------------------------------------------------- what a memory holds


@dataclass(frozen=True, slots=True)
class Node:
    """A thing with a name. ``kind`` is free text (``entity``, ``passage``, ``literal``, ...)."""

    id: int
    name: str
    kind: str = "entity"
    text: str = ""
    aliases: tuple[str, ...] = ()
    namespace: str = "default"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    strength: float = 1.0
    retired: bool = False


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


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact as people read it, by names. ``id`` is its edge's id once stored."""

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

    def __str__(self) -> str:
        return f"{self.subject} | {self.relation} | {self.object}"


@dataclass(frozen=True, slots=True)
class Subgraph:
    """The part of the memory that a query activated. Position 0..N-1 of every array is one node.

    Attributes:
        node_ids: int64 [N], most relevant first.
        relevance: float32 [N], logit of each node (comparable within one subgraph).
        activation: float32 [N], activation in [0, 1] that the sampler left on each node.
        edge_index: int64 [2, E], positions (not ids) of each arc's source and target.
        relations: int64 [E], arc codes: ``2 * relation_id + direction`` (1 = walked from object to subject).
        edge_ids: int64 [E], id of the fact behind each arc.
        seeds: ids of the nodes that activation started from, with their scores.
        left_out: share of activation mass dropped by the budget, 0..1.
        states: float32 [N, G] GNN states, or None where the ranker makes none.
        answerable: probability that some node here answers the query, or None where the ranker does not say.
    """

    node_ids: np.ndarray
    relevance: np.ndarray
    activation: np.ndarray
    edge_index: np.ndarray
    relations: np.ndarray
    edge_ids: np.ndarray
    seeds: tuple[tuple[int, float], ...] = ()
    left_out: float = 0.0
    states: np.ndarray | None = None
    answerable: float | None = None

    @classmethod
    def empty(cls) -> Subgraph:
        """A subgraph of no nodes: what a query that matches nothing gets."""
        none, ids = np.zeros(0, np.float32), np.zeros(0, np.int64)
        return cls(ids, none, none, np.zeros((2, 0), np.int64), ids, ids)


# ---------------------------------------------------------------- edits


@dataclass(frozen=True, slots=True)
class AddNode:
    """Add a node, or strengthen the one of the same normalised name or alias in the namespace."""

    name: str
    kind: str = "entity"
    text: str = ""
    aliases: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddEdge:
    """Add a fact; subject and object are made if they are new; a known fact is strengthened instead."""

    subject: str
    relation: str
    object: str
    text: str = ""
    valid_from: Time | None = None
    valid_to: Time | None = None
    confidence: float = 1.0
    source: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpdateNode:
    """Change the given fields of a node; None leaves a field as it is. ``state`` is float32 [G].

    ``node`` is an id, or a name, which an edit before it in the same list may have made.
    """

    node: int | str
    name: str | None = None
    kind: str | None = None
    text: str | None = None
    add_aliases: tuple[str, ...] = ()
    attributes: Mapping[str, Any] | None = None
    state: np.ndarray | None = None
    strength: float | None = None


@dataclass(frozen=True, slots=True)
class SupersedeEdge:
    """Close the valid interval of ``edge`` at ``at`` (now when None) and add ``by`` from then on."""

    edge: int
    by: AddEdge
    at: Time | None = None


@dataclass(frozen=True, slots=True)
class MergeNodes:
    """Move every fact, alias and attribute of ``absorb`` to ``keep`` and retire ``absorb``."""

    keep: int
    absorb: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Take a node or a fact out of the present. It stays in the file and in the past."""

    id: int
    what: Literal["node", "edge"] = "edge"


@dataclass(frozen=True, slots=True)
class Restore:
    """Bring a retired node or fact back."""

    id: int
    what: Literal["node", "edge"] = "edge"


Edit = AddNode | AddEdge | UpdateNode | SupersedeEdge | MergeNodes | Retire | Restore


@dataclass(frozen=True, slots=True)
class WriteDecision:
    """What the write gate decided about one candidate, and what it saw.

    Attributes:
        action: ``skip``, ``add``, ``update`` or ``retire``.
        gate: probability of the action, 0..1.
        surprise: mean negative log-likelihood of the candidate's tokens, in nats, under the model with memory on.
        edit: the Edit it leads to; None for ``skip``.
        fact: the candidate, as read.
        evidence: named numbers and texts that the gate saw.
    """

    action: Literal["skip", "add", "update", "retire"]
    gate: float
    surprise: float
    edit: Edit | None
    fact: Fact
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One applied transaction. ``changes`` hold each row's before and after and are exact."""

    id: int
    at: str
    action: str
    note: str = ""
    undone: bool = False
    changes: tuple[Mapping[str, Any], ...] = ()
    node_ids: tuple[int, ...] = ()
    edge_ids: tuple[int, ...] = ()


# ---------------------------------------------------------------- contracts


@dataclass(frozen=True, slots=True)
class Arcs:
    """Arcs out of a frontier. ``origin`` [E] are positions in the frontier, ``target`` [E] node ids."""

    origin: np.ndarray
    target: np.ndarray
    relation: np.ndarray
    edge: np.ndarray


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
