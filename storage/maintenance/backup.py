"""Backup, restore and vacuum of a memory file, also while it is in use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from graphmem.core.errors import Corrupt, InvalidValue, NotAMemory
from graphmem.storage.files import check_target, replacing
from graphmem.storage.open_file import mark_restored, marks
from graphmem.storage.tables.connection import BUSY_SECONDS, MEMORY, Connection, connect, header, translate
from graphmem.storage.tables.schema import APPLICATION_ID, SEARCH_TABLES

PAGES = 4096  # pages that are copied before waiting writers may continue


def backup(path: str | os.PathLike[str], target: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Copy a memory to a new file, as of one moment, while others read and write it. Returns the copy's path.

    The copy is checked, and moved into place only when it is whole.

    Raises:
        NotAMemory: ``path`` is no memory; its subclass ``ForeignSchema``: it holds triggers or tables of others.
        InvalidValue: ``target`` exists and ``overwrite`` is False, or is the memory itself or one of its files.
        Busy: ``target`` is a memory in use.
        Corrupt: the copy does not pass SQLite's check, because the original does not.
    """
    source, copy = os.fspath(path), check_target(target, sources=(path,), force=True)
    if os.path.lexists(copy) and not overwrite:
        raise InvalidValue(f"{copy} exists; pass overwrite=True, or name another file")
    with replacing(copy, mode=0o600) as temporary:
        with closing(Connection(source, read_only=True)) as opened, opened.translating():
            _copy(opened.raw, temporary)
    return copy


def _copy(raw: sqlite3.Connection, target: Path) -> None:
    """Copy to an empty file, check it, and leave it without side files."""
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        try:
            raw.backup(copy, pages=PAGES)
            copy.execute("PRAGMA journal_mode = DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            raise translate(error, str(target)) from error
    if found != "ok":
        raise Corrupt(f"the memory is damaged ({found}); run `graphmem check` on it, then `graphmem repair`")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def restore(backup_file: str | os.PathLike[str], path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Restore a backup in one transaction; other processes with the memory open read the restored one from then on.

    Raises:
        NotAMemory: the backup is no memory, or ``path`` is some other kind of file; its subclass ``ForeignSchema``:
            the backup holds triggers, views or tables that graphmem did not make.
        Corrupt: the backup does not pass SQLite's check.
        InvalidValue: ``path`` exists and ``overwrite`` is False.
    """
    source, target = os.fspath(backup_file), os.fspath(path)
    if target == MEMORY:
        raise InvalidValue("a backup is restored to a file, not to ':memory:'")
    file = check_target(target, sources=(source,), force=True)
    if os.path.lexists(file):
        if not overwrite:
            raise InvalidValue(f"{target} exists; pass overwrite=True to replace what it holds")
        _require_memory(target)
    with closing(Connection(source, read_only=True)) as opened, opened.translating():
        found = opened.raw.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise Corrupt(f"the backup {source} is damaged ({found}); it was not restored")
        if not os.path.lexists(file):
            with replacing(file) as temporary:
                _copy(opened.raw, temporary)
            return file
        with closing(connect(target, False, BUSY_SECONDS)) as replaced:
            with closing(sqlite3.connect("", isolation_level=None)) as marked:  # a file that no kill leaves behind
                opened.raw.backup(marked)
                mark_restored(marked, marks(replaced))
                marked.backup(replaced)  # content and mark in one transaction
            replaced.execute("PRAGMA journal_mode = WAL")
    return file


def _require_memory(path: str) -> None:
    with closing(connect(path, False, BUSY_SECONDS)) as raw:
        try:
            kind = header(raw)[0]
        except sqlite3.DatabaseError:
            return  # a damaged memory may be replaced by its backup; its file is one that SQLite once made
        if kind != APPLICATION_ID and Path(path).stat().st_size:
            raise NotAMemory(f"{path} belongs to another application; nothing was restored over it")


def vacuum(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return unused space to the disk and optimise the search indexes; bytes before and after. Writes.

    The journal and retired facts stay.
    """
    with closing(Connection(os.fspath(path))) as opened, opened.translating():
        return reclaim(opened.raw, opened.path)


def reclaim(raw: sqlite3.Connection, path: str, done: Callable[[], object] = lambda: None) -> tuple[int, int]:
    """``vacuum`` of an open memory; ``done`` is called after each of its two steps. Writes."""
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = _size(raw, path)
    for table in SEARCH_TABLES:
        raw.execute(f"INSERT INTO {table}({table}) VALUES ('optimize')")
    done()
    raw.execute("ANALYZE")
    raw.execute("VACUUM")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    done()
    return before, _size(raw, path)


def _size(raw: sqlite3.Connection, path: str) -> int:
    if path != MEMORY:
        return Path(path).stat().st_size
    pages, page = (raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages * page)
