"""Recorder of row changes: every write of a journal entry goes through one recorder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from itertools import chain, groupby

from graphmem.core.types import PASSAGE
from graphmem.storage.tables import folds, journal, sentence_rows
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.journal import UPKEEP, next_moment
from graphmem.storage.tables.row_images import Change, NamedRow, Row
from graphmem.storage.tables.validation import now_micros

_TEXT = "SELECT name, aliases, text FROM node_texts WHERE id = ?"
_SEARCHED = (2, 5)  # positions of ``name`` and ``text`` in a node's row: what full-text search reads


def next_id(raw: sqlite3.Connection, counter: str, count: int = 1) -> int:
    """Take ``count`` ids from a counter and return the first. Ids are never used twice, even after an undo."""
    first: int = raw.execute("SELECT value FROM meta WHERE key = ?", (counter,)).fetchone()[0]
    raw.execute("UPDATE meta SET value = ? WHERE key = ?", (first + count, counter))
    return first


class Recorder:
    """Journal entry under construction, inside one transaction.

    ``at`` is the clock's time, later than every earlier entry even when the clock stops or goes back a little, so that
    a time names one state of the memory. Times of a clock that once ran far ahead do not count.
    """

    def __init__(self, raw: sqlite3.Connection, ns: int) -> None:
        self.raw, self.ns = raw, ns
        self.at: int = next_moment(raw, now_micros())
        self.entry = next_id(raw, "next_entry")
        self.changes: list[Change] = []
        self.node_ids: dict[int, None] = {}
        self.edge_ids: dict[int, None] = {}
        self.touched: set[int] = set()
        self._texts: dict[int, Row | None] = {}
        self.sums: list[tuple[str, int, int, bytes]] = []  # of the rows of a bulk load
        self.names: list[NamedRow] = []  # that the entry adds to a dictionary
        self._parts = 0

    def named(self, table: str, number: int | None, *columns: object) -> int:
        """Note a name that was added to a dictionary, and return its id."""
        self.names.append((table, (number, *columns)))
        return int(number or 0)

    def put(self, table: str, before: Row | None, after: Row | None) -> None:
        """Write and record one row, unless it is unchanged."""
        if before == after:
            return
        self._note(table, before, after)
        rows.put(self.raw, table, before, after)
        last = self.changes[-1] if self.changes else None
        if last is not None and last.after is not None and last.after == before and last.table == table:
            before = self.changes.pop().before  # two changes of one row in sequence are one
        if before != after:
            self.changes.append(Change(table, before, after))

    def put_all(self, changes: Iterable[Change]) -> None:
        """``put`` for many changes; runs of one table and kind together, as in the undo of a large entry."""
        for (table, kind), group in groupby(changes, key=lambda change: (change.table, change.kind)):
            run = list(group)
            if kind == "change" or table not in ("nodes", "edges"):
                for change in run:
                    self.put(table, change.before, change.after)
                continue
            if table == "edges":
                for change in run:
                    self._note(table, change.before, change.after)
                rows.put_run(self.raw, table, kind, run)
            else:
                self._put_nodes(kind, run)
            self.changes.extend(run)

    def _put_nodes(self, kind: str, run: list[Change]) -> None:
        """Add or remove nodes, and index them in one statement unless ``index_names`` does it at the end."""
        ids = [change.key[0] for change in run]
        self.touched.update(ids)
        wanted = json.dumps([node for node in ids if node not in self._texts])
        texts = "id, name, aliases, text FROM node_texts WHERE id IN (SELECT value FROM json_each(?))"
        if kind == "remove":
            head = "INSERT INTO node_fts(node_fts, rowid, name, aliases, text)"
            self.raw.execute(f"{head} SELECT 'delete', {texts}", (wanted,))
            gone = [change.before for change in run if change.before and change.before[4] == PASSAGE]
            sentence_rows.remove(self.raw, [row[0] for row in gone])
        rows.put_run(self.raw, "nodes", kind, run)
        if kind == "add":
            self.raw.execute(f"INSERT INTO node_fts(rowid, name, aliases, text) SELECT {texts}", (wanted,))
            folds.update(self.raw, ids)

    def update(self, table: str, row: Row, **values: object) -> Row:
        """Replace some columns of a row and return the new image."""
        after = rows.changed(table, row, **values)
        self.put(table, row, after)
        return after

    def _note(self, table: str, before: Row | None, after: Row | None) -> None:
        row = before if after is None else after
        assert row is not None
        if table == "nodes":
            self.touched.add(row[0])
            if before is not None and before[4] == PASSAGE and (after is None or after[5] != before[5]):
                sentence_rows.remove(self.raw, [row[0]])
            if before is None:
                self._texts.setdefault(row[0], None)
            elif after is None or any(before[i] != after[i] for i in _SEARCHED):
                self._save_text(row[0])
        elif table == "aliases":
            self.touched.add(row[2])
            self._save_text(row[2])
        elif table == "edges":
            self.touched.update((row[2], row[4]))
            if before is not None:
                self.touched.update((before[2], before[4]))
            self._index_edge(before, after)

    def _save_text(self, node: int) -> None:
        if node not in self._texts:
            self._texts[node] = self.raw.execute(_TEXT, (node,)).fetchone()

    def _index_edge(self, before: Row | None, after: Row | None) -> None:
        old, new = (before[12] if before else ""), (after[12] if after else "")
        if old == new:
            return
        edge = (after or before or ())[0]
        if old:
            self.raw.execute("INSERT INTO edge_fts(edge_fts, rowid, text) VALUES ('delete', ?, ?)", (edge, old))
        if new:
            self.raw.execute("INSERT INTO edge_fts(rowid, text) VALUES (?, ?)", (edge, new))

    def index_names(self) -> None:
        """Update full-text search and folded names for the nodes written so far."""
        folds.update(self.raw, list(self._texts))
        for node, old in self._texts.items():
            new = self.raw.execute(_TEXT, (node,)).fetchone()
            if old == new:
                continue
            if old is not None:
                self.raw.execute(
                    "INSERT INTO node_fts(node_fts, rowid, name, aliases, text) VALUES ('delete', ?, ?, ?, ?)",
                    (node, *old),
                )
            if old is not None and new is not None and (old[0], old[2]) != (new[0], new[2]):
                self.raw.execute("DELETE FROM vectors WHERE node = ?", (node,))  # of the old words
            if new is not None:
                self.raw.execute("INSERT INTO node_fts(rowid, name, aliases, text) VALUES (?, ?, ?, ?)", (node, *new))
        self._texts.clear()

    def spill(self) -> None:
        """Write the changes so far to the journal, so that a long entry takes little memory. Writes.

        The entry itself is written by ``finish``: until then the foreign keys of its parts wait.
        """
        self.raw.execute("PRAGMA defer_foreign_keys = ON")
        self.index_names()
        while len(self.changes) > rows.PART_ROWS:
            self._write_part(rows.pack(self.changes[: rows.PART_ROWS]))
            del self.changes[: rows.PART_ROWS]
        self._write_touched()

    def _write_part(self, data: bytes) -> None:
        self._parts += 1
        self.raw.execute("INSERT INTO journal_parts VALUES (?, ?, ?)", (self.entry, self._parts, data))

    def _write_touched(self) -> None:
        pairs = ((node, self.entry) for node in self.touched)
        self.raw.executemany("INSERT OR IGNORE INTO touched VALUES (?, ?)", pairs)
        self.touched.clear()

    def finish(
        self, action: str, note: str, *, target: int | None = None, ranges: dict[str, tuple[int, int]] | None = None
    ) -> int:
        """Write the journal entry and return its id. The last write of the transaction."""
        self.index_names()
        entry, spilled = self.entry, self._parts
        starts = range(0, max(len(self.changes), 1), rows.PART_ROWS)
        left = [rows.pack(self.changes[start : start + rows.PART_ROWS]) for start in starts if spilled or start]
        first = rows.pack([] if spilled else self.changes[: rows.PART_ROWS], self._copied_names(action))
        written = self.raw.execute("SELECT changes FROM journal_parts WHERE entry = ? ORDER BY part", (entry,))
        parts = chain([first], (row[0] for row in written), left)
        last = self.raw.execute("SELECT chain FROM journal ORDER BY id DESC LIMIT 1").fetchone()
        value = chained(last[0] if last else b"", entry, self.at, action, note, parts, ranges or {}, sums=self.sums)
        self.raw.execute(
            "INSERT INTO journal(id, ns, at, action, note, target, changes, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (entry, self.ns, self.at, action, note, target, first, value),
        )
        sums = ((entry, *found) for found in self.sums)
        self.raw.executemany("INSERT INTO journal_sums VALUES (?, ?, ?, ?, ?)", sums)
        for part in left:
            self._write_part(part)
        for what, (start, end) in (ranges or {}).items():
            self.raw.execute("INSERT INTO journal_ranges VALUES (?, ?, ?, ?)", (entry, what, start, end))
        self._write_touched()
        return entry

    def _copied_names(self, action: str) -> list[NamedRow]:
        """Names that the entry keeps a copy of: every one where it rewrites the journal, else those that it added."""
        if action in UPKEEP:
            return journal.all_names(self.raw)
        space = self.raw.execute("SELECT id, name FROM namespaces WHERE id = ?", (self.ns,)).fetchone()
        return [*([("namespaces", space)] if self.names and space else []), *self.names]


def chained(
    previous: bytes, entry: int, at: int, action: str, note: str, parts: Iterable[bytes],
    ranges: dict[str, tuple[int, int]], compacted: int = 0, sums: Iterable[tuple[str, int, int, bytes]] = (),
) -> bytes:  # fmt: skip
    """Check value of an entry, over its content and the previous entry's: a changed or lost entry breaks the chain."""
    listed = sorted(sums)
    extra = [*([compacted] if compacted else []), *([listed] if listed else [])]
    head = (entry, at, action, note, sorted(ranges.items()), *extra)
    value = blake2b(previous + repr(head).encode(), digest_size=16)
    for part in parts:
        value.update(part)
    return value.digest()


