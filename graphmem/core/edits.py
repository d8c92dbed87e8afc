"""Edits of a store, the decisions that lead to them, and the journal entry of a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.times import Time
from graphmem.core.types import Fact, FactStatus, Factuality, Place


@dataclass(frozen=True, slots=True)
class AddNode:
    """Add a node, or strengthen the one of the same normalised name or alias in the namespace.

    An alias that another node has as its name or alias is refused unless ``ambiguous``. A name that is an alias of
    several is then asked back; a name comes before an alias.
    """

    name: str
    kind: str = "entity"
    text: str = ""
    aliases: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    date: Time | None = None
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class AddEdge:
    """Add a fact; new subjects and objects are created; a known fact is strengthened instead.

    A fact that is not asserted, or not stated, is kept beside those that hold: it is a fact of its own.
    """

    subject: str
    relation: str
    object: str
    text: str = ""
    valid_from: Time | None = None
    valid_to: Time | None = None
    confidence: float = 1.0
    source: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    factuality: Factuality = "asserted"
    status: FactStatus = "stated"
    qualifiers: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class UpdateNode:
    """Change the given fields of a node; None leaves a field as it is. ``state`` is float32 [G]; ``ambiguous``: see
    ``AddNode``.

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
    ambiguous: bool = False


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


@dataclass(frozen=True, slots=True)
class PinEdge:
    """Pin a fact, so that reading and consolidation leave it as it is; or let it go, with ``pinned`` False."""

    edge: int
    pinned: bool = True


Edit = AddNode | AddEdge | UpdateNode | SupersedeEdge | MergeNodes | Retire | Restore | PinEdge


@dataclass(frozen=True, slots=True)
class WriteDecision:
    """Decision of the write gate about the candidate ``fact``, with named numbers and texts as its evidence.

    Attributes:
        gate: probability of the action, 0..1.
        surprise: mean negative log-likelihood of the candidate's tokens, in nats, under the model with memory on.
        edit: the resulting edit; None for ``skip``.
        offer: of a skipped candidate that is not sure enough: the decision that is carried out where it is accepted.
    """

    action: Literal["skip", "add", "update", "retire"]
    gate: float
    surprise: float
    edit: Edit | None
    fact: Fact
    evidence: Mapping[str, Any] = field(default_factory=dict)
    offer: WriteDecision | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One applied transaction.

    ``changes`` hold the columns of each row before and after: of a changed row those that changed. An entry of more
    than 10,000 changes shows counts instead.
    """

    id: int
    at: str
    action: str
    note: str = ""
    undone: bool = False
    changes: tuple[Mapping[str, Any], ...] = ()
    node_ids: tuple[int, ...] = ()
    edge_ids: tuple[int, ...] = ()


def as_edges(items: Sequence[Any], source: str | None) -> list[AddEdge]:
    """Edits that add facts or triples; ``source`` for those that name none.

    Raises:
        InvalidValue: an item that is neither; the message gives its position.
    """
    edges = []
    for position, item in enumerate(items):
        f = Fact(*item) if isinstance(item, (tuple, list)) and list(map(type, item)) == [str] * 3 else item
        if not isinstance(f, Fact):
            raise InvalidValue(f"item {position} is not (subject, relation, object) nor a Fact: {item!r}")
        what = f.subject, f.relation, f.object, f.text, f.valid_from, f.valid_to, f.confidence, f.source or source
        edges.append(AddEdge(*what, {}, f.factuality, f.status, f.qualifiers, f.place))
    return edges
