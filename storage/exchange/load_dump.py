"""Import of a JSONL dump into a new file, equal in every row. Every value is checked: a dump may be a stranger's."""

from __future__ import annotations

import base64
import binascii
import math
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, TextIO

from graphmem.core.errors import GraphMemError, ImportRejected, InvalidValue
from graphmem.core.names import MAX_NAME, unstorable
from graphmem.storage.exchange.dump import COUNTED, END, MAX_DUMP_LINE
from graphmem.storage.exchange.fact_files import parse_json
from graphmem.storage.files import check_target, replacing
from graphmem.storage.maintenance.values import agree
from graphmem.storage.tables.connection import translate
from graphmem.storage.tables.folds import rebuild_folds
from graphmem.storage.tables.migrations import rows_from_3
from graphmem.storage.tables.row_images import Cut, unpack
from graphmem.storage.tables.schema import KEYS, SCHEMA_VERSION, SEARCH_TABLES, STORED, statements
from graphmem.storage.tables.validation import MAX_TEXT

OLDEST = 3
"""Schema of the oldest dumps that are read: their rows have no columns that are not there now."""

COUNTERS = {"next_node": "nodes", "next_edge": "edges", "next_entry": "journal"}
"""Counters of ids, and their tables."""

MAX_ID = 1 << 53
"""Highest id of a row: ids must be left for what is written later."""

_NAMES = ("name", "norm", "alias", "fingerprint", "fold")
_TIMES = ("valid_from", "valid_to", "created_at", "retired_at", "at", "dated")
_JSON = ("attributes", "qualifiers")
_IDS = (
    "id", "ns", "src", "rel", "dst", "node", "edge", "entry", "source", "encoder", "first", "last", "passage", "target",
)  # fmt: skip
LATEST = 253_402_300_800_000_000  # the end of the year 9999, in microseconds since 1970
EARLIEST = -377_705_116_800_000_000  # the beginning of the year -9999
LAST_ENTRY = LATEST - (1 << 55)
"""Latest time of an entry, in the year 8857: later entries get later times, which must be left."""

MAX_PART = 1 << 28  # bytes of one part of a journal entry, unpacked

_BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, sqlite3.Error, zlib.error)


def load_jsonl(source: str | os.PathLike[str] | TextIO, path: str | os.PathLike[str]) -> int:
    """Make a new memory from a JSONL dump, equal to the dumped one in every row. Returns the number of rows.

    The file appears only when everything was read; side files that a deleted memory of its name left are removed.

    Raises:
        InvalidValue: ``path`` exists, or is the dump itself.
        ImportRejected: a line that is no part of a dump; the message says which one.
        DiskFull: there is no room for it; the file is not made.
    """
    named = isinstance(source, (str, os.PathLike))
    target = check_target(path, sources=(source,) if named else (), force=True)
    if os.path.lexists(target):
        raise InvalidValue(f"{path} exists; a dump is read into a new file")
    with replacing(target) as temporary:
        try:
            with closing(sqlite3.connect(temporary, isolation_level=None)) as raw:
                count = _fill(raw, _lines(source))
        except sqlite3.Error as error:
            raise translate(error, str(target)) from error
    return count


def _lines(source: str | os.PathLike[str] | TextIO) -> Iterator[str]:
    if not isinstance(source, (str, os.PathLike)):
        yield from _bounded(source)
        return
    try:
        with open(source, encoding="utf-8-sig", newline="\n") as file:
            yield from _bounded(file)
    except UnicodeDecodeError as error:
        raise ImportRejected(f"{source} is not valid UTF-8: {error}") from None
    except OSError as error:
        raise InvalidValue(f"cannot read {source}: {error}") from None


def _bounded(file: TextIO) -> Iterator[str]:
    while line := file.readline(MAX_DUMP_LINE):
        yield line


