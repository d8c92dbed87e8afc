"""SQLite connection with graphmem's errors, and its read and write transactions."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
import warnings
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from graphmem.core import errors
from graphmem.storage import schema_guard
from graphmem.storage.files import Place, place_of, sweep
from graphmem.storage.open_file import OpenFile, require_own_log
from graphmem.storage.tables.migrations import STEPS, migrate
from graphmem.storage.tables.schema import APPLICATION_ID, SCHEMA_VERSION, statements

BUSY_SECONDS = 60.0  # how long a writer waits for another one before it gives up with ``Busy``

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "fuse.sshfs", "ncpfs"}
MEMORY = ":memory:"
FREE_BYTES_WHEN_FULL = 1 << 20

OUTER = ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
NESTED = ("SAVEPOINT nested", "RELEASE nested", "ROLLBACK TO nested")


class Connection:
    """Open memory file. Reads go through ``rows`` and ``one``; writes only inside ``writing``.

    One object may be shared by threads: a lock serialises them. After a fork the child opens its own connection,
    because SQLite's locks do not survive a fork.
    """

    def __init__(self, path: str, *, read_only: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self.read_only = read_only
        self._lock = threading.RLock()
        self._inherited: list[sqlite3.Connection] = []
        self._busy_seconds = busy_seconds
        self._depth = 0
        self._raw: sqlite3.Connection | None = None
        self._file: OpenFile | None = None
        check_path(path, read_only)
        if path != MEMORY and not read_only:
            sweep(Path(path))
        with self.translating():
            self._open()
        _OPEN.add(self)

    def _open(self) -> None:
        self._pid = os.getpid()
        while True:
            before = place_of(self.path)
            require_own_log(self.path)
            self._raw = connect(self.path, self.read_only, self._busy_seconds)
            try:
                identify(self._raw, self.path, self.read_only)
                self._file = OpenFile(self.path, self._raw)
                if before in (None, self._file.place):
                    break
                self._raw.close()  # replaced by another file in between
            except BaseException:
                self._raw.close()
                self._raw = None
                raise
        self._raw.execute("PRAGMA foreign_keys = ON")
        if not self.read_only:
            use_wal(self._raw, self._busy_seconds)
            self._raw.execute("PRAGMA synchronous = NORMAL")

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return self._raw is not None

    @property
    def place(self) -> Place | None:
        """Device and number of the open file."""
        return None if self._file is None else self._file.place

    @property
    def raw(self) -> sqlite3.Connection:
        """The live sqlite3 connection. Raises ``Closed``: after ``close``."""
        if self._raw is None:
            raise errors.Closed(f"{self.path} has been closed; open it again")
        if self._pid != os.getpid():
            self._after_fork()
        return self._raw

    @property
    def lock(self) -> threading.RLock:  # type: ignore[valid-type]
        """Held while a thread uses the connection."""
        if self._pid != os.getpid():
            self._after_fork()
        return self._lock

    def _after_fork(self) -> None:
        """Open another connection in a forked child. The parent's stays open: closing it would drop the locks."""
        self._lock, self._depth, self._pid = threading.RLock(), 0, os.getpid()
        if self.path != MEMORY and self._raw is not None:
            self._inherited.append(self._raw)
            self._open()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._raw is None:
            return
        if self._pid == os.getpid():
            with suppress(sqlite3.Error):
                if not self.read_only and not (self._file and self._file.set_log_aside(self._raw)):
                    self._raw.execute("PRAGMA busy_timeout = 0")
                    self._raw.execute("PRAGMA analysis_limit = 400")  # rows of an index: a close takes no time
                    self._raw.execute("PRAGMA optimize")
            self._raw.close()
        self._raw = None

    def _own(self) -> sqlite3.Connection:
        """The live connection. Raises ``FileReplaced``: the bytes of another file were copied over the open one."""
        raw = self.raw
        if self._file is not None:
            self._file.require_for_read(raw)
        return raw

    def rows(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """All rows of a query."""
        with self.lock, self.translating():
            return self._own().execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """The first row of a query, or None."""
        with self.lock, self.translating():
            return self._own().execute(sql, values).fetchone()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One ``BEGIN IMMEDIATE`` transaction: committed at the end, rolled back on any error.

        A block inside another one joins its transaction. The writes of the inner block are rolled back when it fails,
        even where the outer block continues.

        Raises:
            ReadOnly: the memory was opened to read.
            Busy: another writer held the file too long.
            DiskFull: no room; the transaction is rolled back.
        """
        if self.read_only:
            raise errors.ReadOnly(f"{self.path} was opened read-only; open it without read_only=True to write")
        with self.lock, self.translating():
            raw = self.raw
            begin, commit, rollback = NESTED if self._depth else OUTER
            raw.execute(begin)
            self._depth += 1
            try:
                yield raw
                if begin is OUTER[0] and self._file is not None:
                    self._file.require(raw)
                raw.execute(commit)
            except BaseException:
                with suppress(sqlite3.Error):
                    if raw.in_transaction:
                        raw.execute(rollback)
                raise
            finally:
                self._depth -= 1
            if not self._depth and self._file is not None:
                self._file.require(raw)  # what went to a file that is gone is not acknowledged
                self._file.written()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one state of the file."""
        with self.lock, self.translating():
            raw = self._own()
            if self._depth or raw.in_transaction:
                yield raw
                return
            raw.execute("BEGIN")
            try:
                with self.values():
                    yield raw
            finally:
                with suppress(sqlite3.Error):
                    raw.execute("COMMIT")

    @contextmanager
    def values(self) -> Iterator[None]:
        """Turn errors of Python over values of the file into ``Corrupt``: columns of a damaged file hold anything."""
        try:
            yield
        except errors.GraphMemError:
            raise
        except OverflowError as error:
            if "SQLite" in str(error):
                raise errors.InvalidValue(f"a number is larger than the file can hold: {error}") from error
            raise damaged(self.path, error) from error
        except (ValueError, LookupError, RecursionError, MemoryError, TypeError, AttributeError, zlib.error) as error:
            raise damaged(self.path, f"a value cannot be used: {error}") from error

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turn sqlite3's errors into graphmem's."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise translate(error, self.path) from error


_OPEN: weakref.WeakSet[Connection] = weakref.WeakSet()


def open_here(path: str) -> bool:
    """Whether this process has the file open: reading its bytes outside of SQLite would then drop SQLite's locks."""
    place = place_of(path)
    return place is not None and any(held.is_open and held.place == place for held in list(_OPEN))


def check_path(path: str, read_only: bool) -> None:
    """Raise for paths that cannot be a memory file, before SQLite opens them; warn of network file systems."""
    if path == MEMORY:
        if read_only:
            raise errors.ReadOnly("a ':memory:' store is always empty when opened; read_only makes no sense there")
        return
    if "\x00" in path or not path:
        raise errors.NotAMemory(f"{path!r} is not a path; give the name of a file")
    file = Path(path)
    if file.is_dir():
        raise errors.NotAMemory(f"{path} is a directory; give the name of a file in it, such as {file / 'memory.db'}")
    if not file.exists():
        if read_only:
            raise errors.NotAMemory(f"{path} does not exist; open it without read_only=True to make it")
        if not file.parent.is_dir():
            raise errors.NotAMemory(f"the folder {file.parent} does not exist; make it first")
    if not read_only and not os.access(file if file.exists() else file.parent, os.W_OK):
        raise errors.ReadOnly(f"{path} cannot be written; open it with read_only=True, or change its permissions")
    kind = file_system(file)
    if kind in NETWORK_FILE_SYSTEMS:
        warnings.warn(
            f"{path} is on a network file system ({kind}), where SQLite's locks are not reliable; "
            "use it from one machine only, or keep the file on a local disk",
            stacklevel=4,
        )


def file_system(file: Path) -> str:
    """Type of the file system that holds ``file``, such as ``ext4``; empty where it is not known."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
        target = str(file.absolute().parent.resolve())
    except OSError:
        return ""
    mounts = [(fields[1].replace("\\040", " "), fields[2]) for fields in (line.split(" ") for line in lines)]
    inside = [(m, kind) for m, kind in mounts if target == m or target.startswith(m.rstrip("/") + "/")]
    return max(reversed(inside), key=lambda mount: len(mount[0]), default=("", ""))[1]


def connect(path: str, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
    """A raw connection in autocommit mode; transactions are explicit. It trusts nothing that the file's schema says."""
    options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False, "cached_statements": 512}
    if path == MEMORY:
        return sqlite3.connect(path, timeout=busy_seconds, **options)
    uri = "file:" + quote(str(Path(path).absolute()))

    def opened(mode: str) -> sqlite3.Connection:
        return guarded(sqlite3.connect(f"{uri}?mode={mode}", uri=True, timeout=busy_seconds, **options))

    if not read_only:
        return opened("rwc")
    raw = opened("ro")
    try:
        raw.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        # A WAL file in a folder that cannot be written has no room for its -shm; without a -wal it is complete.
        raw.close()
        if Path(path + "-wal").exists() and Path(path + "-wal").stat().st_size:
            raise
        raw = opened("ro&immutable=1")
    return raw


