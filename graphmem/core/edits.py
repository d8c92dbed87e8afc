"""Edits of a store, the decisions that lead to them, and the journal entry of a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.times import Time
from graphmem.core.types import Fact


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
    """Add a fact; new subjects and objects are created; a known fact is strengthened instead."""

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
    """Restore a retired node or fact."""

    id: int
    what: Literal["node", "edge"] = "edge"


Edit = AddNode | AddEdge | UpdateNode | SupersedeEdge | MergeNodes | Retire | Restore


@dataclass(frozen=True, slots=True)
class WriteDecision:
    """Decision of the write gate about one candidate, with its evidence.

    Attributes:
        action: ``skip``, ``add``, ``update`` or ``retire``.
        gate: probability of the action, 0..1.
        surprise: mean negative log-likelihood of the candidate's tokens, in nats, under the model with memory on.
        edit: the resulting edit; None for ``skip``.
        fact: the candidate.
        evidence: named numbers and texts of the decision.
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


def is_triple(item: Any) -> bool:
    """Whether a value is (subject, relation, object), all text."""
    return isinstance(item, (tuple, list)) and len(item) == 3 and all(isinstance(part, str) for part in item)


def as_edges(items: Sequence[Any], source: str | None) -> list[AddEdge]:
    """Edits that add facts or triples; ``source`` for those that name none.

    Raises:
        InvalidValue: an item that is neither; the message gives its position.
    """
    return [_as_edge(position, item, source) for position, item in enumerate(items)]


def _as_edge(position: int, item: Any, source: str | None) -> AddEdge:
    if is_triple(item):
        subject, relation, object = item
        return AddEdge(subject, relation, object, source=source)
    if not isinstance(item, Fact):
        raise InvalidValue(f"item {position} is not (subject, relation, object) nor a Fact: {item!r}")
    return AddEdge(
        item.subject, item.relation, item.object, item.text, item.valid_from, item.valid_to, item.confidence,
        item.source or source,
    )  # fmt: skip
