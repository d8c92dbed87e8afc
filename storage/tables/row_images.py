"""Row images: fetched, written back exactly, and packed into the journal as what changed."""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any

from graphmem.storage.tables.schema import COLUMNS, KEYS, NAMES

Row = tuple[Any, ...]
NamedRow = tuple[str, Row]  # dictionary, and the columns of ``NAMES`` of one of its rows

PART_ROWS = 4096  # changes in one part of a long entry: bounds the memory of packing and reading

COMPRESS_FROM = 600

MANY = 128  # rows in one statement of ``insert_many``

CUT_FROM = 128  # characters in common from which two versions of a text are kept as what differs

LONG_COLUMNS = ("text", "attributes", "qualifiers")
"""Columns whose changes are kept as what differs, where they are long."""


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

    def nodes(self) -> set[int]:
        """Nodes whose history it belongs to."""
        images = [as_mapping(self.table, row) for row in (self.before, self.after)]
        columns = {"nodes": ("id",), "aliases": ("node",), "edges": ("src", "dst")}.get(self.table, ())
        return {image[column] for image in images if image for column in columns}


@dataclass(frozen=True, slots=True)
class Cut:
    """Two versions of a long text: lengths of their common start and end, what lies between, and their digests."""

    start: int
    end: int
    old: str
    new: str
    old_digest: str
    new_digest: str

    def before(self, text: Any) -> Any:
        """The earlier version, from the later one; this object where ``text`` is another."""
        return self._other(text, self.old, self.new_digest)

    def after(self, text: Any) -> Any:
        """The later version, from the earlier one; this object where ``text`` is another."""
        return self._other(text, self.new, self.old_digest)

    def _other(self, text: Any, middle: str, digest: str) -> Any:
        if not isinstance(text, str) or text_digest(text) != digest:
            return self
        return text[: self.start] + middle + text[len(text) - self.end :]

    def is_after(self, text: Any) -> bool:
        """Whether a text is the later version."""
        return isinstance(text, str) and text_digest(text) == self.new_digest


@dataclass(frozen=True, slots=True)
class Delta:
    """One recorded change of a row: its key, and columns before and after; None where the row did not exist.

    Of a row that was changed, only the changed columns; a ``Cut`` stands in both for a long text.
    """

    table: str
    key: Row
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        """``add``, ``change`` or ``remove``."""
        return "add" if self.before is None else "remove" if self.after is None else "change"

    def back(self, state: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Known columns of the row before the change, from those after it."""
        if self.before is None:
            return None
        old = {c: v.before((state or {}).get(c)) if isinstance(v, Cut) else v for c, v in self.before.items()}
        return {**(state or {}), **old}

    def forth(self, state: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Known columns of the row after the change, from those before it."""
        if self.after is None:
            return None
        new = {c: v.after((state or {}).get(c)) if isinstance(v, Cut) else v for c, v in self.after.items()}
        return {**(state or {}), **new}


def agrees(recorded: Any, value: Any) -> bool:
    """Whether a value is the one that a change recorded after it."""
    return recorded.is_after(value) if isinstance(recorded, Cut) else bool(recorded == value)


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


def as_row(table: str, image: Mapping[str, Any]) -> Row:
    """A row image from its columns; those not given are NULL."""
    return tuple(image.get(column) for column in COLUMNS[table])


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


def _packed(change: Change) -> list[Any]:
    """A change as in the journal: an image of a row that was added or removed, else its key and changed columns."""
    if change.before is None or change.after is None:
        return [change.table, _trimmed(change.before), _trimmed(change.after)]
    values = {
        column: _cut(before, after) if column in LONG_COLUMNS else [before, after]
        for column, before, after in zip(COLUMNS[change.table], change.before, change.after, strict=True)
        if before != after
    }
    return [change.table, change.key, values]


def _cut(before: Any, after: Any) -> list[Any]:
    if isinstance(before, str) and isinstance(after, str):
        start = _common(before, after)
        end = _common(before[start:][::-1], after[start:][::-1])
        if start + end >= CUT_FROM:
            middles = (text[start : len(text) - end] for text in (before, after))
            return [start, end, *middles, text_digest(before), text_digest(after)]
    return [before, after]


def _common(one: str, other: str) -> int:
    """Length of the common start of two texts, by halving: linear time in C."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def text_digest(text: str) -> str:
    """Digest of a long text, in hex."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def pack(changes: Iterable[Change], names: Iterable[NamedRow] = ()) -> bytes:
    """Changes, and copies of names, as JSON, compressed when it is long."""
    return pack_items(chain(map(_packed, changes), name_items(names)))


def name_items(names: Iterable[NamedRow]) -> Iterator[list[Any]]:
    """Copies of names as they are packed."""
    return ([table, None, row] for table, row in names)


def pack_items(items: Iterable[list[Any]]) -> bytes:
    """The items of ``unpack_items`` as JSON, compressed when it is long."""
    data = json.dumps(list(items), separators=(",", ":"), ensure_ascii=False, default=as_base64).encode()
    return zlib.compress(data, 1) if len(data) >= COMPRESS_FROM else data


def unpack_items(data: bytes) -> list[Any]:
    """The changes of a block of the journal as they are packed, without the copies of names.

    Raises:
        ValueError, zlib.error: it is no such block.
    """
    try:
        return [item for item in _items(data) if item[0] not in NAMES]
    except (TypeError, IndexError, KeyError) as error:
        raise ValueError(f"not a block of the journal ({type(error).__name__}: {error})") from error


def unpack_names(data: bytes) -> list[NamedRow]:
    """Copies of names in a block of the journal: dictionary and columns of ``NAMES``; what is no such copy is left out.

    Raises:
        ValueError, zlib.error: it is no such block.
    """
    found = []
    for item in _items(data):
        match item:
            case [str(table), None, [*numbers, str(name)]] if table in NAMES:
                if len(numbers) + 1 == len(NAMES[table]) and all(type(number) is int for number in numbers):
                    found.append((table, (*numbers, name)))
    return found


def _items(data: bytes) -> list[Any]:
    try:
        found: list[Any] = json.loads(data if data[:1] == b"[" else zlib.decompress(data))
        return found
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a block of the journal ({type(error).__name__}: {error})") from error


def unpack(data: bytes) -> list[Delta]:
    """Changes from the result of ``pack``. Whole images of changed rows, of older files, are compared."""
    return as_deltas(unpack_items(data))


def as_deltas(items: list[Any]) -> list[Delta]:
    """Changes from their packed form. Raises ``ValueError``: that is not what they are."""
    try:
        return list(map(as_delta, items))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a block of the journal ({type(error).__name__}: {error})") from error


def as_delta(item: list[Any]) -> Delta:
    """One change from its packed form."""
    table, first, second = item
    if isinstance(second, dict):
        before, after = {}, {}
        for column, values in second.items():
            old, new = from_base64(values) if len(values) == 2 else [Cut(*values)] * 2
            before[column], after[column] = old, new
        return Delta(table, tuple(first), before, after)
    return delta_of(Change(table, *(row and padded(table, from_base64(row)) for row in (first, second))))


def delta_of(change: Change) -> Delta:
    """A change by its columns: all of a row that was added or removed, the changed ones of another."""
    before, after = (as_mapping(change.table, row) for row in (change.before, change.after))
    if before is not None and after is not None:
        changed = [column for column in before if before[column] != after[column]]
        before, after = ({column: image[column] for column in changed} for image in (before, after))
    return Delta(change.table, change.key, before, after)