def guarded(raw: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, made safe for files of strangers and damaged ones."""
    raw.execute("PRAGMA trusted_schema = OFF")  # no function with side effects from a view or an index
    raw.execute("PRAGMA cell_size_check = ON")  # a damaged page is an error instead of a wrong row
    raw.execute("PRAGMA mmap_size = 0")  # a file that is cut while it is open is an error instead of a crash
    if hasattr(raw, "setconfig"):  # Python 3.12
        raw.setconfig(getattr(sqlite3, "SQLITE_DBCONFIG_DEFENSIVE"), True)  # noqa: B009
    return raw


def identify(raw: sqlite3.Connection, path: str, read_only: bool) -> None:
    """Check that the file is a memory of this version; create the tables in an empty file.

    Raises:
        NotAMemory: another application's SQLite file.
        NewerSchema: written by a later graphmem.
        ForeignSchema: it holds triggers, views, tables or indexes that graphmem did not make.
        Corrupt: tables are missing, or the version is one that never was.
    """
    kind, version = header(raw)
    empty = raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if kind == 0 and version == 0 and empty:
        if read_only:
            raise errors.NotAMemory(f"{path} is an empty file; open it without read_only=True to make it a memory")
        create(raw)
        return
    if kind != APPLICATION_ID:
        raise errors.NotAMemory(f"{path} belongs to another application (application_id {kind:#x}); it was not changed")
    if version > SCHEMA_VERSION:
        raise errors.NewerSchema(
            f"{path} has schema {version}, this version supports {SCHEMA_VERSION}; upgrade with pip install -U graphmem"
        )
    if version < SCHEMA_VERSION:
        if version not in STEPS:
            raise damaged(path, f"schema {version}")
        if read_only:
            raise errors.ReadOnly(
                f"{path} has the older schema {version}; open it without read_only=True to migrate it"
            )
        schema_guard.require_own(raw, path, names_only=True)  # a foreign trigger would run in the migration
        migrate(raw, path)
    schema_guard.require_own(raw, path)


def use_wal(raw: sqlite3.Connection, seconds: float = BUSY_SECONDS) -> bool:
    """Switch to WAL. SQLite does not wait for the lock of the switch, so it is tried again until then."""
    end = time.monotonic() + seconds
    while True:
        try:
            return bool(raw.execute("PRAGMA journal_mode = WAL"))
        except sqlite3.OperationalError as error:
            held = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not held or time.monotonic() > end:
                raise
            time.sleep(0.01)


def header(raw: sqlite3.Connection) -> tuple[int, int]:
    """``application_id`` and ``user_version``."""
    return raw.execute("PRAGMA application_id").fetchone()[0], raw.execute("PRAGMA user_version").fetchone()[0]


def create(raw: sqlite3.Connection) -> None:
    """Make the tables in one transaction, unless another process has just done so."""
    use_wal(raw)
    with raw:  # commits, or rolls back on an error
        raw.execute("BEGIN IMMEDIATE")
        if header(raw)[0] == 0:
            for statement in statements():
                raw.execute(statement)


def translate(error: sqlite3.Error | UnicodeDecodeError, path: str) -> errors.GraphMemError:
    """The error of graphmem for one of sqlite3, with a remedy in its message."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else -1
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return errors.Closed(f"{path} has been closed; open it again")
    if isinstance(error, sqlite3.IntegrityError):
        return errors.Conflict(
            f"this contradicts what {path} holds now ({error}): a row that it builds on is gone, or its place is taken"
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return errors.Busy(f"{path} is held by another writer ({error}); try again when it has finished")
    if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and no_room(path)):
        return errors.DiskFull(f"no room left for {path}; nothing was written, free some space and try again")
    if primary == sqlite3.SQLITE_READONLY:
        return errors.ReadOnly(f"{path} or its folder cannot be written ({error}); open it with read_only=True")
    if primary == sqlite3.SQLITE_CANTOPEN:
        return errors.ReadOnly(f"{path} cannot be opened ({error}); check the permissions of the file and its folder")
    if primary == sqlite3.SQLITE_NOTADB:
        return errors.NotAMemory(f"{path} is not an SQLite file; give the path of a graphmem memory")
    if primary == sqlite3.SQLITE_CORRUPT or isinstance(error, UnicodeDecodeError):
        return damaged(path, error)
    return errors.StoreError(f"{path}: {error}")


def damaged(path: str, what: object) -> errors.Corrupt:
    """The error of a file that holds what graphmem does not write."""
    return errors.Corrupt(f"{path} is damaged ({what}); run `graphmem check {path}`, then `graphmem repair {path}`")


def no_room(path: str) -> bool:
    """Whether the disk under ``path`` is full: some full disks reach SQLite as a plain I/O error."""
    try:
        return path != MEMORY and shutil.disk_usage(Path(path).absolute().parent).free < FREE_BYTES_WHEN_FULL
    except OSError:
        return False
