"""Check of a memory file: every invariant, one by one."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from graphmem.core.errors import NotAMemory, ReadOnly
from graphmem.core.names import normalise, normalise_relation
from graphmem.storage.index import adjacency_cache as views
from graphmem.storage.index import snapshot
from graphmem.storage.index.adjacency import CSRIndex
from graphmem.storage.tables import journal
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import chained
from graphmem.storage.tables.connection import Connection
from graphmem.storage.tables.schema import EDGE_INDEXES, NODE_INDEXES, SEARCH_TABLES

NAMED = (("nodes", "id", "name"), ("aliases", "node", "alias"), ("relations", "id", "name"))
"""Tables with normalised names, their keys, and the columns of the names."""

COUNTERS = (("next_node", "nodes"), ("next_edge", "edges"), ("next_entry", "journal"))
"""Counters of ids, and their tables."""

SHOWN = 5  # rows that a problem lists


@dataclass(frozen=True, slots=True)
class Problem:
    """One violated invariant.

    Attributes:
        kind: ``sqlite``, ``index``, ``foreign key``, ``namespace``, ``name``, ``search``, ``vector``, ``time``,
            ``counter``, ``journal`` or ``snapshot``.
        what: what is wrong, and where.
        repairable: whether ``repair`` can fix it without loss.
    """

    kind: str
    what: str
    repairable: bool

    def __str__(self) -> str:
        return f"[{self.kind}] {self.what}{'' if self.repairable else ' (cannot be repaired without loss)'}"


@dataclass(frozen=True, slots=True)
class Report:
    """Result of ``check``."""

    path: str
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong, else 1."""
        return int(not self.ok)

    def __str__(self) -> str:
        if self.ok:
            return f"{self.path}: sound"
        return "\n".join([f"{self.path}: {len(self.problems)} problems", *(f"  {item}" for item in self.problems)])


