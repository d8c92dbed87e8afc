"""Sleep: merges what is one thing, promotes what was heard again and again, lets fade what nobody uses, archives.

Everything is planned as Edits and applied in one transaction, so a crash leaves the memory as it was, ``undo`` takes
the night back, and a second run at the same moment finds nothing left to do. What is archived is retired, not deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from graphmem.config import require
from graphmem.graph import (
    AddEdge,
    Edit,
    Fact,
    JournalEntry,
    MergeNodes,
    Node,
    Retire,
    Time,
    UpdateNode,
    from_micros,
    normalise,
    to_micros,
)
from graphmem.relations import lexicon_functional
from graphmem.resolution import plain_letters

_DAY = 86_400_000_000
_FADED = "faded_at"
EPISODE = "episode"


class SleepingStore(Protocol):
    """What consolidation needs of a store beyond reading facts."""

    def all_nodes(self, *, after: int = 0, limit: int = 1024) -> list[Node]: ...
    def accessed(self, node_id: int) -> tuple[int, str | None]: ...
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
        promote_after: times a claim must have been heard, from two sources at least, to become a fact.
        promoted_confidence: confidence of a fact that was promoted so.
        capacity: live nodes to keep at most, the weakest are archived first; None keeps all.
    """

    half_life: float = 180.0
    promote_after: int = 3
    promoted_confidence: float = 0.6
    capacity: int | None = None

    def __post_init__(self) -> None:
        require(self.half_life > 0, "half_life", self.half_life, "a positive number of days")
        require(self.promote_after >= 2, "promote_after", self.promote_after, "at least 2")
        require(0 <= self.promoted_confidence <= 1, "promoted_confidence", self.promoted_confidence, "in [0, 1]")
        require(self.capacity is None or self.capacity >= 0, "capacity", self.capacity, "None or at least 0")


@dataclass(frozen=True, slots=True)
class Consolidation:
    """What a night did: numbers of nodes merged, claims promoted, nodes faded and archived, and its journal entry."""

    merged: int = 0
    promoted: int = 0
    faded: int = 0
    archived: int = 0
    entry: JournalEntry | None = None


def consolidate(
    store: SleepingStore, config: ConsolidationConfig | None = None, *, at: Time | None = None
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
    nodes = list(_nodes(store))
    merges = list(_merges(nodes))
    absorbed = {merge.absorb for merge in merges}
    promotions = list(_promotions(store, nodes, config))
    heard = {edit.id for edits in promotions for edit in edits if isinstance(edit, Retire)}
    left = [node for node in nodes if node.id not in absorbed | heard]
    fading = list(_fading(store, left, config, now))
    archive = list(_archive(left, fading, config))
    edits: list[Edit] = [*merges, *(edit for edits in promotions for edit in edits), *fading, *archive]
    entry = store.apply(edits, action="consolidate", note=f"{len(edits)} edits") if edits else None
    return Consolidation(len(merges), len(promotions), len(fading), len(archive), entry)


def _nodes(store: SleepingStore) -> Iterator[Node]:
    last = 0
    while page := store.all_nodes(after=last):
        yield from page
        last = page[-1].id


def _merges(nodes: Sequence[Node]) -> Iterator[MergeNodes]:
    """Nodes whose names differ in spacing, punctuation and accents only are one; the strongest keeps its name."""
    groups: dict[tuple[str, str], list[Node]] = {}
    for node in nodes:
        letters = plain_letters(node.name)
        if node.kind != EPISODE and any(c.isalpha() for c in letters):
            groups.setdefault((node.kind, letters), []).append(node)
    for group in groups.values():
        keep, *others = sorted(group, key=lambda node: (-node.strength, node.id))
        yield from (MergeNodes(keep.id, other.id) for other in others)


def _promotions(store: SleepingStore, nodes: Sequence[Node], config: ConsolidationConfig) -> Iterator[list[Edit]]:
    """Claims heard often enough, unless the memory holds something that leaves no room for them."""
    claims: dict[str, list[Node]] = {}
    for node in nodes:
        if node.kind == EPISODE and node.attributes.get("claim"):
            claims.setdefault(normalise(str(node.attributes["claim"])), []).append(node)
    for episodes in claims.values():
        times = sum(episode.strength for episode in episodes)
        sources = {episode.attributes.get("source") for episode in episodes}
        parts = str(episodes[0].attributes["claim"]).split(" | ")
        if times < config.promote_after or len(sources) < 2 or len(parts) != 3 or _contested(store, parts):
            continue
        subject, relation, value = parts
        text, sure = episodes[0].text, config.promoted_confidence
        fact = AddEdge(subject, relation, value, text, confidence=sure, source="consolidation")
        yield [fact, *(Retire(episode.id, "node") for episode in episodes)]


def _contested(store: SleepingStore, parts: Sequence[str]) -> bool:
    subject = store.resolve(parts[0])
    held = store.facts(subject.id, parts[1]) if subject else []
    others = [fact for fact in held if normalise(fact.object) != normalise(parts[2])]
    return bool(others) and lexicon_functional().get(normalise(parts[1]), True)


def _fading(store: SleepingStore, nodes: Sequence[Node], config: ConsolidationConfig, now: int) -> Iterator[UpdateNode]:
    """Halve strength per half-life without use, reckoned from the later of last use and last fading."""
    for node in nodes:
        used = to_micros(store.accessed(node.id)[1]) or 0
        since = max(used, to_micros(node.attributes.get(_FADED)) or 0)
        if not since:  # never reckoned before: its time begins now
            yield UpdateNode(node.id, attributes={_FADED: from_micros(now)})
            continue
        days = (now - since) / _DAY
        if days >= 1.0:
            strength = node.strength * 0.5 ** (days / config.half_life)
            yield UpdateNode(node.id, strength=strength, attributes={_FADED: from_micros(now)})


def _archive(nodes: Sequence[Node], fading: Sequence[UpdateNode], config: ConsolidationConfig) -> Iterator[Retire]:
    """Retire the weakest nodes beyond the capacity."""
    if config.capacity is None or len(nodes) <= config.capacity:
        return
    strength: dict[int, Any] = {edit.node: edit.strength for edit in fading if edit.strength is not None}
    weakest = sorted(nodes, key=lambda node: (strength.get(node.id, node.strength), -node.id))
    for node in weakest[: len(nodes) - config.capacity]:
        yield Retire(node.id, "node")
