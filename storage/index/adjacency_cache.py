"""Cached adjacency of a namespace: built from the file, kept up to date from the journal."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from graphmem.core.errors import Corrupt
from graphmem.storage.index import snapshot
from graphmem.storage.index.adjacency import CSRIndex, Packed
from graphmem.storage.index.snapshot import Stamp, View, stamp_at
from graphmem.storage.tables import journal
from graphmem.storage.tables.connection import BUSY_SECONDS, connect
from graphmem.storage.tables.queries import present_moment, visible

PAST_VIEWS = 4  # cached views of past moments
PATCH_ENTRIES = 4096  # journal entries up to which a view is patched; beyond, it is rebuilt
PACK_ARCS = 400_000  # arcs from which a view that was built from the tables is written as a snapshot

ROWS = 65_536
MAX_NODE = (1 << 31) - 2  # ids in an index have 32 bits


@dataclass(slots=True)
class Views:
    """Cached views of one namespace of one file; ``path`` is None for a memory without a file."""

    ns: int
    path: str | None = None
    present: View[CSRIndex] | None = None
    built: bool = False
    past: dict[int, View[CSRIndex]] = field(default_factory=dict)

    def get(self, raw: sqlite3.Connection, as_of: int | None) -> CSRIndex:
        """The view of a moment, built, patched or as cached. Call it inside one read transaction."""
        if as_of is None:
            self.present = self._fresh(raw)
            return self.present.index
        view = self.past.pop(as_of, None)
        if view is None or view.stamp != stamp_at(raw, self.ns):
            view = build(raw, self.ns, as_of)
        self.past[as_of] = view
        while len(self.past) > PAST_VIEWS:
            del self.past[next(iter(self.past))]
        return view.index

    def _fresh(self, raw: sqlite3.Connection) -> View[CSRIndex]:
        view, now = self.present or self._packed(), stamp_at(raw, self.ns)
        expired = view is None or (view.stamp.expires is not None and view.stamp.expires <= present_moment(raw))
        if view is not None and not expired and snapshot.is_true(raw, view.stamp, self.ns):
            if view.stamp.entry == now.entry:
                return view
            patched = patch(raw, view, now) if 0 < now.entry - view.stamp.entry <= PATCH_ENTRIES else None
            if patched is not None:
                return patched
        self.built = True
        return build(raw, self.ns, None)

    def _packed(self) -> View[CSRIndex] | None:
        view = snapshot.read(self.path, self.ns) if self.path else None
        if view is not None:
            view.index.rebuild = self._rebuilt
        return view

    def _rebuilt(self) -> CSRIndex:
        """The index of the present in place of a damaged snapshot, read through a connection of its own."""
        with closing(connect(str(self.path), True, BUSY_SECONDS)) as raw:
            raw.execute("BEGIN")
            self.built = True
            return build(raw, self.ns, None).index

    def worth_packing(self) -> View[CSRIndex] | None:
        """The present view, once, where it was built and is large or its file is of no use; else None."""
        built, self.built = self.built, False
        if not built or self.present is None or self.path is None:
            return None
        large = len(self.present.index.packed.edge) >= PACK_ARCS
        return self.present if large or snapshot.path_for(self.path, self.ns).exists() else None

    def repacked(self) -> View[CSRIndex]:
        """The present view without an overlay. Call ``get`` first."""
        assert self.present is not None
        if self.present.index.patches:
            self.present = replace(self.present, index=self.present.index.repacked())
        return self.present


def relation_table(raw: sqlite3.Connection, ns: int) -> tuple[list[str], np.ndarray]:
    """Relation texts by dense id, and the dense id of each relation row, int64 [highest row + 1]."""
    found = raw.execute("SELECT id, name FROM relations WHERE ns = ? ORDER BY id", (ns,)).fetchall()
    dense = np.full(found[-1][0] + 1 if found else 1, -1, np.int64)
    dense[[row[0] for row in found]] = np.arange(len(found))
    return [row[1] for row in found], dense


def build(raw: sqlite3.Connection, ns: int, as_of: int | None) -> View[CSRIndex]:
    """Read every fact of a moment from the file and pack it."""
    condition, values = visible(raw, as_of)
    sql = f"SELECT e.id, e.src, e.rel, e.dst FROM edges e WHERE e.ns = :ns AND {condition}"
    edge, src, row, dst = read_columns(raw.execute(sql, values | {"ns": ns}), 4)
    names, dense = relation_table(raw, ns)
    packed = Packed.build(highest_node(raw) + 1, src, dense[row], dst, edge)
    expires = None if as_of is not None else next_flip(raw, values["now"], "ns = :ns", {"ns": ns})
    return View(CSRIndex(packed, names), stamp_at(raw, ns, expires=expires))


def read_columns(cursor: sqlite3.Cursor, width: int) -> list[np.ndarray]:
    """All rows of a cursor of whole numbers, as int64 columns."""
    blocks = []
    while rows := cursor.fetchmany(ROWS):
        try:
            flat = np.fromiter(chain.from_iterable(rows), np.int64, width * len(rows))
        except TypeError as error:
            raise ValueError(f"a column of numbers holds something else: {error}") from error
        blocks.append(flat.reshape(len(rows), width))  # [rows, width]
    table = np.concatenate(blocks) if blocks else np.zeros((0, width), np.int64)
    return [np.ascontiguousarray(table[:, column]) for column in range(width)]


def highest_node(raw: sqlite3.Connection) -> int:
    """The highest node id. Raises ``Corrupt``: beyond what an index holds."""
    highest = raw.execute("SELECT max(id) FROM nodes").fetchone()[0] or 0
    if highest > MAX_NODE:
        raise Corrupt(f"the memory is damaged (a node has the id {highest}); run `graphmem check`, then repair it")
    return int(highest)


def next_flip(raw: sqlite3.Connection, now: int, facts: str, values: dict[str, object]) -> int | None:
    """When the next fact begins or ends by itself, in microseconds, or None; ``facts`` is a condition on ``edges``."""
    sql = (
        "SELECT min(CASE WHEN valid_from > :now THEN valid_from END), min(CASE WHEN valid_to > :now THEN valid_to END) "
        f"FROM edges WHERE retired_at IS NULL AND (valid_from > :now OR valid_to > :now) AND {facts}"
    )
    return _earliest(*raw.execute(sql, {"now": now, **values}).fetchone())


def patch(raw: sqlite3.Connection, view: View[CSRIndex], now: Stamp) -> View[CSRIndex] | None:
    """Carry a present view over the journal entries since; None when a bulk load makes a rebuild cheaper."""
    changed: set[int] = set()
    sql = (
        "SELECT j.id, j.compacted OR EXISTS(SELECT 1 FROM journal_ranges WHERE entry = j.id) "
        "OR EXISTS(SELECT 1 FROM journal_parts WHERE entry = j.id) FROM journal j WHERE j.id > ? AND j.ns = ?"
    )
    for number, large in raw.execute(sql, (view.stamp.entry, now.ns)).fetchall():
        if large:
            return None
        changed.update(change.key[0] for change in journal.recorded(raw, number) if change.table == "edges")
    index, names = view.index, relation_table(raw, now.ns)
    condition, values = visible(raw, None)
    ids = json.dumps(sorted(changed))
    joined = "json_each(:ids) j CROSS JOIN edges e ON e.id = j.value"
    sql = f"SELECT e.src, e.rel, e.dst, e.id FROM {joined} WHERE {condition}"
    src, row, dst, edge = read_columns(raw.execute(sql, values | {"ids": ids}), 4)
    patched = index.patched(changed, (src, names[1][row], dst, edge), names[0], highest_node(raw) + 1)
    listed = "id IN (SELECT value FROM json_each(:ids))"
    expires = _earliest(view.stamp.expires, next_flip(raw, values["now"], listed, {"ids": ids}))
    return View(patched, replace(now, expires=expires))


def _earliest(*moments: int | None) -> int | None:
    return min((moment for moment in moments if moment is not None), default=None)
