"""Dump of a memory as JSON lines: a head line, then every row of every table, of the whole file or of one namespace."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphmem.core.errors import InvalidValue
from graphmem.storage.tables import journal
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import chained, stored_value
from graphmem.storage.tables.journal import unordered
from graphmem.storage.tables.row_images import as_base64
from graphmem.storage.tables.schema import SCHEMA_VERSION, STORED

if TYPE_CHECKING:
    from graphmem.storage.sqlite import SQLiteStore

MAX_DUMP_LINE = 1 << 28
"""Longest line of a dump, in characters: one row, with the part of a journal entry that it may hold."""

COUNTED, END = "counted", "rows"
"""Key of the head line of a dump whose last line holds the number of its rows, and the key of that number."""

WITHHELD = "withheld"
"""Namespace and action of the empty entries that stand for those of other namespaces, so that ids stay consecutive."""


def dump(store: SQLiteStore, whole: bool) -> Iterator[str]:
    """A head line, then ``{"table": ..., "row": {...}}`` for every row; BLOBs as base64; a last line counts the rows.

    Without ``whole``, only what belongs to the store's namespace: rows of others, their sources and their journal are
    left out, and the check values of the journal are those of the entries that stay.
    """
    yield json.dumps({"graphmem": "dump", "schema": SCHEMA_VERSION, COUNTED: True}) + "\n"
    raw, count = store.connection.raw, 0
    every = whole or raw.execute("SELECT count(*) FROM namespaces").fetchone()[0] == 1
    ns = raw.execute("SELECT id FROM namespaces WHERE name = ?", (store.namespace,)).fetchone()
    for table in STORED:
        for row in _rows(raw, f"SELECT * FROM {table}") if every else _only(raw, table, ns[0] if ns else 0):
            yield _line(table, row)
            count += 1
    yield json.dumps({END: count}) + "\n"


def _line(table: str, row: dict[str, Any]) -> str:
    line = json.dumps({"table": table, "row": row}, ensure_ascii=False, default=as_base64) + "\n"
    if len(line) > MAX_DUMP_LINE:
        raise InvalidValue(f"a row of {table} is longer than a dump may hold ({MAX_DUMP_LINE} characters)")
    return line


def _rows(raw: sqlite3.Connection, sql: str, values: tuple[Any, ...] = ()) -> Iterator[dict[str, Any]]:
    found = raw.execute(sql, values)
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found)


def _only(raw: sqlite3.Connection, table: str, ns: int) -> Iterator[dict[str, Any]]:
    """Rows of one namespace."""
    match table:
        case "meta":
            kept = ("next_node", "next_edge", "next_entry", "vector_line", "unordered")
            yield from _rows(raw, f"SELECT * FROM meta WHERE key IN ({', '.join('?' * len(kept))})", kept)
            yield {"key": "identity", "value": secrets.token_hex(16)}
        case "namespaces":
            yield from _rows(raw, "SELECT * FROM namespaces WHERE id = ?", (ns,))
            if (other := _withheld(raw, ns)) is not None:
                yield {"id": other, "name": WITHHELD if _name(raw, ns) != WITHHELD else f"{WITHHELD} others"}
        case "sources":
            wanted = _sources(raw, ns)
            yield from (row for row in _rows(raw, "SELECT * FROM sources") if row["id"] in wanted)
        case "encoders":
            yield from _rows(raw, "SELECT * FROM encoders")
        case "journal":
            yield from _journal(raw, ns)
        case _:
            yield from _rows(raw, f"SELECT * FROM {table} WHERE {_condition(raw, table, ns)}")


def _condition(raw: sqlite3.Connection, table: str, ns: int) -> str:
    """SQL that holds for rows of one namespace: by their own column, or by the rows that they refer to."""
    columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
    if "ns" in columns:
        return f"ns = {int(ns)}"
    parents = [(row[3], row[2], row[4] or "id") for row in raw.execute(f"PRAGMA foreign_key_list({table})")]
    parts = [
        f"({column} IS NULL OR {column} IN (SELECT {key} FROM {parent} WHERE {_condition(raw, parent, ns)}))"
        for column, parent, key in parents
        if parent not in ("sources", "encoders")
    ]
    return " AND ".join(parts) or "0"


def _name(raw: sqlite3.Connection, ns: int) -> str:
    row = raw.execute("SELECT name FROM namespaces WHERE id = ?", (ns,)).fetchone()
    return row[0] if row else ""


def _withheld(raw: sqlite3.Connection, ns: int) -> int | None:
    """Id of the namespace of withheld entries, where there are any."""
    others = raw.execute("SELECT 1 FROM journal WHERE ns <> ? LIMIT 1", (ns,)).fetchone()
    return None if others is None else int(raw.execute("SELECT max(id) + 1 FROM namespaces").fetchone()[0])


def _sources(raw: sqlite3.Connection, ns: int) -> set[int]:
    """Sources of the namespace's facts, and of all their states in the journal."""
    sql = (
        "SELECT source FROM edges WHERE ns = ?1 UNION "
        "SELECT s.source FROM edge_sources s JOIN edges e ON e.id = s.edge WHERE e.ns = ?1"
    )
    found = {row[0] for row in raw.execute(sql, (ns,))}
    for (entry,) in raw.execute("SELECT id FROM journal WHERE ns = ?", (ns,)).fetchall():
        for change in journal.recorded(raw, entry):
            if change.table == "edge_sources":
                found.add(change.key[1])
            elif change.table == "edges":
                found.update(image.get("source") for image in (change.before, change.after) if image is not None)
    return found


def _journal(raw: sqlite3.Connection, ns: int) -> Iterator[dict[str, Any]]:
    """Entries of the namespace; empty ones stand for those of others. The chain is made anew."""
    own, sources = ("namespaces", "relations"), _sources(raw, ns)
    previous, at, other, hidden = b"", 0, _withheld(raw, ns), not unordered(raw)
    for row in _rows(raw, "SELECT * FROM journal ORDER BY id"):
        entry = row["id"]
        at = row["at"] if row["ns"] == ns or not hidden else at + 1  # others' times are hidden where order allows
        if row["ns"] == ns:
            names = rows.unpack_names(row["changes"])
            kept = [(t, name) for t, name in names if (name[-2] == ns if t in own else name[0] in sources)]
            if kept != names:
                row["changes"] = rows.pack_items([*rows.unpack_items(row["changes"]), *rows.name_items(kept)])
            row["chain"] = previous = stored_value(raw, previous, entry, block=row["changes"])
        else:
            row = dict.fromkeys(row) | {"id": entry, "ns": other, "at": at, "action": WITHHELD, "note": ""}
            row |= {"undone": 0, "changes": rows.pack(()), "compacted": 0}
            row["chain"] = previous = chained(previous, entry, at, WITHHELD, "", [row["changes"]], {})
        yield row
