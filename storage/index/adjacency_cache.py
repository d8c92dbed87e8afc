"""Cached adjacency of a namespace: built from the file, kept up to date from the journal."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from graphmem.storage.index import snapshot
from graphmem.storage.index.adjacency import CSRIndex, Packed
from graphmem.storage.tables import journal
from graphmem.storage.tables.queries import present_moment, visible

PAST_VIEWS = 4
"""Cached views of past moments."""

PATCH_ENTRIES = 4096
"""Journal entries up to which a view is patched; beyond, it is rebuilt."""

PACK_ARCS = 400_000
"""Arcs from which a view that was built from the tables is written as a snapshot."""

ROWS = 65_536


@dataclass(slots=True)
class View:
    """Index with the journal entry of its state, the entry's check value, and when a fact next begins or ends."""

    index: CSRIndex
    entry: int
    expires: int | None = None
    chain: bytes = b""


@dataclass(slots=True)
class Views:
    """Cached views of one namespace of one file; ``path`` is None for a memory without a file."""

    ns: int
    path: str | None = None
    present: View | None = None
    built: bool = False
    past: OrderedDict[int, View] = field(default_factory=OrderedDict)

    def get(self, raw: sqlite3.Connection, as_of: int | None) -> CSRIndex:
        """The view of a moment, built, patched or as cached. Call it inside one read transaction."""
        entry = newest_entry(raw)
        if as_of is None:
            self.present = self._fresh(raw, entry)
            return self.present.index
        view = self.past.pop(as_of, None)
        if view is None or (view.entry, view.chain) != (entry, chain_at(raw, entry)):
            view = build(raw, self.ns, as_of)
        self.past[as_of] = view
        while len(self.past) > PAST_VIEWS:
            self.past.popitem(last=False)
        return view.index

    def _fresh(self, raw: sqlite3.Connection, entry: int) -> View:
        now = present_moment(raw)
        view = self.present or self._mapped(raw)
        expired = view is None or (view.expires is not None and view.expires <= now)
        if view is not None and not expired and chain_at(raw, view.entry) == view.chain:  # else: a restored backup
            if view.entry == entry:
                return view
            patched = patch(raw, self.ns, view, entry) if 0 < entry - view.entry <= PATCH_ENTRIES else None
            if patched is not None:
                return patched
        self.built = True
        return build(raw, self.ns, None)

    def worth_packing(self) -> View | None:
        """The present view, once, when it was built from the tables and is large; else None."""
        built, self.built = self.built, False
        large = self.present is not None and len(self.present.index.packed.edge) >= PACK_ARCS
        return self.present if built and large and self.path is not None else None

    def repacked(self) -> View:
        """The present view without an overlay. Call ``get`` first."""
        assert self.present is not None
        if self.present.index.patches:
            self.present = replace(self.present, index=self.present.index.repacked())
        return self.present

    def _mapped(self, raw: sqlite3.Connection) -> View | None:
        """The view that the snapshot file holds, if it is part of this memory's history."""
        found = snapshot.read(self.path, self.ns) if self.path else None
        if found is None or not snapshot.is_true(raw, found.stamp, self.ns):
            return None
        return View(found.index, found.stamp.entry, found.stamp.expires, bytes.fromhex(found.stamp.chain))


def newest_entry(raw: sqlite3.Connection) -> int:
    """Id of the newest journal entry, 0 before the first: the state of the graph."""
    return raw.execute("SELECT max(id) FROM journal").fetchone()[0] or 0


def chain_at(raw: sqlite3.Connection, entry: int) -> bytes:
    """Check value of an entry, which differs between two histories; empty where there is no such entry."""
    row = raw.execute("SELECT chain FROM journal WHERE id = ?", (entry,)).fetchone()
    return row[0] if row else b""


def stamp(raw: sqlite3.Connection, ns: int, view: View) -> snapshot.Stamp:
    """Stamp of a present view."""
    return snapshot.Stamp(snapshot.identity(raw) or "", ns, view.entry, view.chain.hex(), view.expires)


