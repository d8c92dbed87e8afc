"""Rows of a damaged file: every one that can be read, and the copies of their values that indexes hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphmem.storage.tables.schema import SCHEMA_VERSION, STORED, statements

FARTHEST = 1 << 40  # ids up to which rows are looked for behind a page that cannot be read
COPIED = (*STORED, "folds")


ACCOUNTED = ("meta", "nodes", "edges", "journal_sums")
"""Tables whose losses are known from other evidence, row by row."""


def rebuild(damaged: Path, fresh: Path) -> list[str]:
    """Fill an empty file with every row of a damaged one that can be read; says which tables could not be read whole.

    Unique indexes are left to the repair.
    """
    lost = []
    with closing(reader(damaged)) as old, closing(sqlite3.connect(fresh, isolation_level=None)) as new:
        new.execute("BEGIN")
        for statement in statements():
            if not statement.startswith(("CREATE UNIQUE INDEX", "INSERT INTO meta")):
                new.execute(statement)
        for table in COPIED:
            whole = False
            with suppress(sqlite3.DatabaseError):
                whole = _copy(old, new, table)
            if table not in ACCOUNTED and not (whole and _sound(old, table)):
                lost.append(f"parts of the table {table} could not be read")
        identity = "INSERT OR IGNORE INTO meta(key, value) VALUES ('identity', lower(hex(randomblob(16))))"
        new.execute(identity)
        new.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        new.execute("COMMIT")
    return lost


def _sound(raw: sqlite3.Connection, table: str) -> bool:
    """Whether SQLite's check of one table finds nothing: rows may be missing where reading raises no error."""
    try:
        return bool(raw.execute(f"PRAGMA integrity_check({table})").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def reader(file: Path) -> sqlite3.Connection:
    """A connection that reads damaged text too."""
    raw = sqlite3.connect(file, isolation_level=None)
    raw.text_factory = lambda data: data.decode(errors="replace")
    raw.execute("PRAGMA trusted_schema = OFF")
    return raw


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> bool:
    """Copy the rows of a table; whether all of it could be read."""
    info = new.execute(f"PRAGMA table_info({table})").fetchall()
    have = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    columns = [row[1] for row in info if row[1] in have]
    listed, keys = ", ".join(f'"{name}"' for name in columns), [row[1] for row in info if row[5]]
    insert = f"INSERT OR IGNORE INTO {table}({listed}) VALUES ({', '.join('?' * len(columns))})"
    rowids = new.execute("SELECT wr FROM pragma_table_list WHERE name = ? AND schema = 'main'", (table,)).fetchone()
    if rowids is None or not rowids[0]:
        gaps: list[int] = []
        for row in _by_rowid(old, table, listed, gaps):
            new.execute(insert, row)
        return not gaps
    for order in ("", " DESC"):  # from both ends up to the first page that cannot be read
        by = ", ".join(f'"{key}"{order}' for key in keys)
        with suppress(sqlite3.DatabaseError):
            for row in old.execute(f"SELECT {listed} FROM {table} ORDER BY {by}"):
                new.execute(insert, row)
            return not order
    return False


def _by_rowid(old: sqlite3.Connection, table: str, listed: str, gaps: list[int]) -> Iterator[tuple[Any, ...]]:
    """Rows of a table by id; pages and rows that cannot be read are passed over, and where is put into ``gaps``."""
    sql = f"SELECT rowid, {listed} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid"
    at, last = 0, -1
    while True:
        try:
            for row in old.execute(sql, (at,)):
                at = row[0]
                yield row[1:]
            return
        except sqlite3.DatabaseError:
            gaps.append(at)
            at = at + 1 if at == last else at  # the row itself cannot be read
            found = _next(old, table, at)
            if found is None:
                return
            at = last = found - 1


def _next(old: sqlite3.Connection, table: str, at: int) -> int | None:
    """The first id after ``at`` that can be reached; a page that cannot be read holds a run of ids."""
    sql = f"SELECT rowid FROM {table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT 1"

    def seek(start: int) -> tuple[bool, int | None]:
        try:
            row = old.execute(sql, (start,)).fetchone()
            return True, None if row is None else int(row[0])
        except sqlite3.DatabaseError:
            return False, None

    low, step = at, 1
    while step <= FARTHEST:
        good, found = seek(at + step)
        if good:
            high = at + step
            while high - low > 1:
                middle = (low + high) // 2
                reached, nearer = seek(middle)
                low, high, found = (low, middle, nearer) if reached else (middle, high, found)
            return found
        low, step = at + step, step * 2
    return None


@dataclass(slots=True)
class Copies:
    """Values of rows that the file holds a second or third time.

    Attributes:
        norms: namespace and normalised name of each node, from the index of names.
        ends: subject, object and relation of each fact, from one index; ``objects`` from the other.
        relations: name of each relation from one index, and ``relation_norms`` from another.
        words: words of the name of each node, in order, from full-text search.
    """

    norms: dict[int, tuple[int, str]] = field(default_factory=dict)
    ends: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    objects: dict[int, int] = field(default_factory=dict)
    relations: dict[int, tuple[int, str]] = field(default_factory=dict)
    relation_norms: dict[int, tuple[int, str]] = field(default_factory=dict)
    words: dict[int, list[str]] = field(default_factory=dict)


def copies(file: Path) -> Copies:
    """Read the indexes of a file before they are made again; what cannot be read is left out."""
    found = Copies()
    with closing(reader(file)) as raw:
        for sql, held in (
            ("SELECT id, ns, norm FROM nodes INDEXED BY nodes_by_norm WHERE ns > 0", found.norms),
            ("SELECT id, src, dst, rel FROM edges INDEXED BY edges_out WHERE src > 0", found.ends),
            ("SELECT id, ns, name FROM relations INDEXED BY relations_by_name WHERE ns > 0", found.relations),
            ("SELECT id, ns, norm FROM relations INDEXED BY sqlite_autoindex_relations_1 WHERE ns > 0",
             found.relation_norms),
        ):  # fmt: skip
            for row in _while_readable(raw, sql):
                held[row[0]] = row[1:]
        found.objects.update(_while_readable(raw, "SELECT id, dst FROM edges INDEXED BY edges_in WHERE dst > 0"))
        with suppress(sqlite3.DatabaseError):
            raw.execute("CREATE VIRTUAL TABLE temp.held_words USING fts5vocab(main, node_fts, instance)")
            sql = "SELECT doc, offset, term FROM held_words WHERE col = 'name'"
            places: dict[int, dict[int, str]] = {}
            for node, offset, term in _while_readable(raw, sql):
                places.setdefault(node, {})[offset] = term
            found.words.update({node: [at[o] for o in sorted(at)] for node, at in places.items()})
    return found


def _while_readable(raw: sqlite3.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    with suppress(sqlite3.DatabaseError):
        yield from raw.execute(sql)
