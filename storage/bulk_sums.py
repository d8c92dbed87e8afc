"""Checksums of the rows that bulk loads add, one for up to ``BLOCK`` ids: they have no images in the journal.

A sum covers the rows as they were loaded. Rows that changed later are replaced by what the journal says they were, by
``journal.first_before``, before a sum is compared. A sum is a CRC-32 of four bytes, and the source of facts:

- of a load: the varying columns as one array or text; the others have the same known value in every row (``CONSTANT``).
- ``b"r"`` before it: whole rows, for ranges that were loaded by an earlier version or resealed since.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphmem.storage.tables import journal
from graphmem.storage.tables.row_images import LONG_COLUMNS, Cut, as_mapping, text_digest
from graphmem.storage.tables.schema import COLUMNS

BLOCK = 4096  # ids under one sum
_WHOLE = 5  # bytes of a sum of whole rows; those of a load have 4, or 12 of facts, and may begin with ``r`` too

Sum = tuple[str, int, int, bytes]
"""Table, first id, last id and sum of a block."""

CONSTANT: dict[str, dict[str, Any]] = {
    "nodes": {"kind": "entity", "text": "", "strength": 1.0},
    "edges": {"confidence": 1.0, "text": ""},
}
"""Values that every row of a load has; columns that are not named here, nor given by the load, are NULL."""

VARYING = {"nodes": ("id", "name", "norm"), "edges": ("id", "src", "rel", "dst", "strength")}
"""Columns that a sum of a load covers; the others are constant."""


def of_nodes(first: int, names: Sequence[str], norms: Sequence[str]) -> Sum:
    """Sum of a block of loaded nodes."""
    body = "\0".join([*names, *norms]).encode()
    return "nodes", first, first + len(names) - 1, zlib.crc32(body, first & 0xFFFFFFFF).to_bytes(4, "little")


def of_edges(first: int, table: np.ndarray, source: int | None) -> Sum:
    """Sum of a block of loaded facts; ``table`` holds subject, relation, object and strength, int64 [n, 4]."""
    value = zlib.crc32(np.ascontiguousarray(table, "<i8").tobytes(), first & 0xFFFFFFFF)
    return "edges", first, first + len(table) - 1, struct.pack("<Iq", value, -1 if source is None else source)


def write(raw: sqlite3.Connection, entry: int, sums: Iterable[Sum]) -> None:
    """Store the sums of an entry. Writes."""
    raw.executemany("INSERT INTO journal_sums VALUES (?, ?, ?, ?, ?)", ((entry, *found) for found in sums))


def read(raw: sqlite3.Connection, entry: int) -> list[Sum]:
    """The sums of an entry, in order: part of what its check value covers."""
    sql = 'SELECT what, "first", "last", sum FROM journal_sums WHERE entry = ? ORDER BY what, "first"'
    return raw.execute(sql, (entry,)).fetchall()


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a load: what its rows must be.

    Attributes:
        rows: columns of the rows as they were loaded, by id, as far as the rows and the journal tell.
        journalled: ids whose rows the journal names.
    """

    entry: int
    table: str
    first: int
    last: int
    sum: bytes
    constant: Mapping[str, Any]
    rows: dict[int, dict[str, Any]]
    journalled: frozenset[int]

    @property
    def by_load(self) -> bool:
        """Whether the load itself made the sum, so that its rows are the same but for the varying columns."""
        return len(self.sum) != _WHOLE

    def missing(self) -> list[int]:
        """Ids without a row."""
        return [number for number in range(self.first, self.last + 1) if number not in self.rows]

    def altered(self) -> list[int]:
        """Ids whose columns differ from those that every row of the load has."""
        if not self.by_load:
            return []
        wanted = [(column, self.constant.get(column)) for column in COLUMNS[self.table]]
        wanted = [(column, value) for column, value in wanted if column not in VARYING[self.table]]
        return [number for number, row in self.rows.items() if any(row[c] != value for c, value in wanted)]

    def holds(self, rows: Mapping[int, Mapping[str, Any]] | None = None) -> bool:
        """Whether the varying columns of these rows, its own when None, are as loaded."""
        found = self.rows if rows is None else rows
        if not self.by_load:
            return _of_rows(self.table, self.first, self.last, found) == self.sum
        if len(found) != self.last - self.first + 1:
            return False
        ordered = [found[number] for number in range(self.first, self.last + 1)]
        try:
            if self.table == "nodes":
                names, norms = ([row[column] for row in ordered] for column in ("name", "norm"))
                return of_nodes(self.first, names, norms)[3] == self.sum
            columns = [[row[column] for column in ("src", "rel", "dst", "strength")] for row in ordered]
            table = np.array(columns, np.float64)
            if not (np.abs(table) < 1 << 53).all() or (table % 1).any():
                return False
            return of_edges(self.first, table.astype(np.int64), None)[3][:4] == self.sum[:4]
        except (TypeError, ValueError, UnicodeEncodeError):
            return False  # a damaged row holds values of another type

    def sound(self) -> bool:
        """Whether every row is as it was loaded."""
        return self.holds() and not self.altered()