def _fill(raw: sqlite3.Connection, lines: Iterable[str]) -> int:
    raw.execute("BEGIN")
    for statement in statements():
        if not statement.startswith("INSERT INTO meta"):
            raw.execute(statement)
    rows, count, end = _Rows(raw), 0, None
    for number, line in enumerate(lines, 1):
        try:
            record = parse_json(line)
            if number == 1:
                rows.version = record["schema"] if record.get("graphmem") == "dump" else 0
                if rows.version not in (OLDEST, SCHEMA_VERSION):
                    known = f"{OLDEST} or {SCHEMA_VERSION}"
                    raise ValueError(
                        f"no head line of a dump with schema {known}; another needs its version of graphmem"
                    )
                end = -1 if COUNTED in record else None
            elif END in record and end == -1:
                end = record[END]
            else:
                rows.insert(record["table"], record["row"])
                count += 1
        except (*_BROKEN, GraphMemError) as error:
            reason = f"{type(error).__name__}: {error}"
            what = f"line {number} is no part of a graphmem dump ({reason})"
            raise ImportRejected(what, [(number, reason)]) from None
    if not rows.version:
        raise ImportRejected("the dump is empty", [(1, "no head line")])
    if end is not None and end != count:
        written = "its end is missing" if end == -1 else f"{end!r:.40} rows were written"
        raise ImportRejected(f"the dump is incomplete: {written}, {count} rows are there")
    for table in SEARCH_TABLES:
        raw.execute(f"INSERT INTO {table}({table}) VALUES ('rebuild')")
    _whole(raw)
    if rows.version < SCHEMA_VERSION:
        rows_from_3(raw)
    rebuild_folds(raw)
    raw.execute("COMMIT")
    return count


def _whole(raw: sqlite3.Connection) -> None:
    """Refuse a dump whose rows do not make a memory that can be read and written.

    Raises:
        ImportRejected: rows are missing, or ids and counters contradict each other.
    """
    broken = raw.execute("PRAGMA foreign_key_check").fetchone()
    if broken:
        raise ImportRejected(f"the dump is incomplete: a row of {broken[0]} refers to {broken[2]} that are not in it")
    for counter, table in COUNTERS.items():
        row = raw.execute("SELECT value FROM meta WHERE key = ?", (counter,)).fetchone()
        highest = raw.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        if row is None or not isinstance(row[0], int) or not highest < row[0] <= MAX_ID:
            what = "missing" if row is None else f"{row[0]!r:.40}"
            raise ImportRejected(f"the dump is incomplete: counter {counter} is {what}, and {table} go to {highest}")
    if not raw.execute("SELECT 1 FROM meta WHERE key = 'identity' AND typeof(value) = 'text'").fetchone():
        raise ImportRejected("the dump is incomplete: the identity of the memory is missing")
    wrong = {
        "facts join nodes or relations of another namespace": (
            "SELECT 1 FROM edges e JOIN nodes s ON s.id = e.src JOIN nodes d ON d.id = e.dst "
            "JOIN relations r ON r.id = e.rel WHERE s.ns <> e.ns OR d.ns <> e.ns OR r.ns <> e.ns"
        ),
        "aliases lie in another namespace than their nodes": (
            "SELECT 1 FROM aliases a JOIN nodes n ON n.id = a.node WHERE a.ns <> n.ns"
        ),
        "facts end before they begin": "SELECT 1 FROM edges WHERE valid_to < valid_from",
        "facts hold whose nodes are retired": (
            "SELECT 1 FROM edges e JOIN nodes n ON n.id IN (e.src, e.dst) "
            "WHERE e.retired_at IS NULL AND n.retired_at IS NOT NULL"
        ),
        "vectors are not as wide as their encoder says": (
            "SELECT 1 FROM vectors v JOIN encoders k ON k.id = v.encoder WHERE length(v.data) <> 2 * k.dim"
        ),
    }
    for what, sql in wrong.items():
        if raw.execute(f"{sql} LIMIT 1").fetchone():
            raise ImportRejected(f"the dump is not sound: {what}")
    for table in ("journal_ranges", "journal_sums"):
        sql = f"SELECT entry, what, first, last FROM {table}"
        for entry, what, first, last in raw.execute(sql):
            end = raw.execute("SELECT value FROM meta WHERE key = ?", (f"next_{what[:-1]}",)).fetchone()[0]
            if not 0 < first <= last < end:
                raise ImportRejected(f"the dump is not sound: entry {entry} has {what} {first} to {last}, of {end - 1}")


