"""Consolidation of a graph: merge duplicates, promote repeated claims, strengthen used nodes, decay, archive.

Everything is planned as edits and applied in one transaction, so a crash leaves the memory as it was, ``undo`` reverts
all of it, and a second run at the same moment finds nothing to do. Archived nodes are retired, not deleted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from graphmem.core.edits import AddEdge, Edit, JournalEntry, MergeNodes, Retire, UpdateNode
from graphmem.core.errors import InvalidTime
from graphmem.core.names import MAX_NAME, normalise, normalise_relation
from graphmem.core.protocols import GraphStore
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import READ_MARK, SYSTEM_KINDS, Node
from graphmem.core.validation import require
from graphmem.text.relation_synonyms import lexicon_functional
from graphmem.writing.entity_linking import plain_letters

_DAY = 86_400_000_000
_DECAYED, _COUNTED = "faded_at", "uses_counted"  # attributes of nodes, as stored
EPISODE = "episode"


@dataclass(frozen=True, slots=True)
class ConsolidationConfig:
    """Settings of consolidation. The state of conversations and streams is neither counted nor archived.

    Attributes:
        half_life: days without use after which a node's strength is halved.
        min_decay: share of strength that must have decayed before a node is written.
        use_gain: strength gained per natural logarithm of 1 + the uses since the last consolidation.
        promote_after: sources of a claim that make it a fact; a source counts once, however often it repeats it.
        promoted_confidence: confidence of a promoted fact.
        capacity: maximum number of live nodes, the weakest are archived first; None keeps all.
    """

    half_life: float = 180.0
    min_decay: float = 0.01
    use_gain: float = 1.0
    promote_after: int = 3
    promoted_confidence: float = 0.6
    capacity: int | None = None

    def __post_init__(self) -> None:
        require(self.half_life > 0, "half_life", self.half_life, "a positive number of days")
        require(0 <= self.min_decay < 1, "min_decay", self.min_decay, "in [0, 1)")
        require(0 <= self.use_gain < math.inf, "use_gain", self.use_gain, "at least 0")
        require(self.promote_after >= 2, "promote_after", self.promote_after, "at least 2")
        require(0 <= self.promoted_confidence <= 1, "promoted_confidence", self.promoted_confidence, "in [0, 1]")
        require(self.capacity is None or self.capacity >= 0, "capacity", self.capacity, "None or at least 0")


@dataclass(frozen=True, slots=True)
class Consolidation:
    """Counts of nodes merged, claims promoted, nodes strengthened, decayed and archived, and the journal entry."""

    merged: int = 0
    promoted: int = 0
    strengthened: int = 0
    decayed: int = 0
    archived: int = 0
    entry: JournalEntry | None = None


def consolidate(
    store: GraphStore, config: ConsolidationConfig | None = None, *, at: Time | None = None
) -> Consolidation:
    """Consolidate a memory, with decay as of ``at`` (now). Writes one transaction, or none with nothing to do.

    Raises:
        InvalidTime: ``at`` cannot be read.
    """
    config = config or ConsolidationConfig()
    now = to_micros(at if at is not None else datetime.now(UTC)) or 0
    nodes = [node for node in _nodes(store) if node.kind not in ("session", READ_MARK)]
    pinned = {end for edge in store.edges(store.pinned()) for end in (edge.src, edge.dst)}
    merges = list(_merges(nodes, pinned))
    absorbed = {merge.absorb for merge in merges}
    promotions = list(_promotions(store, nodes, config))
    episodes = {edit.id for edits in promotions for edit in edits if isinstance(edit, Retire)}
    sums = {node.id: node.strength for node in nodes}
    for merge in merges:
        sums[merge.keep] += sums[merge.absorb]
    left = [replace(node, strength=sums[node.id]) for node in nodes if node.id not in absorbed | episodes]
    strengths = _strengths(store, left, config, now)
    archive = list(_archive(left, strengths, config, pinned))
    archived = {edit.id for edit in archive}
    changed = [edit for node, edit in strengths.items() if node not in archived]
    edits: list[Edit] = [*merges, *(edit for edits in promotions for edit in edits), *changed, *archive]
    entry = store.apply(edits, action="consolidate", note=f"{len(edits)} edits") if edits else None
    used = sum(_COUNTED in (edit.attributes or {}) for edit in changed)
    decayed = sum(_DECAYED in (edit.attributes or {}) for edit in changed)
    return Consolidation(len(merges), len(promotions), used, decayed, len(archive), entry)


def _nodes(store: GraphStore) -> Iterator[Node]:
    last = 0
    while page := store.all_nodes(after=last):
        yield from page
        last = page[-1].id


def _merges(nodes: Sequence[Node], pinned: set[int]) -> Iterator[MergeNodes]:
    """Merges of nodes whose names differ in spacing, punctuation and accents only; the strongest keeps its name.

    No node with a pinned fact is absorbed.
    """
    groups: dict[tuple[str, str], list[Node]] = {}
    for node in nodes:
        letters = plain_letters(node.name)
        if node.kind not in SYSTEM_KINDS and any(c.isalpha() for c in letters):
            groups.setdefault((node.kind, letters), []).append(node)
    for group in groups.values():
        keep, *others = sorted(group, key=lambda node: (node.id not in pinned, -node.strength, node.id))
        yield from (MergeNodes(keep.id, other.id) for other in others if other.id not in pinned)


def _promotions(store: GraphStore, nodes: Sequence[Node], config: ConsolidationConfig) -> Iterator[list[Edit]]:
    """Promotions of claims of enough sources that contradict no fact: the new fact, then the retired episodes."""
    claims: dict[str, list[Node]] = {}
    for node in nodes:
        if node.kind == EPISODE and node.attributes.get("claim"):
            claims.setdefault(normalise(str(node.attributes["claim"])), []).append(node)
    for episodes in claims.values():
        sources = {str(episode.attributes.get("source")) for episode in episodes}
        parts = str(episodes[0].attributes["claim"]).split(" | ")
        is_fact = len(parts) == 3 and all(part.strip() and len(part) <= MAX_NAME for part in parts)
        if len(sources) >= config.promote_after and is_fact and not _contradicted(store, parts):
            subject, relation, value = parts
            text, confidence = episodes[0].text, config.promoted_confidence
            fact = AddEdge(subject, relation, value, text, confidence=confidence, source="consolidation")
            yield [fact, *(Retire(episode.id, "node") for episode in episodes)]


def _contradicted(store: GraphStore, parts: Sequence[str]) -> bool:
    subject, value = store.resolve(parts[0]), store.resolve(parts[2])
    if any(node is not None and node.kind in SYSTEM_KINDS for node in (subject, value)):
        return True
    objects = {normalise(fact.object) for fact in store.facts(subject.id, parts[1])} if subject else set()
    return bool(objects - {normalise(parts[2])}) and lexicon_functional().get(normalise_relation(parts[1]), True)


def _strengths(
    store: GraphStore, nodes: Sequence[Node], config: ConsolidationConfig, now: int
) -> dict[int, UpdateNode]:
    """Updates of the nodes that were used or have decayed by ``min_decay``, by id."""
    usage = {row[0]: row[1:] for row in store.usage()}
    edits = {}
    for node in nodes:
        created, count, used = usage.get(node.id, (now, 0, 0))
        counted = node.attributes.get(_COUNTED)
        fresh = count - (counted if isinstance(counted, int) else 0)  # uses that no consolidation has counted yet
        values: dict[str, Any] = {_COUNTED: count, "fresh": fresh} if fresh > 0 else {}
        values |= _decay(node, max(created, used), now, config)
        if values:
            strength = node.strength * values.pop("kept", 1.0) + config.use_gain * math.log1p(values.pop("fresh", 0))
            edits[node.id] = UpdateNode(node.id, strength=strength, attributes=values)
    return edits


def _decay(node: Node, since: int, now: int, config: ConsolidationConfig) -> dict[str, Any]:
    """Share kept of a strength that is halved per half-life without use, since creation, last use or last decay."""
    with suppress(InvalidTime):  # a caller's own attribute of that name
        since = max(since, to_micros(node.attributes.get(_DECAYED)) or 0)
    kept = 0.5 ** (max(0, now - since) / _DAY / config.half_life)
    return {_DECAYED: from_micros(now), "kept": kept} if kept < 1 - config.min_decay else {}


def _archive(
    nodes: Sequence[Node], changed: Mapping[int, UpdateNode], config: ConsolidationConfig, pinned: set[int]
) -> Iterator[Retire]:
    """Retire the weakest nodes beyond the capacity, none with a pinned fact."""
    if config.capacity is None or len(nodes) <= config.capacity:
        return
    strength = {node: edit.strength for node, edit in changed.items()}
    weakest = sorted(nodes, key=lambda node: (strength.get(node.id, node.strength), -node.id))
    weakest = [node for node in weakest if node.id not in pinned]
    for node in weakest[: len(nodes) - config.capacity]:
        yield Retire(node.id, "node")
