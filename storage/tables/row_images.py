"""Row images: fetched, written back exactly, and packed into the journal."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphmem.storage.tables.schema import COLUMNS, KEYS

Row = tuple[Any, ...]

PART_ROWS = 4096  # changes in one part of a long entry: bounds the memory of packing and reading

COMPRESS_FROM = 600

MANY = 128  # rows in one statement of ``insert_many``


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after; None where it did not exist."""

    table: str
    before: Row | None
    after: Row | None

    @property
    def key(self) -> Row:
        """Primary key of the row."""
        return key_of(self.table, self.after if self.before is None else self.before)  # type: ignore[arg-type]

    @property
    def kind(self) -> str:
        """``add``, ``change`` or ``remove``."""
        return "add" if self.before is None else "remove" if self.after is None else "change"


def _statements(table: str, columns: Sequence[str]) -> dict[str, str]:
    where = " AND ".join(f"{column} = ?" for column in KEYS[table])
    return {
        "select": f"SELECT {', '.join(columns)} FROM {table} WHERE {where}",
        "insert": f"INSERT INTO {table}({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        "update": f"UPDATE {table} SET {', '.join(f'{c} = ?' for c in columns)} WHERE {where}",
        "delete": f"DELETE FROM {table} WHERE {where}",
    }


SQL = {table: _statements(table, columns) for table, columns in COLUMNS.items()}
_KEY_POSITIONS = {table: tuple(COLUMNS[table].index(column) for column in keys) for table, keys in KEYS.items()}


def key_of(table: str, row: Row) -> Row:
    """Primary key of a row image."""
    return tuple(row[position] for position in _KEY_POSITIONS[table])


def fetch(raw: sqlite3.Connection, table: str, key: Sequence[Any]) -> Row | None:
    """The present row of that key, or None."""
    row: Row | None = raw.execute(SQL[table]["select"], key).fetchone()
    return row


def put(raw: sqlite3.Connection, table: str, before: Row | None, after: Row | None) -> None:
    """Insert, update or delete one row. Writes; call it inside a transaction."""
    if before is None:
        raw.execute(SQL[table]["insert"], after or ())
    elif after is None:
        raw.execute(SQL[table]["delete"], key_of(table, before))
    else:
        raw.execute(SQL[table]["update"], after + key_of(table, before))


def insert_many(raw: sqlite3.Connection, head: str, row: str, values: Sequence[Any]) -> None:
    """Insert many rows, ``MANY`` a statement, in half the time of one by one. Writes.

    Args:
        head: ``INSERT INTO table(columns)``.
        row: one row's values with its question marks in parentheses.
        values: those of all rows, one row after the other.
    """
    width = row.count("?")
    step = MANY * width
    whole = len(values) // step * step
    many = f"{head} VALUES {', '.join([row] * MANY)}"
    raw.executemany(many, (values[at : at + step] for at in range(0, whole, step)))
    raw.executemany(f"{head} VALUES {row}", (values[at : at + width] for at in range(whole, len(values), width)))


def put_run(raw: sqlite3.Connection, table: str, kind: str, run: Sequence[Change]) -> None:
    """``put`` for a run of changes of one table, all of kind ``add`` or all of kind ``remove``. Writes."""
    if kind == "add":
        head, _, row = SQL[table]["insert"].partition(" VALUES ")
        for start in range(0, len(run), PART_ROWS):
            values = [value for change in run[start : start + PART_ROWS] for value in change.after or ()]
            insert_many(raw, head, row, values)
    else:
        raw.executemany(SQL[table]["delete"], [change.key for change in run])


def changed(table: str, row: Row, **values: Any) -> Row:
    """A copy of a row image with some columns replaced."""
    columns = COLUMNS[table]
    new = list(row)
    for column, value in values.items():
        new[columns.index(column)] = value
    return tuple(new)


def as_mapping(table: str, row: Row | None) -> dict[str, Any] | None:
    """A row image with its columns' names."""
    return None if row is None else dict(zip(COLUMNS[table], row, strict=True))


def as_base64(value: bytes) -> dict[str, str]:
    """A BLOB in JSON."""
    return {"b64": base64.b64encode(value).decode()}


def from_base64(row: Iterable[Any]) -> Row:
    """A row read from JSON, with its BLOBs as bytes."""
    return tuple(base64.b64decode(value["b64"]) if isinstance(value, dict) else value for value in row)


def padded(table: str, row: Sequence[Any]) -> Row:
    """A row image of all columns of its table; those after the last one given are NULL."""
    return (*row, *[None] * (len(COLUMNS[table]) - len(row)))


def _trimmed(row: Row | None) -> Row | None:
    """A row image without the NULL columns at its end."""
    end = len(row) if row else 0
    while row and end and row[end - 1] is None:
        end -= 1
    return row and row[:end]


def pack(changes: Iterable[Change]) -> bytes:
    """Changes as JSON, compressed when it is long."""
    images = [(change.table, _trimmed(change.before), _trimmed(change.after)) for change in changes]
    data = json.dumps(images, separators=(",", ":"), ensure_ascii=False, default=as_base64).encode()
    return zlib.compress(data, 1) if len(data) >= COMPRESS_FROM else data


def unpack(data: bytes) -> list[Change]:
    """Changes from the result of ``pack``."""
    plain = data if data[:1] == b"[" else zlib.decompress(data)
    return [
        Change(table, *(row and padded(table, from_base64(row)) for row in images))
        for table, *images in json.loads(plain)
    ]