def relation_table(raw: sqlite3.Connection, ns: int) -> tuple[list[str], np.ndarray]:
    """Relation texts by dense id, and the dense id of each relation row, int64 [highest row + 1]."""
    found = raw.execute("SELECT id, name FROM relations WHERE ns = ? ORDER BY id", (ns,)).fetchall()
    dense = np.full(found[-1][0] + 1 if found else 1, -1, np.int64)
    dense[[row[0] for row in found]] = np.arange(len(found))
    return [row[1] for row in found], dense


def build(raw: sqlite3.Connection, ns: int, as_of: int | None) -> View:
    """Read every fact of a moment from the file and pack it."""
    condition, values = visible(raw, as_of)
    sql = f"SELECT e.id, e.src, e.rel, e.dst FROM edges e WHERE e.ns = :ns AND {condition}"
    edge, src, row, dst = read_columns(raw.execute(sql, values | {"ns": ns}), 4)
    names, dense = relation_table(raw, ns)
    packed = Packed.build(highest_node(raw) + 1, src, dense[row], dst, edge)
    expires = None if as_of is not None else next_flip(raw, values["now"], "ns = :ns", {"ns": ns})
    entry = newest_entry(raw)
    return View(CSRIndex(packed, names), entry, expires, chain_at(raw, entry))


def read_columns(cursor: sqlite3.Cursor, width: int) -> list[np.ndarray]:
    """All rows of a cursor of whole numbers, as int64 columns."""
    blocks = []
    while rows := cursor.fetchmany(ROWS):
        flat = np.fromiter(chain.from_iterable(rows), np.int64, width * len(rows))
        blocks.append(flat.reshape(len(rows), width))  # [rows, width]
    table = np.concatenate(blocks) if blocks else np.zeros((0, width), np.int64)
    return [np.ascontiguousarray(table[:, column]) for column in range(width)]


def highest_node(raw: sqlite3.Connection) -> int:
    """The highest node id that was ever given."""
    return int(raw.execute("SELECT value FROM meta WHERE key = 'next_node'").fetchone()[0]) - 1


def next_flip(raw: sqlite3.Connection, now: int, facts: str, values: dict[str, object]) -> int | None:
    """When the next fact begins or ends by itself, in microseconds, or None; ``facts`` is a condition on ``edges``."""
    sql = (
        "SELECT min(CASE WHEN valid_from > :now THEN valid_from END), min(CASE WHEN valid_to > :now THEN valid_to END) "
        f"FROM edges WHERE retired_at IS NULL AND (valid_from > :now OR valid_to > :now) AND {facts}"
    )
    begins, ends = raw.execute(sql, {"now": now, **values}).fetchone()
    return _earlier(begins, ends)


def patch(raw: sqlite3.Connection, ns: int, view: View, entry: int) -> View | None:
    """Carry a present view over the journal entries since; None when a bulk load makes a rebuild cheaper."""
    changed: set[int] = set()
    sql = "SELECT id FROM journal WHERE id > ? AND ns = ? ORDER BY id"
    for (number,) in raw.execute(sql, (view.entry, ns)).fetchall():
        if journal.is_large(raw, number):
            return None
        changed.update(change.key[0] for change in journal.recorded(raw, number) if change.table == "edges")
    index, names = view.index, relation_table(raw, ns)
    condition, values = visible(raw, None)
    ids = json.dumps(sorted(changed))
    joined = "json_each(:ids) j CROSS JOIN edges e ON e.id = j.value"
    sql = f"SELECT e.src, e.rel, e.dst, e.id FROM {joined} WHERE {condition}"
    src, row, dst, edge = read_columns(raw.execute(sql, values | {"ids": ids}), 4)
    patched = index.patched(changed, (src, names[1][row], dst, edge), names[0], highest_node(raw) + 1)
    listed = "id IN (SELECT value FROM json_each(:ids))"
    expires = _earlier(view.expires, next_flip(raw, values["now"], listed, {"ids": ids}))
    return View(patched, entry, expires, chain_at(raw, entry))


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)