def stored_value(raw: sqlite3.Connection, previous: bytes, entry: int, *, block: bytes | None = None) -> bytes:
    """Check value of a stored entry as its content demands, over the previous entry's value.

    With ``block``, of the entry with that first block of changes in place of its own.
    """
    at, action, note, first, compacted = raw.execute(
        "SELECT at, action, note, changes, compacted FROM journal WHERE id = ?", (entry,)
    ).fetchone()
    ranges = {
        what: (start, end)
        for what, start, end in raw.execute(
            'SELECT what, "first", "last" FROM journal_ranges WHERE entry = ?', (entry,)
        ).fetchall()
    }
    sums = raw.execute('SELECT what, "first", "last", sum FROM journal_sums WHERE entry = ?', (entry,)).fetchall()
    more = raw.execute("SELECT changes FROM journal_parts WHERE entry = ? ORDER BY part", (entry,))
    parts = chain([first if block is None else block], (row[0] for row in more))
    return chained(previous, entry, at, action, note, parts, ranges, compacted, sums)


def altered_entries(raw: sqlite3.Connection) -> set[int]:
    """Entries whose check value is not that of their content over the previous entry's stored value."""
    found, previous = set(), b""
    for entry, value in raw.execute("SELECT id, chain FROM journal ORDER BY id").fetchall():
        try:
            good = stored_value(raw, previous, entry) == value
        except (TypeError, sqlite3.Error, UnicodeError):
            good = False  # a damaged row holds values of another type
        if not good:
            found.add(entry)
        previous = value if isinstance(value, bytes) else b""
    return found


def reseal(raw: sqlite3.Connection, altered: set[int]) -> None:
    """Make the check values again after the journal was rewritten; ``altered`` entries stay so. Writes."""
    value = b""
    for entry, stored in raw.execute("SELECT id, chain FROM journal ORDER BY id").fetchall():
        value = stored if entry in altered else stored_value(raw, value, entry)
        raw.execute("UPDATE journal SET chain = ? WHERE id = ?", (value, entry))
