"""Sleep: merges what is one thing, promotes what was heard again and again, strengthens what was used, lets fade what
nobody uses, archives.

Everything is planned as Edits and applied in one transaction, so a crash leaves the memory as it was, ``undo`` takes
the night back, and a second run at the same moment finds nothing left to do. What is archived is retired, not deleted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from graphmem.core.edits import AddEdge, Edit, JournalEntry, MergeNodes, Retire, UpdateNode
from graphmem.core.errors import InvalidTime
from graphmem.core.names import MAX_NAME, normalise
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import READ_MARK, SYSTEM_KINDS, Fact, Node
from graphmem.core.validation import require
from graphmem.text.relation_synonyms import lexicon_functional
from graphmem.writing.entity_linking import plain_letters

_DAY = 86_400_000_000
_FADED, _COUNTED = "faded_at", "uses_counted"
EPISODE = "episode"


class ConsolidationStore(Protocol):
    """What consolidation needs of a store beyond reading facts."""

    def all_nodes(self, *, after: int = 0, limit: int = 1024) -> list[Node]: ...
    def usage(self) -> Iterable[tuple[int, int, int, int]]: ...
    def resolve(self, name: str) -> Node | None: ...
    def facts(
        self, subject: int | None = None, relation: str | None = None, object: int | None = None
    ) -> list[Fact]: ...
    def apply(self, edits: Sequence[Edit], *, note: str = "", action: str = "apply") -> JournalEntry: ...


@dataclass(frozen=True, slots=True)
class ConsolidationConfig:
    """How a memory sleeps.

    Attributes:
        half_life: days without use after which a node's strength is halved.
        least_fading: share of strength that must have faded before a node is written: small steps are saved up.
        use_gain: strength that a node gains per natural logarithm of 1 + its uses since the last night.
        promote_after: times a claim must have been heard, from two sources at least, to become a fact.
        promoted_confidence: confidence of a fact that was promoted so.
        capacity: live nodes to keep at most, the weakest are archived first; None keeps all. The state of
            conversations and streams is neither counted nor archived.
    """

    half_life: float = 180.0
    least_fading: float = 0.01
    use_gain: float = 1.0
    promote_after: int = 3
    promoted_confidence: float = 0.6
    capacity: int | None = None

    def __post_init__(self) -> None:
        require(self.half_life > 0, "half_life", self.half_life, "a positive number of days")
        require(0 <= self.least_fading < 1, "least_fading", self.least_fading, "in [0, 1)")
        require(0 <= self.use_gain < math.inf, "use_gain", self.use_gain, "at least 0")
        require(self.promote_after >= 2, "promote_after", self.promote_after, "at least 2")
        require(0 <= self.promoted_confidence <= 1, "promoted_confidence", self.promoted_confidence, "in [0, 1]")
        require(self.capacity is None or self.capacity >= 0, "capacity", self.capacity, "None or at least 0")


@dataclass(frozen=True, slots=True)
class Consolidation:
    """What a night did: numbers of nodes merged, claims promoted, nodes strengthened, faded and archived, its entry."""

    merged: int = 0
    promoted: int = 0
    strengthened: int = 0
    faded: int = 0
    archived: int = 0
    entry: JournalEntry | None = None


def consolidate(
    store: ConsolidationStore, config: ConsolidationConfig | None = None, *, at: Time | None = None
) -> Consolidation:
    """Consolidate a memory. Writes one transaction, or nothing where there is nothing to do.

    Args:
        store: the memory's store.
        config: how to sleep.
        at: the moment at which fading is reckoned; now when None.

    Raises:
        InvalidTime: ``at`` cannot be read.
    """
    config = config or ConsolidationConfig()
    now = to_micros(at if at is not None else datetime.now(UTC)) or 0
    nodes = [node for node in _nodes(store) if node.kind not in ("session", READ_MARK)]
    merges = list(_merges(nodes))
    absorbed = {merge.absorb for merge in merges}
    promotions = list(_promotions(store, nodes, config))
    heard = {edit.id for edits in promotions for edit in edits if isinstance(edit, Retire)}
    left = [node for node in _summed(nodes, merges) if node.id not in absorbed | heard]
    strengths = _strengths(store, left, config, now)
    archive = list(_archive(left, strengths, config))
    gone = {edit.id for edit in archive}
    changed = [edit for node, edit in strengths.items() if node not in gone]
    edits: list[Edit] = [*merges, *(edit for edits in promotions for edit in edits), *changed, *archive]
    entry = store.apply(edits, action="consolidate", note=f"{len(edits)} edits") if edits else None
    used = sum(_COUNTED in (edit.attributes or {}) for edit in changed)
    faded = sum(_FADED in (edit.attributes or {}) for edit in changed)
    return Consolidation(len(merges), len(promotions), used, faded, len(archive), entry)


def _nodes(store: ConsolidationStore) -> Iterator[Node]:
    last = 0
    while page := store.all_nodes(after=last):
        yield from page
        last = page[-1].id


def _merges(nodes: Sequence[Node]) -> Iterator[MergeNodes]:
    """Nodes whose names differ in spacing, punctuation and accents only are one; the strongest keeps its name."""
    groups: dict[tuple[str, str], list[Node]] = {}
    for node in nodes:
        letters = plain_letters(node.name)
        if node.kind not in SYSTEM_KINDS and any(c.isalpha() for c in letters):
            groups.setdefault((node.kind, letters), []).append(node)
    for group in groups.values():
        keep, *others = sorted(group, key=lambda node: (-node.strength, node.id))
        yield from (MergeNodes(keep.id, other.id) for other in others)


def _summed(nodes: Sequence[Node], merges: Sequence[MergeNodes]) -> list[Node]:
    """The nodes with the strengths that they will have once merged."""
    own = {node.id: node.strength for node in nodes}
    for merge in merges:
        own[merge.keep] += own[merge.absorb]
    return [replace(node, strength=own[node.id]) for node in nodes]


def _promotions(store: ConsolidationStore, nodes: Sequence[Node], config: ConsolidationConfig) -> Iterator[list[Edit]]:
    """Claims heard often enough, unless the memory holds something that leaves no room for them."""
    claims: dict[str, list[Node]] = {}
    for node in nodes:
        if node.kind == EPISODE and node.attributes.get("claim"):
            claims.setdefault(normalise(str(node.attributes["claim"])), []).append(node)
    for episodes in claims.values():
        times = sum(episode.strength for episode in episodes)
        sources = {episode.attributes.get("source") for episode in episodes}
        parts = str(episodes[0].attributes["claim"]).split(" | ")
        if times < config.promote_after or len(sources) < 2 or not _is_fact(parts) or _contested(store, parts):
            continue
        subject, relation, value = parts
        text, sure = episodes[0].text, config.promoted_confidence
        fact = AddEdge(subject, relation, value, text, confidence=sure, source="consolidation")
        yield [fact, *(Retire(episode.id, "node") for episode in episodes)]


def _is_fact(parts: Sequence[str]) -> bool:
    return len(parts) == 3 and all(part.strip() and len(part) <= MAX_NAME for part in parts)


def _contested(store: ConsolidationStore, parts: Sequence[str]) -> bool:
    subject = store.resolve(parts[0])
    held = store.facts(subject.id, parts[1]) if subject else []
    others = [fact for fact in held if normalise(fact.object) != normalise(parts[2])]
    return bool(others) and lexicon_functional().get(normalise(parts[1]), True)


def _strengths(
    store: ConsolidationStore, nodes: Sequence[Node], config: ConsolidationConfig, now: int
) -> dict[int, UpdateNode]:
    """New strengths of the nodes that were used or have faded enough to be worth writing, by id."""
    usage = {row[0]: row[1:] for row in store.usage()}
    edits = {}
    for node in nodes:
        made, count, used = usage.get(node.id, (now, 0, 0))
        values = _used(node, count) | _faded(node, max(made, used), now, config)
        if values:
            strength = node.strength * values.pop("kept", 1.0) + config.use_gain * math.log1p(values.pop("fresh", 0))
            edits[node.id] = UpdateNode(node.id, strength=strength, attributes=values)
    return edits


def _used(node: Node, count: int) -> dict[str, Any]:
    """Uses that no night has counted yet."""
    counted = node.attributes.get(_COUNTED)
    fresh = count - (counted if isinstance(counted, int) else 0)
    return {_COUNTED: count, "fresh": fresh} if fresh > 0 else {}


def _faded(node: Node, since: int, now: int, config: ConsolidationConfig) -> dict[str, Any]:
    """What is kept of a strength that is halved per half-life without use, since made, used or last faded."""
    with suppress(InvalidTime):  # somebody else's attribute of that name
        since = max(since, to_micros(node.attributes.get(_FADED)) or 0)
    kept = 0.5 ** (max(0, now - since) / _DAY / config.half_life)
    return {_FADED: from_micros(now), "kept": kept} if kept < 1 - config.least_fading else {}


def _archive(nodes: Sequence[Node], changed: Mapping[int, UpdateNode], config: ConsolidationConfig) -> Iterator[Retire]:
    """Retire the weakest nodes beyond the capacity."""
    if config.capacity is None or len(nodes) <= config.capacity:
        return
    strength = {node: edit.strength for node, edit in changed.items()}
    weakest = sorted(nodes, key=lambda node: (strength.get(node.id, node.strength), -node.id))
    for node in weakest[: len(nodes) - config.capacity]:
        yield Retire(node.id, "node")
