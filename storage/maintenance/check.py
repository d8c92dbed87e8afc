"""Check of a memory file: every invariant, one by one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np

from graphmem.core.errors import Corrupt, ForeignSchema, NotAMemory, ReadOnly
from graphmem.storage.index import adjacency_cache as views
from graphmem.storage.index import snapshot
from graphmem.storage.index.adjacency import CSRIndex
from graphmem.storage.maintenance import values
from graphmem.storage.maintenance.evidence import UNREADABLE, gather, holds
from graphmem.storage.maintenance.report import Problem, Report, some
from graphmem.storage.tables.connection import Connection
from graphmem.storage.tables.folds import wrong_folds
from graphmem.storage.tables.schema import EDGE_INDEXES, NODE_INDEXES, SEARCH_TABLES

__all__ = ["Problem", "Report", "check", "inspect"]

REVERTS = "action IN ('undo', 'redo')"


def check(path: str | os.PathLike[str]) -> Report:
    """Check every invariant of a memory file. Changes nothing.

    Raises:
        NotAMemory: it is no memory at all, so there is nothing to check.
        NewerSchema: a later graphmem wrote it.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        raise NotAMemory(f"{name} does not exist")
    return check_as(name, name)


def check_as(file: str, name: str) -> Report:
    """Check a file that is a copy of the memory of another name, whose snapshots are checked."""
    try:
        try:
            connection = Connection(file)
        except ReadOnly:
            connection = Connection(file, read_only=True)
    except ForeignSchema as error:
        return Report(name, (Problem("schema", str(error).replace(file, name), True),))
    except Corrupt as error:
        return Report(name, (Problem("sqlite", str(error).replace(file, name), False),))
    with closing(connection) as opened, opened.translating():
        return inspect(opened.raw, name)


def inspect(raw: sqlite3.Connection, path: str) -> Report:
    """Check every invariant of an open memory. Changes nothing."""
    problems = list(sqlite_problems(raw))
    if any(problem.kind == "sqlite" for problem in problems):
        return Report(path, tuple(problems))  # rows on damaged pages cannot be checked further
    for part in (
        _foreign_keys,
        values.bad_values,
        _rows,
        _names,
        _search,
        _folds,
        _vectors,
        values.bad_counters,
        _journal,
    ):
        problems.extend(_read(part, raw))
    if path != ":memory:":
        problems.extend(_snapshots(raw, path))
    return Report(path, tuple(problems))


def _read(part: Callable[[sqlite3.Connection], Iterator[Problem]], raw: sqlite3.Connection) -> list[Problem]:
    try:
        return list(part(raw))
    except (*UNREADABLE, OverflowError, AttributeError, MemoryError) as error:  # values of another type
        return [Problem("sqlite", f"{part.__name__.strip('_')} could not be read: {error}", False)]


def sqlite_problems(raw: sqlite3.Connection) -> Iterator[Problem]:
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
        what = f"{table} rows {some(found)} refer to {parent} that do not exist"
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
            yield Problem(kind, what.format(some(found)), kind == "time" and "retired" in what)


def _names(raw: sqlite3.Connection) -> Iterator[Problem]:
    """The normalised form under which each name is found."""
    for table, key, column in values.NAMED:
        if found := values.misnamed(raw, table, key, column):
            yield Problem("name", f"{table} {some(found)} have the wrong normalised name", True)


def _search(raw: sqlite3.Connection) -> Iterator[Problem]:
    for table in SEARCH_TABLES:
        try:
            raw.execute(f"INSERT INTO {table}({table}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                return  # FTS5 checks itself by a write that writes nothing; not possible in a read-only file
            yield Problem("search", f"{table} does not agree with what it indexes ({error})", True)


def _folds(raw: sqlite3.Connection) -> Iterator[Problem]:
    """The folded forms under which names are found."""
    if found := wrong_folds(raw):
        yield Problem("search", f"folded forms of nodes {some(found)} are not those of their names", True)


def _vectors(raw: sqlite3.Connection) -> Iterator[Problem]:
    if found := values.bad_vectors(raw):
        what = f"vectors of nodes {some(found)} are not what was written, or of the wrong width or no known encoder"
        yield Problem("vector", what, True)


def _journal(raw: sqlite3.Connection) -> Iterator[Problem]:
    """The chain of check values, the rows that the journal and the loads name, and what is kept beside the entries."""
    numbers = [row[0] for row in raw.execute("SELECT id FROM journal ORDER BY id")]
    for before, after in zip([0, *numbers], numbers, strict=False):
        if after != before + 1:
            yield Problem("journal", f"entries {before + 1} to {after - 1} are missing", False)
    found = gather(raw)
    for entry in sorted(found.altered):
        reason = found.unreadable.get(entry, "it, or the entry before it, is not what was written")
        yield Problem("journal", f"entry {entry} cannot be trusted: {reason}", False)
    for entry in sorted(found.mended):
        yield Problem("journal", f"the check value of entry {entry} is damaged", True)
    if misnamed := [f"{table} {number}" for table, number in found.misnamed(raw)]:
        yield Problem("journal", f"names in dictionaries are not those of the journal: {some(misnamed)}", True)
    strays = [f"{table} {key[0] if len(key) == 1 else key}" for (table, key), state in found.newest.items()
              if not holds(raw, (table, key), state)]  # fmt: skip
    if strays:
        yield Problem("journal", f"rows changed without a journal entry: {some(strays)}", True)
    for table, unknown in found.unknown(raw):
        yield Problem("journal", f"{table} {some(unknown)} are known to no journal entry", False)
    for block in found.blocks(raw):
        rows = block.missing() or block.altered()
        which = f"{block.table} {some(rows)}" if rows else f"some of the {block.table} {block.first} to {block.last}"
        yield Problem("load", f"{which} are not as entry {block.entry} loaded them", False)
    known = set(raw.execute("SELECT node, entry FROM touched"))
    if lacking := sorted(found.touched - known):
        yield Problem("journal", f"the history of nodes {some(lacking)} lacks entries", True)
    yield from _marks(raw)


def _marks(raw: sqlite3.Connection) -> Iterator[Problem]:
    """What the check values do not cover: which entries are undone, and what an undo names."""
    if found := wrong_marks(raw):
        what = f"entries {some(list(found))} are wrongly marked as undone or not undone"
        yield Problem("journal", what, True)
    sql = f"SELECT id FROM journal WHERE {REVERTS} AND note NOT LIKE action || ' of entry ' || target"
    if other := raw.execute(sql).fetchall():
        yield Problem("journal", f"entries {some(other)} name another entry than they revert", False)


def wrong_marks(raw: sqlite3.Connection) -> dict[int, int]:
    """Entries whose mark as undone is not what the undos and redos say, with the right mark."""
    last = dict(raw.execute(f"SELECT target, action FROM journal WHERE {REVERTS} ORDER BY id"))
    marks = ((entry, undone, int(last.get(entry) == "undo")) for entry, undone in raw.execute(_MARKS))
    return {entry: right for entry, undone, right in marks if undone != right}


_MARKS = "SELECT id, undone FROM journal ORDER BY id"


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
