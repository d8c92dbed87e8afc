"""A damaged file made readable: length, header and schema. It works on a copy."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from difflib import SequenceMatcher
from pathlib import Path

from graphmem.core.errors import Busy
from graphmem.storage import schema_guard
from graphmem.storage.tables.schema import APPLICATION_ID, SCHEMA_VERSION, statements

MAGIC = b"SQLite format 3\0"
OWN = b"CREATE TABLE edge_sources("  # part of the schema of every memory, of any version
SEARCHED = 1 << 20  # bytes in which it is looked for
PAGE = 4096
LARGEST = 1 << 32  # bytes to which a file is filled up
ALIKE = 0.8  # likeness from which a damaged object is taken for one of ours

Stamp = tuple[tuple[int, int], ...]


def stamp(path: str) -> Stamp:
    """Sizes and times of a file and its log: whether they changed."""
    found = []
    for name in (path, path + "-wal"):
        with suppress(OSError):
            stat = os.stat(name)
            found.append((stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def copy_bytes(path: str, target: Path) -> Stamp:
    """Copy a file and its log as they are: a damaged file must not pass through SQLite.

    Raises:
        Busy: somebody writes to it.
    """
    before = stamp(path)
    for suffix in ("", "-wal", "-journal"):
        if os.path.exists(path + suffix):
            shutil.copyfile(path + suffix, f"{target}{suffix}")
    if stamp(path) != before:
        raise Busy(f"{path} is being written; close it everywhere before it is repaired")
    return before


def looks_like_memory(path: str) -> bool:
    """Whether the start of a file holds a memory's schema."""
    with open(path, "rb") as file:
        return OWN in file.read(SEARCHED)


