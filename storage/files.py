"""Files of the store: targets that may be written, files that appear whole, and what killed processes left."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from graphmem.core import files
from graphmem.core.errors import Busy
from graphmem.core.files import SIDE_FILES, check_target, machine

__all__ = ["SIDE_FILES", "check_target", "claimed", "place_of", "replacing", "side_files", "sweep"]

STALE_SECONDS = 3600  # age from which an unfinished file is taken for left behind where its process cannot be asked for
SWEPT = 10_000  # entries of a folder that are looked at

_CACHE = re.compile(r"-snapshot\d+v?")
_UNFINISHED = re.compile(r".+\.(\d+)-([0-9a-f]{8})-[0-9a-f]{8}\.new(?:-wal|-shm|-journal)?")
_OLD_UNFINISHED = re.compile(r"(?:-snapshot\d+v?|\.schema\d+)?(?:\.[0-9a-f]{8}\.new|\.salvaged)(?:-wal|-shm|-journal)?")


Place = tuple[int, int]
"""Device and number of a file: what stays the same when it is renamed, and differs when it is replaced."""


def place_of(path: str) -> Place | None:
    """Device and number of the file at a path; None without one."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_empty(path: str) -> bool:
    """Whether the file at a path has no bytes, or is gone."""
    try:
        return os.path.getsize(path) == 0
    except OSError:
        return True


def side_files(path: Path) -> list[Path]:
    """What SQLite and graphmem keep beside a memory: log, its index, rollback journal, snapshots."""
    with suppress(OSError):
        beside = [file for file in path.absolute().parent.iterdir() if file.name.startswith(path.name)]
        return [
            file
            for file in beside
            if file.name[len(path.name) :] in SIDE_FILES or _CACHE.fullmatch(file.name[len(path.name) :])
        ]
    return []


@contextmanager
def claimed(target: Path) -> Iterator[None]:
    """Hold a target that another file will replace: nobody else has it open, and it has no side files.

    A log that belongs to the target is written into it first, so that a kill at any point leaves it whole.

    Raises:
        Busy: another connection has the target open.
    """
    held = _held(target)
    try:
        for file in side_files(target):
            file.unlink(missing_ok=True)
        yield
    finally:
        if held is not None:
            held.close()


def _held(target: Path) -> sqlite3.Connection | None:
    """An exclusive connection to the target; None where there is none that SQLite can open."""
    if not target.is_file():
        return None
    raw = None
    try:
        uri = f"file:{quote(str(target.absolute()))}?mode=rw"
        raw = sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None)
        raw.execute("PRAGMA journal_mode = DELETE")
        raw.execute("BEGIN EXCLUSIVE")
        return raw
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if raw is not None:
            raw.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Busy(f"{target} is in use, so that it is not replaced; close it everywhere first") from error
        return None  # no SQLite file, or a damaged one


@contextmanager
def replacing(target: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """``core.files.replacing`` for a file that may be a memory or may stand in the place of one.

    Side files of an older memory of that name would be read as part of the new one: they go before it comes.

    Raises:
        InvalidValue: the folder does not exist, or the name cannot be used.
        Busy: a memory of that name is in use.
        DiskFull, ReadOnly, StoreError: the file cannot be written.
    """
    sweep(target)
    with ExitStack() as stack, files.replacing(target, mode=mode) as temporary:
        yield temporary
        stack.enter_context(claimed(target))


def sweep(path: Path) -> None:
    """Delete the unfinished files of killed processes in the folder of a memory; those of live ones stay."""
    with suppress(OSError), os.scandir(path.absolute().parent) as entries:
        for count, entry in enumerate(entries):
            if count == SWEPT:
                return
            if (".new" in entry.name or ".salvaged" in entry.name) and _left(path.name, entry):
                with suppress(OSError):
                    os.unlink(entry.path)


def _left(name: str, entry: os.DirEntry[str]) -> bool:
    """Whether the process that was writing a file is gone."""
    with suppress(OSError):
        if not entry.is_file(follow_symlinks=False):
            return False
        aged = time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS
        found = _UNFINISHED.fullmatch(entry.name)
        if found is None:
            own = entry.name.startswith(name) and _OLD_UNFINISHED.fullmatch(entry.name[len(name) :])
            return bool(own) and aged
        return aged or (found[2] == machine() and not _alive(int(found[1])))
    return False


def _alive(process: int) -> bool:
    if os.name == "nt":
        return True  # no harmless way to ask there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
