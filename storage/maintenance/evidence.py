"""Evidence of a file's journal: which entries can be trusted, what rows they name, and which loads are as loaded."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from graphmem.core.errors import GraphMemError
from graphmem.storage import bulk_sums
from graphmem.storage.tables import journal
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import altered_entries, stored_value
from graphmem.storage.tables.row_images import Delta
from graphmem.storage.tables.schema import NAMES

UNREADABLE = (ValueError, KeyError, TypeError, IndexError, zlib.error, RecursionError, sqlite3.Error, GraphMemError)
"""What reading a damaged entry may raise."""

USED = {
    "namespaces": " UNION ".join(
        f"SELECT ns AS id FROM {table}" for table in ("nodes", "edges", "relations", "journal")
    ),
    "relations": "SELECT DISTINCT rel AS id FROM edges",
    "sources": "SELECT source AS id FROM edges UNION SELECT source FROM edge_sources",
}
"""Dictionaries, and where their ids are used."""

Key = tuple[str, rows.Row]
"""Table and primary key of a row."""


@dataclass(slots=True)
class Evidence:
    """What the entries of a journal say.

    Attributes:
        altered: entries that are not what was written; nothing of them counts.
        unreadable: of these, those that cannot be read, and why.
        mended: entries whose content is right and whose stored check value is not, with the right value.
        newest: newest known columns of each row, None of a removed one.
        named: the last entry that names each row.
        before: columns of nodes and facts before the first change of each, by table and id.
        touched: pairs of node and entry that the history of nodes needs.
        names: columns of ``NAMES`` of the rows of dictionaries, by dictionary and id.
    """

    altered: set[int] = field(default_factory=set)
    unreadable: dict[int, str] = field(default_factory=dict)
    mended: dict[int, bytes] = field(default_factory=dict)
    newest: dict[Key, dict[str, Any] | None] = field(default_factory=dict)
    named: dict[Key, int] = field(default_factory=dict)
    before: dict[str, dict[int, Any]] = field(default_factory=lambda: {"nodes": {}, "edges": {}})
    touched: set[tuple[int, int]] = field(default_factory=set)
    names: dict[tuple[str, int], rows.Row] = field(default_factory=dict)

    def blocks(self, raw: sqlite3.Connection) -> list[bulk_sums.Block]:
        """Blocks of bulk loads that are not as they were loaded."""
        found = []
        for block in bulk_sums.blocks(raw, self.before, quick=True):
            if block.entry not in self.altered and not block.sound():
                found.append(block)
        return found

    def used(self, raw: sqlite3.Connection) -> dict[str, set[int]]:
        """Ids of dictionaries that rows use, present ones and those that the journal knows."""
        used = {table: {row[0] for row in raw.execute(sql)} for table, sql in USED.items()}
        for (table, _), state in self.newest.items():
            for column, owner in (("rel", "relations"), ("source", "sources"), ("ns", "namespaces")):
                if table in ("edges", "edge_sources") and state and state.get(column):
                    used[owner].add(state[column])
        return used

    def misnamed(self, raw: sqlite3.Connection) -> dict[tuple[str, int], rows.Row]:
        """Rows of dictionaries that are not named as the journal says, or missing and used; with what they must be."""
        found: dict[tuple[str, int], rows.Row] = {}
        missing: dict[tuple[str, int], rows.Row] = {}
        for (table, number), row in self.names.items():
            sql = f"SELECT {', '.join(NAMES[table])} FROM {table} WHERE id = ?"
            held = raw.execute(sql, (number,)).fetchone()
            if held != row:
                (missing if held is None else found)[table, number] = row
        used = self.used(raw) if missing else {}
        return found | {(table, number): row for (table, number), row in missing.items() if number in used[table]}

    def unknown(self, raw: sqlite3.Connection) -> Iterator[tuple[str, list[rows.Row]]]:
        """Nodes and facts that no entry names, where the journal is whole: another program wrote them."""
        count, last = raw.execute("SELECT count(*), coalesce(max(id), 0) FROM journal").fetchone()
        if self.altered or count != last:
            return
        if raw.execute("SELECT 1 FROM journal WHERE compacted = 1 OR action = 'withheld'").fetchone():
            return
        for table in ("nodes", "edges"):
            sql = "SELECT first, last FROM journal_ranges WHERE what = ? ORDER BY first"
            starts = [(0, 0), *raw.execute(sql, (table,)).fetchall(), ((1 << 63) - 1, 0)]
            gaps = [(last, first) for (_, last), (first, _) in pairwise(starts)]
            between = (raw.execute(f"SELECT id FROM {table} WHERE id > ? AND id < ?", gap) for gap in gaps)
            if ids := [key for found in between for key in found if (table, key) not in self.newest]:
                yield table, ids


def gather(raw: sqlite3.Connection) -> Evidence:
    """Read the whole journal. One bad entry costs that entry: the others are judged by their own check values."""
    found = Evidence(altered_entries(raw))
    _mend_chain(raw, found)
    for (number,) in raw.execute("SELECT id FROM journal ORDER BY id").fetchall():
        try:
            deltas = list(journal.recorded(raw, number))
            if number not in found.altered:
                for delta in deltas:
                    _take(raw, found, number, delta)
                found.names.update({(table, row[0]): row for table, row in journal.names(raw, number)})
        except UNREADABLE as error:
            found.altered.add(number)
            found.unreadable[number] = str(error)
    return found


def _take(raw: sqlite3.Connection, found: Evidence, number: int, delta: Delta) -> None:
    where = delta.table, delta.key
    found.newest[where] = state = delta.forth(found.newest.get(where))
    found.named[where] = number
    if delta.table in found.before:
        states, key = found.before[delta.table], delta.key[0]
        if key not in states:
            states[key] = delta.before and dict(delta.before)
        elif states[key] is not None and delta.before is not None:
            states[key] = {**delta.before, **states[key]}
    image = state or delta.before or {}
    if delta.table == "nodes":
        found.touched.add((delta.key[0], number))
    elif delta.table == "aliases":
        found.touched.add((delta.key[2], number))
    elif delta.table == "edges" and image.get("src") and image.get("dst"):
        found.touched.update(((image["src"], number), (image["dst"], number)))


def _mend_chain(raw: sqlite3.Connection, found: Evidence) -> None:
    """Tell a damaged check value from damaged content: with the right value, the next entry's holds."""
    stored = dict(raw.execute("SELECT id, chain FROM journal"))
    for number in sorted(found.altered):
        if number + 1 not in found.altered:
            continue  # the next entry was made over the stored value, so that the content is what changed
        try:
            right = stored_value(raw, _bytes(stored.get(number - 1)), number)
            if stored_value(raw, right, number + 1) != stored[number + 1]:
                continue
        except UNREADABLE:
            continue
        found.altered -= {number, number + 1}
        found.mended[number] = right


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def holds(raw: sqlite3.Connection, where: Key, state: dict[str, Any] | None) -> bool:
    """Whether the present row of a key is the one that the journal knows."""
    image = rows.as_mapping(where[0], rows.fetch(raw, *where))
    if state is None or image is None:
        return image is None and state is None
    return all(rows.agrees(value, image[column]) for column, value in state.items())
