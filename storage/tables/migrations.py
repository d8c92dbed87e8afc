"""Migrations from every earlier schema: a copy of the file first, then one transaction."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from filecmp import cmp
from pathlib import Path
from urllib.parse import quote

from graphmem.storage import bulk_sums
from graphmem.storage.files import replacing
from graphmem.storage.tables import journal, vector_rows
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import altered_entries, chained, reseal
from graphmem.storage.tables.renormalise import renormalise
from graphmem.storage.tables.schema import EDGE_INDEXES, SCHEMA_VERSION, TABLES, split


def _from_1(raw: sqlite3.Connection) -> None:
    """Version 2 puts the object before the relation in the index of facts: parallel facts are found at once."""
    raw.execute("DROP INDEX IF EXISTS edges_out")
    raw.execute("CREATE INDEX edges_out ON edges(src, dst, rel)")


def _from_2(raw: sqlite3.Connection) -> None:
    """Version 3 names the entry that recorded a fact instead of its time: a tenth less of the file."""
    entries = dict(raw.execute("SELECT at, id FROM journal").fetchall())
    raw.execute("ALTER TABLE edges RENAME COLUMN recorded_at TO entry")
    raw.execute("UPDATE edges SET entry = coalesce((SELECT id FROM journal WHERE at = entry), 0)")
    for name, statement in EDGE_INDEXES.items():
        raw.execute(f"DROP INDEX IF EXISTS {name}")
        raw.execute(statement)
    raw.execute("INSERT OR IGNORE INTO meta(key, value) VALUES ('identity', lower(hex(randomblob(16))))")
    chain = b""
    for number, at, action, note in raw.execute("SELECT id, at, action, note FROM journal ORDER BY id").fetchall():
        found = raw.execute("SELECT part FROM journal_parts WHERE entry = ? ORDER BY part", (number,)).fetchall()
        places = [("journal_parts", f"entry = {number} AND part = {part}") for (part,) in found]
        parts = [_renamed(raw, *place, entries) for place in [("journal", f"id = {number}"), *places]]
        chain = chained(chain, number, at, action, note, parts, journal.ranges(raw, number))
        raw.execute("UPDATE journal SET chain = ? WHERE id = ?", (chain, number))


def _renamed(raw: sqlite3.Connection, table: str, where: str, entries: dict[int, int]) -> bytes:
    """Rewrite one block of row images, with entries in place of times in the images of facts."""
    items = rows.unpack_items(raw.execute(f"SELECT changes FROM {table} WHERE {where}").fetchone()[0])
    for item in items:
        for image in item[1:] if item[0] == "edges" else ():
            if image is not None:
                image[7] = entries.get(image[7], 0)
    data = rows.pack_items(items)
    raw.execute(f"UPDATE {table} SET changes = ? WHERE {where}", (data,))
    return data


_COLUMNS_4 = {
    "nodes": ("dated INTEGER", "date_text TEXT", "state_space INTEGER REFERENCES encoders(id)"),
    "edges": (
        "valid_time TEXT", "factuality TEXT", "status TEXT", "qualifiers TEXT", "pinned INTEGER",
        "passage INTEGER REFERENCES nodes(id)", "span_start INTEGER", "span_end INTEGER",
    ),
    "journal": ("compacted INTEGER NOT NULL DEFAULT 0",),
    "vectors": ("sum INTEGER",),
}  # fmt: skip


def rows_from_3(raw: sqlite3.Connection) -> None:
    """Bring rows of version 3 that stand in tables of version 4 up to date: checksums, and names compared anew."""
    altered = altered_entries(raw)
    vector_rows.seal(raw)
    bulk_sums.seal(raw)
    reseal(raw, altered)
    renormalise(raw)


def _from_3(raw: sqlite3.Connection) -> None:
    """Version 4 adds dates, precision, factuality, places, checksums, folded names, sentences and rules.

    Names are compared anew: spellings that differ in typography alone become one node.
    """
    for table, columns in _COLUMNS_4.items():
        for column in columns:
            raw.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    have = {row[0] for row in raw.execute("SELECT name FROM sqlite_schema")}
    for statement in split(TABLES):
        name = re.match(r"CREATE (?:VIRTUAL |UNIQUE )?(?:TABLE|VIEW|INDEX) (\w+)", statement)
        if name and name[1] not in have:
            raw.execute(statement)
    rows_from_3(raw)


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _from_1, 2: _from_2, 3: _from_3}
"""Step from each version to the next."""


def copy_for(path: str, version: int, number: int = 1) -> Path:
    """Path of the copy that a migration makes first; of later copies where a number is given."""
    return Path(f"{path}.schema{version}" + (f"-{number}" if number > 1 else ""))


def migrate(raw: sqlite3.Connection, path: str) -> None:
    """Migrate a file to ``SCHEMA_VERSION``. Writes one transaction; the old file stays as a copy.

    Several processes may open an old file at once: the first one migrates it, the others wait. The copy is made under
    the write lock, and never takes the place of another.
    """
    with raw:  # commits, or rolls back on an error
        raw.execute("BEGIN IMMEDIATE")
        version = raw.execute("PRAGMA user_version").fetchone()[0]
        if version < SCHEMA_VERSION and path != ":memory:":
            _copy(path, version)
        for step in range(version, SCHEMA_VERSION):
            STEPS[step](raw)
        raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _copy(path: str, version: int) -> None:
    """Copy the file beside itself, unless a killed migration left the same copy. Another connection reads meanwhile."""
    number = 1
    while copy_for(path, version, number).exists():
        number += 1
    with replacing(copy_for(path, version, number)) as temporary:
        uri = f"file:{quote(str(Path(path).absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as old, closing(sqlite3.connect(temporary)) as copy:
            old.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
    others = [copy_for(path, version, other) for other in range(1, number)]
    if any(cmp(copy_for(path, version, number), other, shallow=False) for other in others):
        copy_for(path, version, number).unlink()
