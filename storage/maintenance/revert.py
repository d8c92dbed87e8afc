"""Undo and redo: the rows of an entry are set back, column by column and a block at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from itertools import groupby

from graphmem.core.errors import Conflict
from graphmem.storage.tables import journal
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder
from graphmem.storage.tables.row_images import Change, Cut, Delta, Row

Key = tuple[str, Row]

BARE = {"kind": "entity", "text": "", "attributes": None, "state": None, "state_space": None, "dated": None,
        "date_text": None}  # fmt: skip
"""What an entry may say about a node beyond its name, as it is where nothing was said."""

_COLUMNS = {table: ", ".join(columns) for table, columns in rows.COLUMNS.items()}
_NODES_OF = {"edges": (2, 4), "aliases": (2,)}
"""Positions of nodes in the rows of a table."""

_LIVE = "j.undone = 0 AND j.action NOT IN ('undo', 'redo', 'compact', 'erase')"
_NEEDED = f"""
    EXISTS(SELECT 1 FROM edges WHERE src = i.value) OR EXISTS(SELECT 1 FROM edges WHERE dst = i.value)
    OR EXISTS(SELECT 1 FROM edges WHERE passage = i.value) OR EXISTS(SELECT 1 FROM aliases WHERE node = i.value)
    OR EXISTS(SELECT 1 FROM touched t JOIN journal j ON j.id = t.entry
              WHERE t.node = i.value AND t.entry <> :entry AND {_LIVE})
    OR EXISTS(SELECT 1 FROM journal_ranges r JOIN journal j ON j.id = r.entry
              WHERE r.what = 'nodes' AND i.value BETWEEN r.first AND r.last AND r.entry <> :entry AND {_LIVE})
