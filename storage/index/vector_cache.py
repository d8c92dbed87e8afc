"""Cached vectors for search: built from the tables or mapped from a file, then patched from the journal."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from graphmem.core.types import SYSTEM_KINDS
from graphmem.storage.index import snapshot
from graphmem.storage.index.adjacency_cache import PATCH_ENTRIES, read_columns
from graphmem.storage.index.int8_scan import quantise
from graphmem.storage.index.snapshot import Stamp, View
from graphmem.storage.index.vector_search import PLAIN, Coded, Plain, VectorIndex, no_vectors
from graphmem.storage.tables import journal, vector_rows

PACK_VECTORS = 100_000  # vectors from which codes that were made from the tables are written to a file
SEARCHED = f"retired_at IS NULL AND kind NOT IN {SYSTEM_KINDS}"  # condition on nodes that a search may find
KEPT = 2  # encoders whose vectors are cached
PATCH_NODES = 50_000  # changed nodes, or new vectors, up to which a view is patched; beyond, it is rebuilt


VectorView = View[VectorIndex]


@dataclass(slots=True)
class VectorViews:
    """Vectors of one namespace of one file, by encoder; ``path`` is None for a memory without a file."""

    ns: int
    path: str | None = None
    views: dict[str, VectorView] = field(default_factory=dict)
    built: str | None = None

    def get(self, raw: sqlite3.Connection, fingerprint: str) -> VectorIndex:
        """The vectors of this encoder. Call it inside one read transaction.

        Raises:
            EncoderMismatch: the namespace holds vectors of other encoders only.
        """
        view = self.views.pop(fingerprint, None)
        if view is None and self.path is not None:
            view = read(self.path, self.ns, fingerprint)
        fresh = self._fresh(raw, view, fingerprint)
        if fresh.index.empty:
            vector_rows.refuse_others(raw, self.ns, fingerprint)
        self.views[fingerprint] = fresh
        while len(self.views) > KEPT:
            del self.views[next(iter(self.views))]
        return fresh.index

    def keep(self, fingerprint: str, nodes: np.ndarray, vectors: np.ndarray) -> None:
        """Add vectors that cannot be written to the file, while the memory is open. Call ``get`` first."""
        view, order = self.views[fingerprint], np.argsort(nodes)
        pending = np.setdiff1d(view.index.pending, nodes)
        index = view.index.patched(nodes, nodes[order], np.asarray(vectors[order], np.float32), pending)
        self.views[fingerprint] = replace(view, index=index)

    def repacked(self, fingerprint: str) -> VectorView:
        """The view without an overlay. Call ``get`` first."""
        view = self.views[fingerprint]
        if len(view.index.extra.ids):
            self.views[fingerprint] = replace(view, index=view.index.repacked())
        return self.views[fingerprint]

    def worth_packing(self) -> tuple[str, VectorView] | None:
        """The view that was just built from the tables, once, where it is large or its file is of no use; else None."""
        built, self.built = self.built, None
        view = self.views.get(built) if built else None
        if not built or view is None or self.path is None:
            return None
        large = len(view.index.base.ids) >= PACK_VECTORS
        return (built, view) if large or snapshot.codes_path(self.path, self.ns).exists() else None

    def _fresh(self, raw: sqlite3.Connection, view: VectorView | None, fingerprint: str) -> VectorView:
        line, now = vector_rows.line(raw), snapshot.stamp_at(raw, self.ns)
        word = line[-1] if line else ""
        if view is not None and snapshot.is_true(raw, view.stamp, self.ns):
            if (view.stamp.entry, view.word) == (now.entry, word):
                return view
            known = view.word in line or not (view.word or line)
            patched = _patch(raw, self.ns, view, fingerprint) if known else None
            if patched is not None:
                return View(patched, now, word)
        self.built = fingerprint
        return View(build(raw, self.ns, fingerprint), now, word)


def build(raw: sqlite3.Connection, ns: int, fingerprint: str) -> VectorIndex:
    """Read every vector of live nodes from the file."""
    (live,) = read_columns(raw.execute(f"SELECT id FROM nodes WHERE ns = ? AND {SEARCHED}", (ns,)), 1)
    live.sort()
    ids, parts, coded = [], [], len(live) > PLAIN
    for block_ids, block in vector_rows.scan(raw, fingerprint):
        here = np.isin(block_ids, live, assume_unique=True)
        if here.any():
            ids.append(block_ids[here])
            parts.append(quantise(block[here]) if coded else (block[here].astype(np.float32),))
    known = np.concatenate(ids) if ids else np.zeros(0, np.int64)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.zeros((0, 0), np.float32)]
    base: Plain | Coded = Coded(known, *columns) if len(columns) > 1 else Plain(known, *columns)
    width = base.codes.shape[1] if isinstance(base, Coded) else base.vectors.shape[1]
    return VectorIndex(base, no_vectors(width), np.setdiff1d(live, known, assume_unique=True))


def _patch(raw: sqlite3.Connection, ns: int, view: VectorView, fingerprint: str) -> VectorIndex | None:
    """Patch a view with everything written since; None where rebuilding is cheaper."""
    changed = _changed_nodes(raw, ns, view.stamp.entry)
    if changed is None:
        return None
    sql = (
        "SELECT v.node FROM json_each(?) j CROSS JOIN vectors v ON v.node = j.value "
        "WHERE v.encoder = (SELECT id FROM encoders WHERE fingerprint = ?)"
    )
    found = raw.execute(sql, (json.dumps(view.index.pending.tolist()), fingerprint))
    encoded = np.asarray([row[0] for row in found], np.int64)  # of nodes that had no vector
    if len(encoded) > PATCH_NODES:
        return None
    nodes = np.union1d(changed, encoded)
    joined = "json_each(?) j CROSS JOIN nodes n ON n.id = j.value"
    sql = f"SELECT n.id FROM {joined} WHERE +n.ns = ? AND n.retired_at IS NULL"
    live = np.asarray([row[0] for row in raw.execute(sql, (json.dumps(nodes.tolist()), ns))], np.int64)
    ids, vectors = vector_rows.read_some(raw, fingerprint, live.tolist())
    pending = np.union1d(np.setdiff1d(view.index.pending, nodes), np.setdiff1d(live, ids))
    return view.index.patched(nodes, ids, vectors, pending)


def _changed_nodes(raw: sqlite3.Connection, ns: int, entry: int) -> np.ndarray | None:
    """Nodes in journal entries after an entry, int64 [C]; None where they are too many."""
    sql = "SELECT id, compacted FROM journal WHERE id > ? AND ns = ? ORDER BY id LIMIT ?"
    entries = raw.execute(sql, (entry, ns, PATCH_ENTRIES + 1)).fetchall()
    if len(entries) > PATCH_ENTRIES or any(compacted for _, compacted in entries):
        return None
    changed: set[int] = set()
    for number, _ in entries:
        first, last = journal.ranges(raw, number).get("nodes", (0, -1))
        if last - first > PATCH_NODES:
            return None
        changed.update(range(first, last + 1))
        changed.update(change.key[0] for change in journal.recorded(raw, number) if change.table == "nodes")
    return np.asarray(sorted(changed), np.int64)


def write(memory: str, fingerprint: str, view: VectorView) -> None:
    """Write the codes of a view to a file, unless it has none or an overlay."""
    base, index = view.index.base, view.index
    if not isinstance(base, Coded) or len(index.extra.ids):
        return
    head = {"stamp": asdict(view.stamp), "fingerprint": fingerprint, "word": view.word}
    arrays = {"ids": base.ids, "codes": base.codes, "scales": base.scales, "pending": index.pending}
    snapshot.write_file(snapshot.codes_path(memory, view.stamp.ns), head, arrays)


def read(memory: str, ns: int, fingerprint: str) -> VectorView | None:
    """Map the file of codes; None without readable codes of this encoder."""
    try:
        head, arrays = snapshot.read_file(snapshot.codes_path(memory, ns))
        if head["fingerprint"] != fingerprint:
            return None
        for name in arrays:
            snapshot.proof(head, arrays, [name]).touch_all()  # a search reads all of them anyway
        base = Coded(arrays["ids"], arrays["codes"], arrays["scales"])
        index = VectorIndex(base, no_vectors(base.codes.shape[1]), arrays["pending"])
        return View(index, Stamp(**head["stamp"]), head["word"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing, damaged or of another layout