def check(path: str | os.PathLike[str]) -> Report:
    """Check every invariant of a memory file. Changes nothing.

    Raises:
        NotAMemory: it is no memory at all, so there is nothing to check.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        raise NotAMemory(f"{name} does not exist")
    try:
        connection = Connection(name)
    except ReadOnly:
        connection = Connection(name, read_only=True)
    with closing(connection) as opened, opened.translating():
        return inspect(opened.raw, opened.path)


def inspect(raw: sqlite3.Connection, path: str) -> Report:
    """Check every invariant of an open memory. Changes nothing."""
    problems = list(_sqlite(raw))
    if any(problem.kind == "sqlite" for problem in problems):
        return Report(path, tuple(problems))  # rows on damaged pages cannot be checked further
    for part in (_foreign_keys, _rows, _names, _search, _vectors, _counters, _journal):
        problems.extend(_read(part, raw))
    problems.extend(_snapshots(raw, path))
    return Report(path, tuple(problems))


def _read(part: Callable[[sqlite3.Connection], Iterator[Problem]], raw: sqlite3.Connection) -> list[Problem]:
    try:
        return list(part(raw))
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:  # damaged cells hold values of the wrong kind
        return [Problem("sqlite", f"{part.__name__.strip('_')} could not be read: {error}", False)]


def _some(found: Sequence[tuple[object, ...]]) -> str:
    shown = ", ".join(str(row[0]) for row in found[:SHOWN])
    return f"{shown}, ... ({len(found)} in all)" if len(found) > SHOWN else shown


def _sqlite(raw: sqlite3.Connection) -> Iterator[Problem]:
    """SQLite's own check; damage in an index alone is repaired by building it again."""
    try:
        found = [row[0] for row in raw.execute("PRAGMA integrity_check(20)")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    for line in found if found != ["ok"] else []:
        in_index = "index" in line and "row" in line and "tree" not in line.lower()
        yield Problem("index" if in_index else "sqlite", line, in_index)
    have = {row[0] for row in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    for name in {**NODE_INDEXES, **EDGE_INDEXES}:
        if name not in have:
            yield Problem("index", f"index {name} is missing", True)


def _foreign_keys(raw: sqlite3.Connection) -> Iterator[Problem]:
    broken: dict[tuple[str, str], list[tuple[object, ...]]] = {}
    for table, row, parent, _ in raw.execute("PRAGMA foreign_key_check"):
        broken.setdefault((table, parent), []).append((row,))
    for (table, parent), found in broken.items():
        what = f"{table} rows {_some(found)} refer to {parent} that do not exist"
        yield Problem("foreign key", what, table in ("vectors", "access"))


def _rows(raw: sqlite3.Connection) -> Iterator[Problem]:
    """Rules between columns that are no SQL constraints."""
    rules = {
        ("namespace", "facts {} join nodes of another namespace"): (
            "SELECT e.id FROM edges e JOIN nodes s ON s.id = e.src JOIN nodes d ON d.id = e.dst "
            "JOIN relations r ON r.id = e.rel WHERE s.ns <> e.ns OR d.ns <> e.ns OR r.ns <> e.ns"
        ),
        ("namespace", "aliases of nodes {} lie in another namespace"): (
            "SELECT a.node FROM aliases a JOIN nodes n ON n.id = a.node WHERE a.ns <> n.ns"
        ),
        ("journal", "facts {} were recorded by entries that do not exist"): (
            "SELECT id FROM edges WHERE entry NOT IN (SELECT id FROM journal)"
        ),
        ("time", "facts {} end before they begin"): "SELECT id FROM edges WHERE valid_to < valid_from",
        ("time", "facts {} hold now but join retired nodes"): (
            "SELECT e.id FROM edges e JOIN nodes n ON n.id IN (e.src, e.dst) "
            "WHERE e.retired_at IS NULL AND n.retired_at IS NOT NULL"
        ),
    }
    for (kind, what), sql in rules.items():
        if found := raw.execute(sql).fetchall():
            yield Problem(kind, what.format(_some(found)), kind == "time" and "retired" in what)


def _names(raw: sqlite3.Connection) -> Iterator[Problem]:
    """The normalised form under which each name is found."""
    for table, key, column in NAMED:
        if found := misnamed(raw, table, key, column):
            yield Problem("name", f"{table} {_some(found)} have the wrong normalised name", True)


def misnamed(raw: sqlite3.Connection, table: str, key: str, column: str) -> list[tuple[int, str, str]]:
    """Key, name and stored normalised name of the rows where these do not agree.

    A row that a migration merged into another of its name keeps its former normal form.
    """
    form = normal_form(table)
    found = [
        row for row in raw.execute(f"SELECT {key}, {column}, norm, ns FROM {table}") if form(row[1]) not in ("", row[2])
    ]
    taken = f"SELECT 1 FROM {table} WHERE ns = ? AND norm = ? AND {key} <> ?"
    return [row[:3] for row in found if not raw.execute(taken, (row[3], form(row[1]), row[0])).fetchone()]


def normal_form(table: str) -> Callable[[str], str]:
    """The normal form of the names of a table."""
    return normalise_relation if table == "relations" else normalise


def _search(raw: sqlite3.Connection) -> Iterator[Problem]:
    for table in SEARCH_TABLES:
        try:
            raw.execute(f"INSERT INTO {table}({table}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                return  # FTS5 checks itself by a write that writes nothing; not possible in a read-only file
            yield Problem("search", f"{table} does not agree with what it indexes ({error})", True)


def _vectors(raw: sqlite3.Connection) -> Iterator[Problem]:
    if found := bad_vectors(raw):
        what = f"vectors of nodes {_some(found)} have the wrong width, no known encoder, NaN or infinity"
        yield Problem("vector", what, True)


def bad_vectors(raw: sqlite3.Connection) -> list[tuple[int]]:
    """Nodes, one a row, whose vectors have the wrong width, no known encoder, NaN or infinity."""
    return [
        (node,)
        for node, data, dim in raw.execute(
            "SELECT v.node, v.data, k.dim FROM vectors v LEFT JOIN encoders k ON k.id = v.encoder"
        )
        if dim is None or len(data) != 2 * dim or not np.isfinite(np.frombuffer(data, np.float16)).all()
    ]


def _counters(raw: sqlite3.Connection) -> Iterator[Problem]:
    for counter, table in COUNTERS:
        highest = raw.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        row = raw.execute("SELECT value FROM meta WHERE key = ?", (counter,)).fetchone()
        if row is None or row[0] <= highest:
            yield Problem("counter", f"{counter} is {row[0] if row else 'missing'}, but {table} go to {highest}", True)


def _journal(raw: sqlite3.Connection) -> Iterator[Problem]:
    """The chain of check values, and the newest image of each row against the row."""
    previous, number = b"", 0
    for entry, at, action, note, first, chain in raw.execute(
        "SELECT id, at, action, note, changes, chain FROM journal ORDER BY id"
    ).fetchall():
        more = raw.execute("SELECT changes FROM journal_parts WHERE entry = ? ORDER BY part", (entry,))
        parts = [first, *(row[0] for row in more)]
        if entry != number + 1:
            yield Problem("journal", f"entries {number + 1} to {entry - 1} are missing", False)
        if chained(previous, entry, at, action, note, parts, journal.ranges(raw, entry)) != chain:
            yield Problem("journal", f"entry {entry} is not what was written, or an earlier entry is missing", False)
        previous, number = chain, entry
    yield from _images(raw)


def _images(raw: sqlite3.Connection) -> Iterator[Problem]:
    """Rows that differ from their newest image in the journal: changed by something else than graphmem."""
    newest: dict[tuple[str, rows.Row], rows.Row | None] = {}
    for (entry,) in raw.execute("SELECT id FROM journal ORDER BY id").fetchall():
        try:
            newest.update(((change.table, change.key), change.after) for change in journal.recorded(raw, entry))
        except (ValueError, KeyError, TypeError, zlib.error, json.JSONDecodeError) as error:
            yield Problem("journal", f"entry {entry} cannot be read: {error}", False)
    strays = [(f"{table} {key}",) for (table, key), row in newest.items() if rows.fetch(raw, table, key) != row]
    if strays:
        yield Problem("journal", f"rows changed without a journal entry: {_some(strays)}", False)


def _snapshots(raw: sqlite3.Connection, path: str) -> Iterator[Problem]:
    """Snapshots that would be used, compared with the facts of the file."""
    for (ns,) in raw.execute("SELECT id FROM namespaces").fetchall():
        if not snapshot.path_for(path, ns).exists():
            continue
        found = snapshot.read(path, ns)
        if found is None:
            yield Problem("snapshot", f"{snapshot.path_for(path, ns)} cannot be read", True)
        elif snapshot.is_true(raw, found.stamp, ns) and not _agrees(raw, ns, found):
            yield Problem("snapshot", f"{snapshot.path_for(path, ns)} differs from the file", True)


def _agrees(raw: sqlite3.Connection, ns: int, found: snapshot.View[CSRIndex]) -> bool:
    try:
        packed = views.Views(ns, None, found).get(raw, None).all_facts()
        built = views.build(raw, ns, None).index.all_facts()
    except (IndexError, ValueError):
        return False
    return all(np.array_equal(one, other) for one, other in zip(packed, built, strict=True))
