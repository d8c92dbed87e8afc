"""An open memory file: whether its path still leads to the file, the log and the content that were opened.

SQLite keeps a file open by its handle and does not see that another file was put in its place, or that the bytes of
another file were copied over it. What it then reads is a mixture of both, and what it writes is lost or harms the
copy. The state of the file on the disk is compared at each read and write; only where it changed, its content is
looked at: by a connection that reads the main file alone, without the log.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from graphmem.core.errors import FileReplaced
from graphmem.storage.files import Place, is_empty, place_of

LOOKS = 3  # times that a foreign content must be seen before it is taken for one
PAUSE = 0.02  # seconds between them: another process may be writing its log into the file
READS = 0.01  # seconds in which reads ask for the state of the file once
MEMORY = ":memory:"


class Marks(NamedTuple):
    """What tells one content of a file from another: the memory, its last restored backup, its next journal entry."""

    identity: object
    restored: object
    next_entry: int

    @property
    def line(self) -> tuple[object, object]:
        """What all states of a memory have in common in which later entries build on earlier ones."""
        return self.identity, self.restored

    def was_restored_over(self, other: Marks) -> bool:
        """Whether a backup was restored over the other memory to make this one."""
        return str(self.restored).startswith(f"{other.identity}:")


_VALUE = "(SELECT value FROM meta WHERE key = '{}')"
_MARKS = "SELECT " + ", ".join(map(_VALUE.format, ("identity", "restored", "next_entry")))
_FOREIGN = Marks(None, None, -1)
_State = tuple[int, int, int]


def marks(raw: sqlite3.Connection) -> Marks | None:
    """Marks of the content that a connection reads; None where it is damaged, or was just made."""
    try:
        found = Marks(*raw.execute(_MARKS).fetchone())
        return found if isinstance(found.next_entry, int) else None
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_ERROR and raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            code = sqlite3.SQLITE_NOTADB  # tables, and none of a memory
        return _FOREIGN if code == sqlite3.SQLITE_NOTADB else None


def mark_restored(raw: sqlite3.Connection, over: Marks | None) -> None:
    """Mark a memory that has just become what a backup holds, so that its log is known for its own. Writes.

    Args:
        over: marks of what it held before.
    """
    value = f"{over.identity if over else None}:{secrets.token_hex(8)}"
    raw.execute("INSERT OR REPLACE INTO meta(key, value) VALUES ('restored', ?)", (value,))


def _uri(path: str, options: str) -> str:
    return f"file:{quote(str(Path(path).absolute()))}?mode=ro{options}"


def stored_marks(path: str) -> Marks | None:
    """Marks of the main file alone, without its log; None where they cannot be read, as in a file just made."""
    try:
        with closing(sqlite3.connect(_uri(path, "&immutable=1"), uri=True)) as raw:
            return marks(raw)
    except sqlite3.Error:
        return None


def require_own_log(path: str) -> None:
    """Raise ``FileReplaced`` where the log beside a file was written for another memory.

    SQLite would read the log's pages as parts of the file, and would write them into it.
    """
    if not _has_log(path):
        return
    stored = stored_marks(path)
    if stored is None or stored.identity is None:
        return
    try:
        with closing(sqlite3.connect(_uri(path, ""), uri=True)) as raw:
            seen = marks(raw)
    except sqlite3.Error:
        return
    if seen is None or seen.identity in (None, stored.identity):
        return
    if not seen.was_restored_over(stored) and stored_marks(path) == stored:
        raise FileReplaced(
            f"{path}-wal is the log of another memory than {path}: {path} was replaced without it; nothing was opened. "
            f"Move {path}-wal away to open {path} as it is, or put the file back that the log belongs to"
        )


def _has_log(path: str) -> bool:
    return path != MEMORY and os.path.exists(path) and not is_empty(path + "-wal")


class OpenFile:
    """The file behind an open connection. ``place`` is None for a memory without a file."""

    def __init__(self, path: str, raw: sqlite3.Connection) -> None:
        self.path = path
        self.place: Place | None = None if path == MEMORY else place_of(path)
        self._log: Place | None = None
        self._asked = 0.0
        self._state = _state(path)
        self._seen = None if self.place is None else marks(raw)
        if _has_log(path):
            self._seen = stored_marks(path)

    def require(self, raw: sqlite3.Connection) -> None:
        """Raise ``FileReplaced`` where a write would not be kept."""
        if self.place is None:
            return
        known = (self.path, self.place), (self.path + "-wal", self._log)
        gone = [path for path, place in known if place is not None and place_of(path) != place]
        if gone or is_empty(self.path):  # emptied in its place
            raise _replaced((*gone, self.path)[0], "removed or replaced")
        self.require_content(raw)

    def require_for_read(self, raw: sqlite3.Connection) -> None:
        """``require_content``, at most once in ``READS`` seconds."""
        now = time.monotonic()
        if self.place is not None and now > self._asked + READS:
            self.require_content(raw)
            self._asked = now

    def require_content(self, raw: sqlite3.Connection) -> None:
        """Raise ``FileReplaced`` where the bytes of another file were copied over the open one."""
        state = _state(self.path)
        if state is None or state == self._state or place_of(self.path) != self.place:
            return
        for look in range(LOOKS):
            time.sleep(PAUSE * bool(look))
            found, live = stored_marks(self.path), marks(raw) or self._seen
            if found is None or live is None:  # nothing is certain; the next write looks again
                return
            if self._own(found, live):
                self._state, self._seen = state, found
                return
        raise _replaced(self.path, "overwritten with another file")

    def _own(self, found: Marks, live: Marks) -> bool:
        """Whether the main file's content can come from this memory's log, written into it by any process."""
        seen = self._seen
        if found.identity is None:
            return False
        if found.line == live.line and found.next_entry > live.next_entry:
            return False
        if seen is not None and found.line == seen.line:
            return found.next_entry >= seen.next_entry
        return found.line == live.line or live.was_restored_over(found)

    def written(self) -> None:
        """Remember the log that a write went to."""
        if self.place is not None:
            self._log = place_of(self.path + "-wal")

    def set_log_aside(self, raw: sqlite3.Connection) -> bool:
        """Empty the log before a close where the file holds another content now: it would be written into that.

        Returns whether it was so. The log is kept beside the file as ``PATH.log-1``, ``-2`` and so on.
        """
        try:
            if self.place is None or place_of(self.path) != self.place:
                return False
            self.require_content(raw)
            return False
        except FileReplaced:
            log = self.path + "-wal"
            if not is_empty(log):
                number = 1
                while os.path.lexists(kept := f"{self.path}.log-{number}"):
                    number += 1
                shutil.copy2(log, kept)
                os.truncate(log, 0)
                message = f"{self.path} was overwritten while it was open; writes that did not reach it stand in {kept}"
                warnings.warn(message, RuntimeWarning, stacklevel=4)
            return True


def _state(path: str) -> _State | None:
    """Size and times of change of a file: what differs after any write to it."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _replaced(what: str, how: str) -> FileReplaced:
    path = what.removesuffix("-wal")
    return FileReplaced(f"{what} was {how} while it was open, and cannot be read or written; open {path} again")