"""
"""Whether other entries need a node: facts, aliases or changes of their own."""


_RETIRED = "SELECT id FROM nodes n WHERE id IN (SELECT value FROM json_each(?)) AND retired_at IS NOT NULL"
_HAS = "EXISTS(SELECT 1 FROM edges e WHERE (e.src = n.id OR e.dst = n.id) AND e.retired_at IS NULL)"


def revert(raw: sqlite3.Connection, recorder: Recorder, reverted: int, target: int) -> None:
    """Set the rows of an entry back. Writes; the caller finishes the recorder.

    A column is set back where it has the value that the entry gave it. A node that others use stays, without what the
    entry said about it; it goes with the last entry that uses it.

    Args:
        reverted: the entry whose changes are set back: an undone one, or the undo of a redone one.
        target: the entry that is undone or redone.

    Raises:
        Conflict: later entries changed these columns or facts; the message lists those entries.
    """
    raw.execute("PRAGMA defer_foreign_keys = ON")
    work = _Revert(raw, recorder, reverted, target)
    ranges = journal.ranges(raw, reverted)
    changed = work.changed_since(ranges)
    for block in journal.blocks(raw, reverted, backwards=True):
        work.set_back(block)
        recorder.spill()
    work.refuse()
    for table in ("edges", "nodes"):  # edges first: they refer to nodes
        if table in ranges:
            work.remove_range(table, ranges, changed)
    if reverted == target:
        work.remove_unused()
    work.refuse_retired()


class _Revert:
    """Work on one entry."""

    def __init__(self, raw: sqlite3.Connection, recorder: Recorder, reverted: int, target: int) -> None:
        self.raw, self.recorder, self.reverted, self.target = raw, recorder, reverted, target
        self.pending: list[Change] = []
        self.rows: dict[Key, Row | None] = {}  # as they will be when what is pending is written
        self.moved: dict[Key, tuple[int, set[str]]] = {}  # of rows that changed since, a node and the columns
        self.blockers: set[int] = set()
        self.ends: set[int] = set()  # nodes that may not be needed when the entry is undone
        self.retired: set[int] = set()  # nodes that are retired again, or that facts which are live again join

    def set_back(self, block: list[Delta]) -> None:
        """Set back a block of changes, the last one first."""
        for (table, kind), run in groupby(block, key=lambda delta: (delta.table, delta.kind)):
            if (table, kind) == ("nodes", "add"):
                self._write()
                self._remove_nodes(list(run))
                continue
            for delta in run:
                getattr(self, f"_{kind}_back")(delta)
        self._write()

    def _row(self, delta: Delta) -> Row | None:
        key = delta.table, delta.key
        return self.rows[key] if key in self.rows else rows.fetch(self.raw, *key)

    def _put(self, delta: Delta, before: Row | None, after: Row | None) -> None:
        self.rows[delta.table, delta.key] = after
        self.pending.append(Change(delta.table, before, after))

    def _write(self) -> None:
        added = [change.after for change in self.pending if change.table == "edges" and change.after is not None]
        if added:
            self._require_nodes({row[at] for row in added for at in (2, 4)})
        live = sorted({row[at] for row in added if row[8] is None for at in (2, 4)})
        self.retired.update(row[0] for row in self.raw.execute(_RETIRED, (json.dumps(live),)) if live)
        nodes = (c.after for c in self.pending if c.table == "nodes" and c.after is not None)
        self.retired.update(row[0] for row in nodes if row[9] is not None)
        self.recorder.put_all(self.pending)
        self.pending, self.rows = [], {}

    def _change_back(self, delta: Delta) -> None:
        row = self._row(delta)
        image = rows.as_mapping(delta.table, row)
        before, after = delta.before or {}, delta.after or {}
        other = set(after) if image is None else {c for c, value in after.items() if not rows.agrees(value, image[c])}
        if row is None or image is None or other:
            self._moved(delta, row, other)
            return
        if delta.table == "nodes":
            self.ends.add(delta.key[0])
        values = {c: value.before(image[c]) if isinstance(value, Cut) else value for c, value in before.items()}
        self._put(delta, row, rows.as_row(delta.table, image | values))

    def _remove_back(self, delta: Delta) -> None:
        row, old = self._row(delta), rows.as_row(delta.table, delta.before or {})
        if row is None:
            self._put(delta, None, old)
        elif row != old and not (delta.table == "nodes" and row[3] == old[3]):  # a node may be back for another entry
            self._moved(delta, row)

    def _add_back(self, delta: Delta) -> None:
        row = self._row(delta)
        if row is None or row != rows.as_row(delta.table, delta.after or {}):
            self._moved(delta, row)
            return
        self.ends.update(row[at] for at in _NODES_OF.get(delta.table, ()))
        self._put(delta, row, None)

    def _remove_nodes(self, run: list[Delta]) -> None:
        """Remove nodes that the entry added, or only what it said about them where others need them."""
        needed = self._needed([delta.key[0] for delta in run])
        for delta in run:
            row = self._row(delta)
            if row is None:
                continue
            if delta.key[0] not in needed:
                self._put(delta, row, None)
                continue
            image, said = rows.as_mapping("nodes", row) or {}, delta.after or {}
            bare = {column: value for column, value in BARE.items() if rows.agrees(said.get(column), image[column])}
            self._put(delta, row, rows.as_row("nodes", image | bare))
        self._write()

    def _needed(self, nodes: list[int]) -> set[int]:
        sql = f"SELECT i.value FROM json_each(:nodes) i WHERE {_NEEDED}"
        found = self.raw.execute(sql, {"nodes": json.dumps(nodes), "entry": self.target})
        return {row[0] for row in found}

    def _require_nodes(self, nodes: set[int]) -> None:
        """Put nodes back that facts of a redone entry join: it added them, and an undo of another entry removed them.

        Raises:
            Conflict: another entry added them.
        """
        wanted = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM nodes)"
        waiting = {change.after[0] for change in self.pending if change.table == "nodes" and change.after is not None}
        missing = {row[0] for row in self.raw.execute(wanted, (json.dumps(sorted(nodes - waiting)),))}
        for delta in journal.recorded(self.raw, self.target) if missing else ():
            if delta.table == "nodes" and delta.kind == "add" and delta.key[0] in missing:
                missing.discard(delta.key[0])
                self.recorder.put("nodes", None, rows.as_row("nodes", delta.after or {}))
        if missing:
            raise Conflict(
                f"entry {self.target} builds on nodes that are gone ({', '.join(map(str, sorted(missing)))}); "
                "redo the entry that added them first"
            )

    def refuse_retired(self) -> None:
        """Raise ``Conflict`` where facts would hold about retired nodes."""
        found = self.raw.execute(f"{_RETIRED} AND {_HAS}", (json.dumps(sorted(self.retired)),)).fetchall()
        if found:
            raise Conflict(
                f"entry {self.target} leaves facts of retired nodes ({', '.join(str(row[0]) for row in found[:8])}); "
                "restore the nodes, or retire the facts first"
            )

    def _moved(self, delta: Delta, row: Row | None, columns: set[str] | None = None) -> None:
        image = rows.as_mapping(delta.table, row) or delta.before or delta.after or {}
        node = delta.key[0] if delta.table == "nodes" else image.get("node") or image.get("src")
        if node is None and delta.table == "edge_sources":
            (node,) = self.raw.execute("SELECT src FROM edges WHERE id = ?", (delta.key[0],)).fetchone() or (0,)
        self.moved[delta.table, delta.key] = node or 0, columns or set(rows.COLUMNS[delta.table])

    def refuse(self) -> None:
        """Raise ``Conflict`` where rows are not as the entry left them."""
        sql = f"SELECT j.id FROM touched t JOIN journal j ON j.id = t.entry WHERE t.node = ? AND j.id > ? AND {_LIVE}"
        for key, (node, columns) in self.moved.items():
            for (number,) in self.raw.execute(sql, (node, self.reverted)).fetchall():
                changes = (delta for delta in journal.recorded(self.raw, number) if (delta.table, delta.key) == key)
                if any(columns & set(delta.after or delta.before or ()) for delta in changes):
                    self.blockers.add(number)
        if self.blockers:
            named = ", ".join(map(str, sorted(self.blockers)))
            raise Conflict(f"entry {self.target} cannot be reverted: entries {named} build on it; undo those first")
        if self.moved:
            raise Conflict(f"entry {self.target} cannot be reverted: rows it changed have been reverted already")

    def changed_since(self, ranges: dict[str, tuple[int, int]]) -> set[int]:
        """Nodes of a bulk load that later entries changed; entries that changed its facts are blockers."""
        changed: set[int] = set()
        sql = f"SELECT j.id FROM journal j WHERE j.id > ? AND {_LIVE}"
        for (number,) in self.raw.execute(sql, (self.reverted,)).fetchall() if ranges else ():
            for delta in journal.recorded(self.raw, number):
                table, at = {"aliases": ("nodes", 2), "edge_sources": ("edges", 0)}.get(delta.table, (delta.table, 0))
                if table in ranges and ranges[table][0] <= delta.key[at] <= ranges[table][1]:
                    changed.add(delta.key[at]) if table == "nodes" else self.blockers.add(number)
        return changed

    def remove_range(self, table: str, ranges: dict[str, tuple[int, int]], kept: set[int]) -> None:
        """Remove the rows of a bulk load, a block at a time, without nodes that others need."""
        first, last = ranges.get("nodes", (0, -1))
        for block in self._range(table, *ranges[table]):
            if table == "nodes":
                stay = kept | self._needed([row[0] for row in block])
                block = [row for row in block if row[0] not in stay]
            else:
                self.ends.update(row[at] for row in block for at in (2, 4) if not first <= row[at] <= last)
            self.recorder.put_all(Change(table, row, None) for row in block)
            self.recorder.spill()

    def _range(self, table: str, first: int, last: int) -> Iterator[list[Row]]:
        sql = f"SELECT {_COLUMNS[table]} FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT {rows.PART_ROWS}"
        while block := self.raw.execute(sql, (first, last)).fetchall():
            yield block
            last = block[-1][0] - 1

    def remove_unused(self) -> None:
        """Remove nodes that an earlier undo left because facts needed them, which are gone with this one."""
        ids = sorted(self.ends)
        for start in range(0, len(ids), rows.PART_ROWS):
            part = ids[start : start + rows.PART_ROWS]
            needed = self._needed(part)
            for node in part:
                row = rows.fetch(self.raw, "nodes", (node,)) if node not in needed else None
                if row is not None and self._is_left(row):
                    self.recorder.put("nodes", row, None)

    def _is_left(self, row: Row) -> bool:
        """Whether nothing is said about a node, and an undone entry added it."""
        image = rows.as_mapping("nodes", row) or {}
        sql = (
            "SELECT EXISTS(SELECT 1 FROM touched t JOIN journal j ON j.id = t.entry WHERE t.node = ?1 AND j.undone = 1)"
            " OR EXISTS(SELECT 1 FROM journal_ranges r JOIN journal j ON j.id = r.entry "
            "WHERE r.what = 'nodes' AND ?1 BETWEEN r.first AND r.last AND j.undone = 1)"
        )
        bare = all(image[column] == value for column, value in BARE.items()) and image["retired_at"] is None
        return bare and bool(self.raw.execute(sql, (row[0],)).fetchone()[0])