def _of_rows(table: str, first: int, last: int, rows: Mapping[int, Mapping[str, Any]]) -> bytes:
    held = [[_plain(column, rows[number].get(column)) for column in COLUMNS[table]] for number in sorted(rows)]
    return b"r" + zlib.crc32(repr((first, last, held)).encode("utf-8", "surrogatepass")).to_bytes(4, "little")


def _plain(column: str, value: Any) -> Any:
    """A value in the text of a sum; of long texts their digests, which a ``Cut`` keeps of what it replaced."""
    if isinstance(value, Cut):
        return value.old_digest
    return text_digest(value) if column in LONG_COLUMNS and isinstance(value, str) else value


def blocks(
    raw: sqlite3.Connection, before: Mapping[str, Mapping[int, Mapping[str, Any] | None]] | None = None, *,
    quick: bool = False,
) -> Iterator[Block]:  # fmt: skip
    """Every block with the rows as they were loaded.

    Args:
        before: the result of ``earliest``; read from the journal when None.
        quick: leave out blocks that the journal does not name and that are sound, at a fraction of the time.
    """
    known = earliest(raw) if before is None else before
    named = {table: np.sort(np.fromiter(ids, np.int64, len(ids))) for table, ids in known.items()}
    sql = (
        'SELECT s.entry, s.what, s."first", s."last", s.sum, j.ns, j.at FROM journal_sums s '
        'JOIN journal j ON j.id = s.entry ORDER BY s.what, s."first"'
    )
    for entry, table, first, last, value, ns, at in raw.execute(sql).fetchall():
        whole = isinstance(first, int) and isinstance(last, int) and isinstance(value, bytes)
        if not whole or not 0 < last - first + 1 <= BLOCK:
            continue  # ``check`` reports it: the chain covers the sums
        constant = CONSTANT[table] | {"ns": ns}
        if table == "nodes":
            constant |= {"created_at": at}
        elif len(value) == 12:
            source = struct.unpack("<Iq", value)[1]
            constant |= {"entry": entry, "source": None if source < 0 else source}
        free = np.searchsorted(named[table], first) == np.searchsorted(named[table], last, side="right")
        if quick and free and _untouched(raw, table, first, last, value, constant):
            continue
        yield Block(entry, table, first, last, value, constant, *_loaded(raw, table, first, last, known[table]))


def _untouched(
    raw: sqlite3.Connection, table: str, first: int, last: int, value: bytes, constant: Mapping[str, Any]
) -> bool:
    """Whether the rows of a block are as a load left them, without a look at the columns that are constant."""
    columns = [column for column in COLUMNS[table] if column not in VARYING[table]]
    same = " AND ".join(f"{column} IS ?" for column in columns)
    sql = f"SELECT {', '.join(VARYING[table][1:])}, {same} FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id"
    try:
        rows = raw.execute(sql, (*map(constant.get, columns), first, last)).fetchall()
        if len(rows) != last - first + 1 or not all(row[-1] for row in rows):
            return False
        if table == "nodes":
            return of_nodes(first, [row[0] for row in rows], [row[1] for row in rows])[3] == value
        numbers = np.array([row[:4] for row in rows], np.float64)
        whole = bool((np.abs(numbers) < 1 << 53).all() and not (numbers % 1).any())
        return whole and of_edges(first, numbers.astype(np.int64), None)[3][:4] == value[:4]
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError):
        return False


