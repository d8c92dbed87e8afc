"""From every earlier schema to this one: a copy of the file first, then one transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from graphmem.storage.schema import EDGE_INDEXES, SCHEMA_VERSION


def _from_1(raw: sqlite3.Connection) -> None:
    """Version 2 narrows the two indexes of facts: a quarter less of the file."""
    for name, statement in EDGE_INDEXES.items():
        raw.execute(f"DROP INDEX IF EXISTS {name}")
        raw.execute(statement)


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _from_1}
"""What brings each version to the next."""


def copy_for(path: str, version: int) -> Path:
    """Where the copy that a migration makes first lies."""
    return Path(f"{path}.schema{version}")


def migrate(raw: sqlite3.Connection, path: str, version: int) -> None:
    """Bring a file to ``SCHEMA_VERSION``. Writes one transaction; the file of before stays as a copy beside it.

    Several processes may open an old file at once: the first one migrates, the others find it done.
    """
    if path != ":memory:":
        _copy(raw, copy_for(path, version))
    raw.execute("BEGIN IMMEDIATE")
    try:
        version = raw.execute("PRAGMA user_version").fetchone()[0]
        for step in range(version, SCHEMA_VERSION):
            STEPS[step](raw)
        raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        raw.execute("COMMIT")
    except BaseException:
        raw.execute("ROLLBACK")
        raise


def _copy(raw: sqlite3.Connection, target: Path) -> None:
    temporary = target.with_name(f"{target.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    with closing(sqlite3.connect(temporary)) as copy:
        raw.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    os.replace(temporary, target)