class _Rows:
    """Rows of the tables of a new memory, each value checked before it is inserted."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw, self.version = raw, 0
        self._columns = {
            table: {column[1]: column[2] for column in raw.execute(f"PRAGMA table_info({table})")} for table in STORED
        }

    def insert(self, table: Any, row: Any) -> None:
        """Insert a row.

        Raises:
            ValueError, TypeError: no row of that table.
        """
        if table not in STORED:
            raise ValueError(f"no table {table!r:.80}")
        columns = self._columns[table]
        if not isinstance(row, dict) or not row or not set(row) <= set(columns):
            raise ValueError(f"unknown columns {sorted(set(row) - set(columns))!r:.200} of {table}")
        values = []
        for name, value in row.items():
            if isinstance(value, dict):
                value = _bytes(value)
            self._check(table, name, value)
            values.append(value)
        named: Any = table, row.get("id", row.get("node", 0)), row.get("name", row.get("alias")), row.get("norm")
        if "norm" in row and self.version == SCHEMA_VERSION and not agree(*named):
            raise ValueError(f"{table}.norm is not the normal form of the name")
        if table == "journal" and isinstance(row.get("at"), int) and row["at"] > LAST_ENTRY:
            raise ValueError("journal.at is too far in the future")
        if "changes" in row:
            self._images(values[list(row).index("changes")])
        sql = f"INSERT INTO {table}({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        self.raw.execute(sql, values)

    def _check(self, table: str, name: str, value: Any) -> None:
        if value is not None:
            _CHECKS[self._columns[table][name]](table, name, value)

    def _images(self, data: Any) -> None:
        """Check the row images of a journal entry: an undo writes them back."""
        if data[:1] != b"[" and len(zlib.decompressobj().decompress(data, MAX_PART)) == MAX_PART:
            raise ValueError(f"a part of a journal entry is longer than {MAX_PART} bytes")
        for change in unpack(data):
            for image in (dict(zip(KEYS[change.table], change.key, strict=True)), change.before, change.after):
                for name, value in (image or {}).items():
                    if isinstance(value, Cut):
                        _integer(change.table, "start", value.start)
                        _integer(change.table, "end", value.end)
                    for part in (value.old, value.new) if isinstance(value, Cut) else (value,):
                        self._check(change.table, name, part)


def _bytes(value: dict[str, Any]) -> bytes:
    if set(value) != {"b64"} or not isinstance(value["b64"], str):
        raise ValueError("an object that is no BLOB")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"a BLOB that is no base64: {error}") from None


def _integer(table: str, name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{table}.{name} must be a whole number of 64 bits, not {value!r:.40}")
    if name in _TIMES:
        if not EARLIEST <= value <= LATEST:
            raise ValueError(f"{table}.{name} is no time between the years -9999 and 9999: {value}")
    elif name in _IDS and not 0 <= value <= MAX_ID:
        raise ValueError(f"{table}.{name} is no id: {value}")


def _real(table: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{table}.{name} must be a finite number, not {value!r:.40}")
    if value < 0 or (name == "confidence" and value > 1):
        raise ValueError(f"{table}.{name} is out of range: {value!r:.40}")


def _text(table: str, name: str, value: Any) -> None:
    limit = MAX_NAME * (4 if name in ("norm", "fold") else 1) if name in _NAMES else MAX_TEXT
    if not isinstance(value, str) or len(value) > limit:
        raise ValueError(f"{table}.{name} must be text of at most {limit} characters, not {value!r:.40}")
    if reason := unstorable(value):
        raise ValueError(f"{table}.{name} {reason}")
    if name in _NAMES and not value.strip():
        raise ValueError(f"{table}.{name} is empty")
    if name in _JSON and not isinstance(parse_json(value), dict):
        raise ValueError(f"{table}.{name} must be an object of JSON, not {value!r:.40}")


def _blob(table: str, name: str, value: Any) -> None:
    if not isinstance(value, bytes):
        raise ValueError(f"{table}.{name} must be bytes, not {value!r:.40}")


def _any(table: str, name: str, value: Any) -> None:
    check = {int: _integer, float: _real, str: _text}.get(type(value))
    if check is None:
        raise ValueError(f"{table}.{name} cannot be {value!r:.40}")
    check(table, name, value)


_CHECKS: dict[str, Callable[[str, str, Any], None]] = {
    "INTEGER": _integer, "REAL": _real, "TEXT": _text, "BLOB": _blob, "": _any,
}  # fmt: skip