def prepare(file: Path) -> list[str]:
    """Make a copy readable by SQLite as a memory; says what was mended."""
    notes = _mend_header(file)
    with suppress(sqlite3.DatabaseError, UnicodeDecodeError), closing(_plain(file)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.execute("PRAGMA journal_mode = DELETE")
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    notes += [note for note in _mend_header(file) if note not in notes]
    notes += _mend_roots(file)
    with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        notes += _mend_schema(file)
    return notes


def _plain(file: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(file, isolation_level=None)
    raw.text_factory = lambda data: data.decode(errors="replace")
    raw.execute("PRAGMA trusted_schema = OFF")
    raw.execute("PRAGMA writable_schema = ON")  # also opens a file with a malformed schema
    return raw


def _mend_header(file: Path) -> list[str]:
    """Fields of the header that are the same in every memory, and the length."""
    notes, size = [], file.stat().st_size
    with file.open("r+b") as stream:
        old = stream.read(100).ljust(100, b"\0")
        head = bytearray(old)
        page = int.from_bytes(head[16:18], "big")
        if page < 512 or page & (page - 1):
            head[16:18], page = PAGE.to_bytes(2, "big"), PAGE
        head[:16], head[20], head[21:24], head[44:48] = MAGIC, 0, bytes((64, 32, 32)), (4).to_bytes(4, "big")
        head[56:60], head[68:72] = (1).to_bytes(4, "big"), APPLICATION_ID.to_bytes(4, "big")
        if head[18] not in (1, 2) or head[19] not in (1, 2):
            head[18:20] = b"\1\1"
        if head != old:
            stream.seek(0)
            stream.write(head)
            notes.append("the header of the file")
        pages = int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else 0
        wanted = max(-(-size // page) * page, pages * page if pages * page <= LARGEST else 0)
        if wanted > size:
            stream.truncate(wanted)
            notes.append(f"{wanted - size} bytes that are missing at the end were filled with zeros")
    return notes


def _mend_roots(file: Path) -> list[str]:
    """A new list of tables where the old one cannot be read: their first pages are found in the bytes of the list."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in statements():
            fresh.execute(statement)
        own = fresh.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema").fetchall()
    tables = [row for row in own if row[0] == "table" and row[3]]
    try:
        with closing(_plain(file)) as raw:
            have = {row[0] for row in raw.execute("SELECT name FROM sqlite_schema").fetchall()}
        if len(have & {row[1] for row in tables}) >= len(tables) - 1 or raw_version(file) < SCHEMA_VERSION:
            return []
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        pass
    with file.open("r+b") as stream:
        data = stream.read(SEARCHED)
        page = int.from_bytes(data[16:18], "big") if data[16:18] != b"\0\1" else 1 << 16
        roots = {row[1]: _root(data, row[0] + row[1] + row[2], page) for row in tables}
        for name, usual in ((row[1], row[3]) for row in tables if roots[row[1]] is None):
            kind = data[(usual - 1) * page : (usual - 1) * page + 1]
            if usual not in roots.values() and kind in (b"\2", b"\5", b"\n", b"\r"):
                roots[name] = usual  # where a new file has it
        head = bytearray(data[:100])
        head[32:40] = bytes(8)  # no free pages: the new list goes to the end of the file
        empty = b"\x0d" + bytes(4) + (page % (1 << 16)).to_bytes(2, "big") + b"\0"
        stream.seek(0)
        stream.write((bytes(head) + empty).ljust(page, b"\0"))
    with suppress(sqlite3.DatabaseError), closing(_plain(file)) as raw:
        raw.execute("BEGIN")
        for row in own:
            if row[0] == "table":
                values = (*row[:3], roots.get(row[1], 0), row[4])
                raw.execute(
                    "INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)", values
                )
        raw.execute("COMMIT")
    return ["the list of tables"]


def raw_version(file: Path) -> int:
    """The schema's version in the header of a file."""
    with file.open("rb") as stream:
        return int.from_bytes(stream.read(64)[60:64], "big")


def _root(data: bytes, row: str, page: int) -> int | None:
    """First page of a table by the bytes of its row in the list; None where these are damaged too."""
    found = re.search(re.escape(row.encode()) + rb"(.{1,4}?)CREATE", data, re.DOTALL)
    number = int.from_bytes(found[1], "big") if found else 0
    return number if 1 < number <= len(data) // page + (1 << 20) else None


def _mend_schema(file: Path) -> list[str]:
    """The text of the schema; objects of others go. An older schema only loses what is foreign to it."""
    with closing(sqlite3.connect(":memory:")) as fresh, closing(_plain(file)) as raw:
        for statement in statements():
            fresh.execute(statement)
        wanted = {row[:2]: row for row in fresh.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")}
        rows = raw.execute("SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema").fetchall()
        version = raw.execute("PRAGMA user_version").fetchone()[0]
        left = [row for row in rows if row[1:3] not in wanted and "sqlite_stat" not in str(row[2])]
        changes: list[tuple[str, tuple[object, ...]]] = []
        absent = [want for key, want in wanted.items() if key not in {row[1:3] for row in rows}]
        for want in absent if not 0 < version < SCHEMA_VERSION else ():
            best = max(left, key=lambda row: _likeness(row, want), default=None)
            if best is not None and _likeness(best, want) >= ALIKE:
                left.remove(best)
                changes.append((_UPDATE, (*want, best[0])))
        for rowid, kind, name, table, sql in rows if not 0 < version < SCHEMA_VERSION else ():
            want = wanted.get((kind, name))
            if want and (schema_guard.plain(sql), table) != (schema_guard.plain(want[3]), want[2]):
                changes.append((_UPDATE, (*want, rowid)))
        mended = len(changes)
        changes += [("DELETE FROM sqlite_schema WHERE rowid = ?", (row[0],)) for row in left]
        for sql, values in changes:
            raw.execute(sql, values)
        if not 0 < version <= SCHEMA_VERSION:
            raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if changes:
            number = raw.execute("PRAGMA schema_version").fetchone()[0]
            raw.execute(f"PRAGMA schema_version = {(number + 1) % (1 << 31)}")
        notes = [f"{mended} objects of the schema"] if mended else []
        return notes + [f"foreign objects were taken out: {', '.join(str(row[2])[:60] for row in left)}"] * bool(left)


_INSERT = "INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)"
_UPDATE = "UPDATE sqlite_schema SET type = ?, name = ?, tbl_name = ?, sql = ? WHERE rowid = ?"


def _likeness(row: tuple[object, ...], want: tuple[object, ...]) -> float:
    one, other = (" ".join(map(str, values))[:2000] for values in (row[1:], want))
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= ALIKE else 0.0
