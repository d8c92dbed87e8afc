"""Repair of the problems that a check finds."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from graphmem.core.errors import StoreError
from graphmem.storage.index import snapshot
from graphmem.storage.maintenance.check import COUNTERS, NAMED, Report, bad_vectors, check, misnamed, normal_form
from graphmem.storage.tables import journal
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.connection import Connection, connect
from graphmem.storage.tables.schema import (
    COLUMNS,
    EDGE_INDEXES,
    NODE_INDEXES,
    SCHEMA_VERSION,
    SEARCH_TABLES,
    STORED,
    statements,
)
from graphmem.storage.tables.vector_rows import mark


def repair(path: str | os.PathLike[str]) -> tuple[Report, Report]:
    """Repair a memory; return the reports before and after. Writes.

    The file as it was is kept as ``PATH.before-repair``. Search indexes, SQL indexes, counters, normalised names and
    snapshots are made again; a lost node is restored from the journal; vectors that cannot be right are removed, to be
    encoded again; facts whose nodes cannot be found are removed. When pages of the file are damaged, every row that
    can still be read is copied to a new file.
    """
    name, before = os.fspath(path), check(path)
    if before.ok:
        return before, before
    copy = _copy_before(name)
    if any(problem.kind == "sqlite" for problem in before.problems):
        _salvage(copy, name)
    with closing(Connection(name)) as opened, opened.translating():
        opened.raw.execute("PRAGMA foreign_keys = OFF")
        with opened.writing() as raw:
            for step in (_indexes, _orphans, _retired, _names, _vectors, _counters, _search):
                step(raw)
        for (ns,) in opened.rows("SELECT id FROM namespaces"):
            snapshot.drop(name, ns)
    return before, check(path)


def _copy_before(path: str) -> Path:
    """Copy the file byte by byte: a damaged file must not pass through SQLite."""
    with closing(connect(path, False, 1.0)) as raw:
        try:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.DatabaseError:
            pass  # the pages that cannot be read stay in the log, which is copied too
    copy = Path(f"{path}.before-repair")
    for suffix in ("", "-wal"):
        part = Path(path + suffix)
        if part.exists():
            Path(f"{copy}{suffix}").write_bytes(part.read_bytes())
    return copy


def _salvage(damaged: Path, path: str) -> None:
    """Build a new file from every readable row of the damaged one."""
    fresh = Path(f"{path}.salvaged")
    fresh.unlink(missing_ok=True)
    with (
        closing(connect(str(damaged), False, 1.0)) as old,
        closing(sqlite3.connect(fresh, isolation_level=None)) as new,
    ):
        new.execute("BEGIN")
        for statement in statements():
            if not statement.startswith(("CREATE UNIQUE INDEX", "INSERT INTO meta")):
                new.execute(statement)
        for table in STORED:
            _copy_rows(old, new, table)
        for name, statement in NODE_INDEXES.items():
            _index(new, name, statement)
        new.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        new.execute("COMMIT")
    for suffix in ("-wal", "-shm"):
        Path(path + suffix).unlink(missing_ok=True)
    os.replace(fresh, path)


def _copy_rows(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    """Copy a table row by row: forwards, then backwards, then by id where pages cannot be read."""
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    listed = ", ".join(columns)
    sql = f"INSERT OR IGNORE INTO {table}({listed}) VALUES ({', '.join('?' * len(columns))})"
    for order in ("", " NOT INDEXED ORDER BY 1 DESC"):
        try:
            cursor = old.execute(f"SELECT {listed} FROM {table}{order}")
            while (row := cursor.fetchone()) is not None:
                new.execute(sql, row)
        except sqlite3.DatabaseError:
            continue
        return
    _copy_by_id(old, new, table, f"SELECT {listed} FROM {table} WHERE rowid = ?", sql)


def _copy_by_id(old: sqlite3.Connection, new: sqlite3.Connection, table: str, select: str, insert: str) -> None:
    highest = {"nodes": "next_node", "edges": "next_edge", "journal": "next_entry", "vectors": "next_node"}.get(table)
    row = new.execute("SELECT value FROM meta WHERE key = ?", (highest,)).fetchone()
    for rowid in range(1, row[0] if row else 1):
        try:
            found = old.execute(select, (rowid,)).fetchone()
        except sqlite3.DatabaseError:
            continue
        if found is not None:
            new.execute(insert, found)


def _index(raw: sqlite3.Connection, name: str, statement: str) -> None:
    raw.execute(f"DROP INDEX IF EXISTS {name}")
    try:
        raw.execute(statement)
    except sqlite3.IntegrityError as error:
        raise StoreError(f"index {name} cannot be built: {error}; merge the nodes of the same name first") from error


def _indexes(raw: sqlite3.Connection) -> None:
    for name, statement in {**NODE_INDEXES, **EDGE_INDEXES}.items():
        _index(raw, name, statement)
    raw.execute("REINDEX")


def _orphans(raw: sqlite3.Connection) -> None:
    """Restore lost nodes from the journal; remove rows that refer to nothing even then."""
    lost = {
        row[0]
        for end in ("src", "dst")
        for row in raw.execute(f"SELECT {end} FROM edges WHERE {end} NOT IN (SELECT id FROM nodes)")
    }
    for row in _last_images(raw, lost).values() if lost else ():
        rows.put(raw, "nodes", None, row)
    nodes, relations = "(SELECT id FROM nodes)", "(SELECT id FROM relations)"
    raw.execute(f"DELETE FROM edges WHERE src NOT IN {nodes} OR dst NOT IN {nodes} OR rel NOT IN {relations}")
    raw.execute("UPDATE edges SET source = NULL WHERE source NOT IN (SELECT id FROM sources)")
    raw.execute(
        "DELETE FROM edge_sources WHERE edge NOT IN (SELECT id FROM edges) OR source NOT IN (SELECT id FROM sources)"
    )
    for table in ("aliases", "vectors", "access"):
        raw.execute(f"DELETE FROM {table} WHERE node NOT IN {nodes}")
    for table in ("journal_parts", "journal_ranges", "touched"):
        raw.execute(f"DELETE FROM {table} WHERE entry NOT IN (SELECT id FROM journal)")


def _last_images(raw: sqlite3.Connection, lost: set[int]) -> dict[int, rows.Row]:
    """The newest image of each lost node in the journal."""
    images: dict[int, rows.Row] = {}
    for (entry,) in raw.execute("SELECT id FROM journal ORDER BY id").fetchall():
        for change in journal.recorded(raw, entry):
            known = change.table == "nodes" and change.key[0] in lost
            if known and change.after is not None and len(change.after) == len(COLUMNS["nodes"]):
                images[change.key[0]] = change.after
    return images


def _retired(raw: sqlite3.Connection) -> None:
    raw.execute(
        "UPDATE edges SET retired_at = (SELECT max(n.retired_at) FROM nodes n WHERE n.id IN (edges.src, edges.dst)) "
        "WHERE retired_at IS NULL AND EXISTS "
        "(SELECT 1 FROM nodes n WHERE n.id IN (edges.src, edges.dst) AND n.retired_at IS NOT NULL)"
    )


def _names(raw: sqlite3.Connection) -> None:
    for table, key, column in NAMED:
        for row, name, norm in misnamed(raw, table, key, column):
            sql = f"UPDATE OR IGNORE {table} SET norm = ? WHERE {key} = ? AND norm = ?"
            raw.execute(sql, (normal_form(table)(name), row, norm))


def _vectors(raw: sqlite3.Connection) -> None:
    raw.executemany("DELETE FROM vectors WHERE node = ?", bad_vectors(raw))
    mark(raw, restart=True)


def _counters(raw: sqlite3.Connection) -> None:
    for counter, table in COUNTERS:
        raw.execute(
            f"INSERT INTO meta(key, value) SELECT ?, coalesce(max(id), 0) + 1 FROM {table} WHERE true "
            "ON CONFLICT(key) DO UPDATE SET value = max(value, excluded.value)",
            (counter,),
        )


def _search(raw: sqlite3.Connection) -> None:
    for table in SEARCH_TABLES:
        raw.execute(f"INSERT INTO {table}({table}) VALUES ('rebuild')")