def _loaded(
    raw: sqlite3.Connection, table: str, first: int, last: int, before: Mapping[int, Mapping[str, Any] | None]
) -> tuple[dict[int, dict[str, Any]], frozenset[int]]:
    """Rows of some ids as they were before the journal's first change of each, and the ids that the journal names."""
    sql = f"SELECT {', '.join(COLUMNS[table])} FROM {table} WHERE id BETWEEN ? AND ?"
    rows = {row[0]: as_mapping(table, row) or {} for row in raw.execute(sql, (first, last))}
    named = {number for number in range(first, last + 1) if number in before} if before else set()
    for number in named:
        columns = before[number]
        whole = {**rows.pop(number, {}), **columns} if columns is not None else {}
        if len(whole) == len(COLUMNS[table]):  # else the row is gone, and the journal knows a part of it
            rows[number] = whole
    return rows, frozenset(named)


def earliest(raw: sqlite3.Connection, entries: Iterable[int] | None = None) -> dict[str, dict[int, Any]]:
    """Columns of nodes and facts before the journal's first change of each, by id; None of a row that it added."""
    found: dict[str, dict[int, Any]] = {"nodes": {}, "edges": {}}
    if entries is None:
        entries = [row[0] for row in raw.execute("SELECT id FROM journal ORDER BY id")]
    for number in entries:
        for delta in journal.recorded(raw, number):
            if delta.table not in found:
                continue
            states, key = found[delta.table], delta.key[0]
            if key not in states:
                states[key] = delta.before and dict(delta.before)
            elif states[key] is not None and delta.before is not None:
                states[key] = {**delta.before, **states[key]}
    return found


_RANGE = 'UPDATE journal_ranges SET "first" = ?, "last" = ?'


def _last_id(raw: sqlite3.Connection, table: str) -> int:
    """The highest id that a table has given, by its rows and its counter."""
    (held,) = raw.execute(f"SELECT max(id) FROM {table}").fetchone()
    key = "next_node" if table == "nodes" else "next_edge"
    counter = raw.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    given = [number for number in (held, counter[0] - 1 if counter and isinstance(counter[0], int) else None)
             if isinstance(number, int)]  # fmt: skip
    return max(given, default=0)


def reseal_block(raw: sqlite3.Connection, block: Block) -> None:
    """Make the sum of one block again, over its rows as they stand. Writes; the caller reseals the chain."""
    value = _of_rows(block.table, block.first, block.last, block.rows)
    sql = 'UPDATE journal_sums SET sum = ? WHERE entry = ? AND what = ? AND "first" = ?'
    raw.execute(sql, (value, block.entry, block.table, block.first))


def seal(raw: sqlite3.Connection, entries: Container[int] | None = None) -> None:
    """Make the sums of loads again, over their rows as they stand. Writes; the caller reseals the chain.

    Args:
        entries: the loads; every one when None.
    """
    before = earliest(raw)
    known = 'SELECT entry, what, min("first"), max("last") FROM journal_sums GROUP BY entry, what'
    ranges = {row[:2]: row[2:] for row in raw.execute(known) if isinstance(row[2], int) and isinstance(row[3], int)}
    if entries is None:
        raw.execute("DELETE FROM journal_sums")
    for entry, table, first, last in raw.execute("SELECT * FROM journal_ranges").fetchall():
        if entries is not None and entry not in entries:
            continue
        if not (isinstance(first, int) and isinstance(last, int)):  # a damaged range: the sums name the rows too
            first, last = ranges.get((entry, table), (0, -1))
            raw.execute(f"{_RANGE} WHERE entry = ? AND what = ?", (first, last, entry, table))
        raw.execute("DELETE FROM journal_sums WHERE entry = ? AND what = ?", (entry, table))
        if (bound := max(_last_id(raw, table), max(before[table], default=0))) < last or first < 0:
            first, last = max(first, 0), min(last, bound)  # a damaged range may hold any number
            raw.execute(f"{_RANGE} WHERE entry = ? AND what = ?", (first, last, entry, table))
        for start in range(first, last + 1, BLOCK):
            end = min(start + BLOCK - 1, last)
            rows, _ = _loaded(raw, table, start, end, before[table])
            write(raw, entry, [(table, start, end, _of_rows(table, start, end, rows))])
