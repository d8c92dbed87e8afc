"""Packed adjacency of one moment: both directions in one CSR, with a small overlay of later changes.

For node v, arcs ``indptr[v]`` to ``indptr[v + 1]`` of ``target``, ``code`` and ``edge`` leave v. The arrays may be
memory-mapped. The overlay holds the ids of removed facts and a small CSR of added ones. When it grows, everything is
packed into new arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np

from graphmem.core.types import MENTIONS, TITLED, Arcs
from graphmem.storage.index.proof import SHIFT, Doubt, Proof

OVERLAY_ARCS = 16_384  # changed arcs in the overlay before everything is repacked
SCAN = 1 << 20  # arcs in one block of a scan over all of them

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Columns of facts or arcs."""


@dataclass(frozen=True, slots=True)
class Packed:
    """CSR arrays: indptr int64 [size + 1]; target int32, code int16 or int32, edge int32 or int64, each [arcs].

    ``reduced`` caches the same arrays without some relations, by the ids of these. Mapped arrays have proofs, which
    compare checksums of the rows that are used and raise ``Doubt``.
    """

    indptr: np.ndarray
    target: np.ndarray
    code: np.ndarray
    edge: np.ndarray
    reduced: dict[tuple[int, ...], Packed] = field(default_factory=dict, repr=False, compare=False)
    spans_proof: Proof | None = field(default=None, repr=False, compare=False)
    arcs_proof: Proof | None = field(default=None, repr=False, compare=False)

    @classmethod
    def build(cls, size: int, src: np.ndarray, relation: np.ndarray, dst: np.ndarray, edge: np.ndarray) -> Packed:
        """Pack facts, arrays of length F, as 2 F arcs; arcs of a node are in the order of the facts."""
        return cls.pack(size, *both_ways(src, relation, dst, edge))

    @classmethod
    def pack(cls, size: int, origin: np.ndarray, target: np.ndarray, code: np.ndarray, edge: np.ndarray) -> Packed:
        """Pack arcs, arrays of length E, by their origin."""
        order = np.argsort(origin, kind="stable")
        indptr = np.zeros(size + 1, np.int64)
        np.cumsum(np.bincount(origin, minlength=size), out=indptr[1:])
        return cls(
            indptr,
            target[order].astype(np.int32),
            code[order].astype(np.int16 if not len(code) or code.max() < 1 << 15 else np.int32),
            edge[order].astype(np.int32 if not len(edge) or edge.max() < 1 << 31 else np.int64),
        )

    @property
    def size(self) -> int:
        """Rows, one more than the highest node id."""
        return len(self.indptr) - 1

    def spans(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First arc and number of arcs of each node, int64 [N]; nodes beyond the end have none."""
        known = nodes < self.size
        inside = nodes if known.all() else np.where(known, nodes, 0)
        if self.spans_proof is not None and self.size:
            self.spans_proof.touch(np.concatenate([inside, inside + 1]))
        starts = self.indptr[inside]
        counts = self.indptr[inside + 1] - starts
        return starts, counts if inside is nodes else np.where(known, counts, 0)

    def touch(self, arcs: np.ndarray | None = None) -> None:
        """Compare the checksums of some arcs, or of everything, before they are used. Raises ``Doubt``."""
        if self.arcs_proof is not None:
            self.arcs_proof.touch_all() if arcs is None else self.arcs_proof.touch(arcs)
        if self.spans_proof is not None and arcs is None:
            self.spans_proof.touch_all()

    def facts(self) -> Columns:
        """The packed facts: subject, relation, object and edge ids, each [F]."""
        self.touch()
        forward = (self.code & 1) == 0
        origin = np.repeat(np.arange(self.size, dtype=np.int64), np.diff(self.indptr))
        columns = (self.code[forward] >> 1, self.target[forward], self.edge[forward])
        relation, target, edge = (column.astype(np.int64) for column in columns)
        return origin[forward], relation, target, edge


def both_ways(src: np.ndarray, relation: np.ndarray, dst: np.ndarray, edge: np.ndarray) -> Columns:
    """Facts as arcs in both directions: origin, target, arc code and edge id, each [2 F]."""
    code = np.concatenate([2 * relation, 2 * relation + 1])
    return np.concatenate([src, dst]), np.concatenate([dst, src]), code, np.concatenate([edge, edge])


class Overlay:
    """CSR of a few facts, with rows for their nodes only."""

    def __init__(self, src: np.ndarray, relation: np.ndarray, dst: np.ndarray, edge: np.ndarray) -> None:
        origin, target, code, edges = both_ways(src, relation, dst, edge)
        self.keys, rows = np.unique(origin, return_inverse=True)
        self.packed = Packed.pack(len(self.keys), rows, target, code, edges)

    def spans(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First arc and number of arcs of each node, int64 [N]."""
        at = np.minimum(np.searchsorted(self.keys, nodes), len(self.keys) - 1)
        starts, counts = self.packed.spans(at)
        return starts, np.where(self.keys[at] == nodes, counts, 0)


def ranks(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Span and position within the span, int64 [E] each, of the items of spans with these counts."""
    ends = np.cumsum(counts)
    origin = np.repeat(np.arange(len(counts)), counts)
    return origin, np.arange(len(origin)) - (ends - counts)[origin]


def gather(starts: np.ndarray, counts: np.ndarray, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the frontier and in the arc arrays, int64 [E] each, of the arcs of some spans.

    Of a span longer than ``limit``, ``limit`` arcs are taken at even distances, so that no kind of arc is favoured
    by the order in which facts were added.
    """
    taken = counts if limit is None else np.minimum(counts, limit)
    origin, rank = ranks(taken)
    if limit is not None and (counts > limit).any():
        rank = rank * counts[origin] // taken[origin]
    return origin, starts[origin] + rank


P = ParamSpec("P")
R = TypeVar("R")


def healing(method: Callable[Concatenate[CSRIndex, P], R]) -> Callable[Concatenate[CSRIndex, P], R]:
    """Method of an index over mapped arrays: where these are damaged, the index is made from the tables and asked."""

    @wraps(method)
    def asked(self: CSRIndex, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except Doubt:
            self.heal()
            return method(self, *args, **kwargs)

    return asked


class CSRIndex:
    """Adjacency of one moment. ``patched`` makes a new one that shares the arrays.

    Args:
        packed: the CSR arrays.
        relations: relation text by relation id.
        removed: sorted ids of facts that are not part of this view, packed or not.
        added: facts that are not packed: subject, relation, object and edge ids, each [F].
        size: one more than the highest node id, at least.
        rebuild: makes the index of the present from the tables, for one over mapped arrays.
    """

    def __init__(
        self, packed: Packed, relations: Sequence[str], removed: np.ndarray | None = None,
        added: tuple[np.ndarray, ...] | None = None, size: int = 0, rebuild: Callable[[], CSRIndex] | None = None,
    ) -> None:  # fmt: skip
        none = np.zeros(0, np.int64)
        self.packed = packed
        self.relations: Sequence[str] = tuple(relations)
        self._removed = none if removed is None else removed
        self._added = (none, none, none, none) if added is None else added
        self.size = max(size, packed.size)
        self._extra = Overlay(*self._added) if len(self._added[0]) else None
        self.rebuild = rebuild

    def heal(self) -> None:
        """Take over an index made from the tables. Raises ``Doubt``: there is nothing that makes one."""
        if self.rebuild is None:
            raise Doubt("the snapshot is damaged")
        made = self.rebuild()
        self.packed, self.relations, self.size = made.packed, made.relations, made.size
        self._removed, self._added, self._extra, self.rebuild = made._removed, made._added, made._extra, None

    @property
    def patches(self) -> int:
        """Facts in the overlay."""
        return len(self._removed) + len(self._added[0]) + (self.size > self.packed.size)

    @healing
    def degree(self, nodes: np.ndarray) -> np.ndarray:
        """Number of arcs out of each node, both directions, int64 [N]."""
        nodes = np.asarray(nodes, dtype=np.int64)
        if len(self._removed):
            return np.bincount(self.expand(nodes).origin, minlength=len(nodes))
        counts = self.packed.spans(nodes)[1]
        return counts if self._extra is None else counts + self._extra.spans(nodes)[1]

    @healing
    def expand(self, nodes: np.ndarray, limit: int | None = None) -> Arcs:
        """All arcs out of ``nodes`` (both directions); of a node with more than ``limit``, ``limit`` of them."""
        nodes = np.asarray(nodes, dtype=np.int64)
        patched = len(self._removed) > 0 or self._extra is not None
        arcs = _arcs_at(self.packed, *gather(*self.packed.spans(nodes), None if patched else limit))
        return self._overlaid(arcs, nodes, limit) if patched else arcs

    @healing
    def spans(self, nodes: np.ndarray, limit: int) -> tuple[np.ndarray, ...] | None:
        """``expand`` without a copy: first arc and number of arcs of each node, and target, code and edge of all arcs.

        None where there is an overlay, or a node has more arcs than ``limit``.
        """
        if len(self._removed) or self._extra is not None:
            return None
        starts, counts = self.packed.spans(nodes)
        if counts.max(initial=0) > limit:
            return None
        some, ends = counts > 0, starts + counts - 1
        long = counts.max(initial=0) > 1 << SHIFT
        self.packed.touch(None if long else np.concatenate([starts[some], ends[some]]))
        return starts, counts, self.packed.target, self.packed.code, self.packed.edge

    def _overlaid(self, arcs: Arcs, nodes: np.ndarray, limit: int | None) -> Arcs:
        if len(self._removed):
            at = np.searchsorted(self._removed, arcs.edge)
            removed = self._removed[np.minimum(at, len(self._removed) - 1)] == arcs.edge
            arcs = arcs.take(np.flatnonzero(~removed))
        if self._extra is not None:
            more = _arcs_at(self._extra.packed, *gather(*self._extra.spans(nodes), None))
            arcs = Arcs(*(np.concatenate([getattr(arcs, f), getattr(more, f)]) for f in Arcs.__slots__))
            arcs = arcs.take(np.argsort(arcs.origin, kind="stable"))
        if limit is None:
            return arcs
        counts = np.bincount(arcs.origin, minlength=len(nodes))
        return arcs.take(gather(np.cumsum(counts) - counts, counts, limit)[1])

    @healing
    def facts_of(self, relation: int, limit: int) -> np.ndarray:
        """Ids of up to ``limit`` facts of a relation, int64 [F]."""
        found, count = [self._added[3][self._added[1] == relation][:limit]], 0
        for start in range(0, len(self.packed.code), SCAN):
            self.packed.touch(np.arange(start, min(start + SCAN, len(self.packed.code)), 1 << SHIFT))
            here = self.packed.edge[start : start + SCAN][self.packed.code[start : start + SCAN] == 2 * relation]
            found.append(np.setdiff1d(here, self._removed)[:limit])
            count += len(found[-1])
            if count >= limit:
                break
        return np.concatenate(found)[:limit].astype(np.int64)

    @healing
    def sample(self, nodes: np.ndarray, fanouts: Sequence[int], rng: np.random.Generator) -> list[Arcs]:
        """Random neighbourhoods: for each hop, up to ``fanout`` arcs of each frontier node, with replacement.

        Origins are positions in that hop's frontier: the seeds first, then the targets of the hop before, in order.
        """
        frontier, hops = np.asarray(nodes, dtype=np.int64), []
        for fanout in fanouts:
            arcs = self._draw(frontier, fanout, rng)
            hops.append(arcs)
            frontier = arcs.target
        return hops

    def _draw(self, nodes: np.ndarray, fanout: int, rng: np.random.Generator) -> Arcs:
        if len(self._removed) or self._extra is not None:
            arcs = self.expand(nodes)
            counts = np.bincount(arcs.origin, minlength=len(nodes))
            origin, picked = _random_arcs(np.cumsum(counts) - counts, counts, fanout, rng)
            return Arcs(origin, arcs.target[picked], arcs.relation[picked], arcs.edge[picked])
        return _arcs_at(self.packed, *_random_arcs(*self.packed.spans(nodes), fanout, rng))

    @healing
    def patched(
        self, removed: Iterable[int], added: tuple[np.ndarray, ...], relations: Sequence[str], size: int
    ) -> CSRIndex:
        """Index without the facts ``removed`` and with ``added``; repacks when the overlay has grown."""
        ids = np.unique(np.fromiter(removed, np.int64))
        kept = ~np.isin(self._added[3], ids)
        over = tuple(np.concatenate([old[kept], new]) for old, new in zip(self._added, added, strict=True))
        ids = np.union1d(self._removed, ids)
        view = CSRIndex(self.packed, relations, ids, over, size, self.rebuild)
        small = 2 * (len(ids) + len(over[0])) <= max(OVERLAY_ARCS, len(self.packed.edge) // 64)
        return view if small else view.repacked()

    @healing
    def repacked(self) -> CSRIndex:
        """The same index without an overlay."""
        return CSRIndex(Packed.build(self.size, *self.all_facts()), self.relations)

    @healing
    def without_relations(self, relations: Sequence[int]) -> CSRIndex:
        """The same index without the facts of some relations, by relation id; relation ids stay what they are."""
        hidden = np.asarray(relations, np.int64)
        key = tuple(hidden.tolist())
        if key not in self.packed.reduced:
            facts = self.packed.facts()
            keep = ~np.isin(facts[1], hidden)
            self.packed.reduced[key] = Packed.build(self.packed.size, *(column[keep] for column in facts))
        keep = ~np.isin(self._added[1], hidden)
        added = tuple(column[keep] for column in self._added)
        return CSRIndex(self.packed.reduced[key], self.relations, self._removed, added, self.size)

    def facts_only(self) -> CSRIndex:
        """The same index without arcs of passages; itself where there are none."""
        hidden = [at for at, name in enumerate(self.relations) if name in (MENTIONS, TITLED)]
        return self.without_relations(hidden) if hidden else self

    @healing
    def all_facts(self) -> Columns:
        """Every fact: subject, relation, object and edge ids, int64 [F] each, by edge id."""
        facts = self.packed.facts()
        stay = ~np.isin(facts[3], self._removed)
        merged = [np.concatenate([old[stay], new]) for old, new in zip(facts, self._added, strict=True)]
        order = np.argsort(merged[3], kind="stable")
        return tuple(column[order].astype(np.int64) for column in merged)  # type: ignore[return-value]


def _arcs_at(packed: Packed, origin: np.ndarray, at: np.ndarray) -> Arcs:
    packed.touch(at)
    columns = (packed.target[at], packed.code[at], packed.edge[at])
    target, code, edge = (column.astype(np.int64) for column in columns)
    return Arcs(origin, target, code, edge)


def _random_arcs(
    starts: np.ndarray, counts: np.ndarray, fanout: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Up to ``fanout`` arcs of each span: all of a short one, a random draw with replacement of a long one."""
    origin, rank = ranks(np.minimum(counts, fanout))
    have = counts[origin]
    drawn = (rng.random(len(rank)) * have).astype(np.int64)
    return origin, starts[origin] + np.where(have > fanout, drawn, rank)
