"""Guard of the schema: a memory holds the tables, views and indexes of ``schema.py`` and nothing that acts."""

from __future__ import annotations

import re
import sqlite3
from functools import cache

from graphmem.core.errors import Corrupt, ForeignSchema
from graphmem.storage.tables.schema import statements

SHOWN = 5  # objects that a message lists

Objects = dict[tuple[str, str], str]
"""SQL without spaces and quotes, by type and name."""

_CREATE = re.compile(r"CREATE (?:UNIQUE |VIRTUAL )?(TABLE|VIEW|INDEX) (\w+)")
_SHADOWS = {
    "data": "(id INTEGER PRIMARY KEY, block BLOB)",
    "idx": "(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
    "docsize": "(id INTEGER PRIMARY KEY, sz BLOB)",
    "config": "(k PRIMARY KEY, v) WITHOUT ROWID",
}
"""Tables of FTS5 behind each of its tables."""


def plain(sql: object) -> str:
    """SQL without spaces and quotes, which do not change what it means."""
    return re.sub(r"[\s\"'`]", "", sql) if isinstance(sql, str) else ""


@cache
def own() -> Objects:
    """Objects of an empty memory, without the indexes that SQLite makes by itself."""
    found: Objects = {}
    for statement in statements():
        if made := _CREATE.match(statement):
            found[made[1].lower(), made[2]] = plain(statement)
            for shadow, columns in _SHADOWS.items() if "USING fts5" in statement else ():
                found["table", f"{made[2]}_{shadow}"] = plain(f"CREATE TABLE {made[2]}_{shadow}{columns}")
    return found


def _by_sqlite(kind: str, name: str, table: str, sql: str) -> bool:
    """Whether SQLite makes an object of that name by itself: the index of a constraint, or statistics."""
    if kind == "index":
        return not sql and re.fullmatch(rf"sqlite_autoindex_{re.escape(table)}_\d", name) is not None
    return kind == "table" and sql in ("CREATETABLEsqlite_stat1(tbl,idx,stat)", "CREATETABLEsqlite_stat4"
                                       "(tbl,idx,neq,nlt,ndlt,sample)")  # fmt: skip


def differences(raw: sqlite3.Connection, *, names_only: bool = False) -> tuple[list[str], list[str]]:
    """Objects that are not graphmem's or were altered, and tables and views that are missing.

    Args:
        names_only: compare names, for the schema of an earlier version.
    """
    known, seen, foreign = own(), set(), []
    for kind, name, table, sql in raw.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"):
        key, text = (str(kind), str(name)), plain(sql)
        if key in known and (names_only or known[key] == text):
            seen.add(key)
        elif not _by_sqlite(*key, str(table), text):
            foreign.append(f"{kind} {name!r:.60}" + (" (altered)" if key in known else ""))
            seen.add(key)
    missing = [f"{kind} {name}" for kind, name in known if kind != "index" and (kind, name) not in seen]
    return foreign, missing


def require_own(raw: sqlite3.Connection, path: str, *, names_only: bool = False) -> None:
    """Raise for a file whose schema is not graphmem's.

    Raises:
        ForeignSchema: objects that graphmem did not make, or altered ones.
        Corrupt: missing tables or views.
    """
    foreign, missing = differences(raw, names_only=names_only)
    if foreign:
        listed = ", ".join(foreign[:SHOWN]) + (f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else "")
        raise ForeignSchema(
            f"{path} holds what graphmem did not make: {listed}; it was not opened. "
            f"`graphmem repair {path}` takes them out"
        )
    if missing and not names_only:
        raise Corrupt(
            f"{path} is damaged (missing: {', '.join(missing[:SHOWN])}); "
            f"run `graphmem check {path}`, then `graphmem repair {path}`"
        )


def index_statements() -> dict[str, str]:
    """The statement of each index that graphmem makes, by name."""
    found = ((_CREATE.match(statement), statement) for statement in statements())
    return {made[2]: statement for made, statement in found if made and made[1] == "INDEX"}
