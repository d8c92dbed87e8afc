"""Import of a JSONL dump into a new file, equal in every row."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

from graphmem.core.errors import ImportRejected, InvalidValue
from graphmem.storage.files import replacing
from graphmem.storage.tables.folds import rebuild_folds
from graphmem.storage.tables.row_images import from_base64
from graphmem.storage.tables.schema import SCHEMA_VERSION, SEARCH_TABLES, STORED, statements


def load_jsonl(source: str | os.PathLike[str] | TextIO, path: str | os.PathLike[str]) -> int:
    """Make a new memory from a JSONL dump, equal to the dumped one in every row. Returns the number of rows.

    The file appears only when everything was read.

    Raises:
        InvalidValue: ``path`` exists.
        ImportRejected: a line that is no part of a dump; the message says which one.
    """
    target = Path(path)
    if target.exists():
        raise InvalidValue(f"{target} exists; a dump is read into a new file")
    with replacing(target) as temporary, closing(sqlite3.connect(temporary, isolation_level=None)) as raw:
        return _fill(raw, _lines(source))


def _lines(source: str | os.PathLike[str] | TextIO) -> Iterator[str]:
    if not isinstance(source, (str, os.PathLike)):
        yield from source
        return
    try:
        with open(source, encoding="utf-8") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise ImportRejected(f"{source} is not valid UTF-8: {error}") from None


def _fill(raw: sqlite3.Connection, lines: Iterable[str]) -> int:
    raw.execute("BEGIN")
    for statement in statements():
        if not statement.startswith("INSERT INTO meta"):
            raw.execute(statement)
    version, count = 0, 0
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if number == 1:
                version = record["schema"] if record.get("graphmem") == "dump" else 0
                if version != SCHEMA_VERSION:
                    raise ValueError(f"no head line of a dump with schema {SCHEMA_VERSION}; another needs its version")
            else:
                _insert(raw, record)
                count += 1
        except (ValueError, KeyError, TypeError, AttributeError, sqlite3.Error) as error:
            reason = f"{type(error).__name__}: {error}"
            what = f"line {number} is no part of a graphmem dump ({reason})"
            raise ImportRejected(what, [(number, reason)]) from None
    if not version:
        raise ImportRejected("the dump is empty", [(1, "no head line")])
    for table in SEARCH_TABLES:
        raw.execute(f"INSERT INTO {table}({table}) VALUES ('rebuild')")
    rebuild_folds(raw)
    broken = raw.execute("PRAGMA foreign_key_check").fetchone()
    if broken:
        raise ImportRejected(f"the dump is incomplete: a row of {broken[0]} refers to {broken[2]} that are not in it")
    raw.execute("COMMIT")
    return count


def _insert(raw: sqlite3.Connection, record: Any) -> None:
    table, row = record["table"], record["row"]
    if table not in STORED:
        raise ValueError(f"no table {table!r}")
    known = {column[1] for column in raw.execute(f"PRAGMA table_info({table})")}
    if not row or not set(row) <= known:
        raise ValueError(f"unknown columns {sorted(set(row) - known)} of {table}")
    sql = f"INSERT INTO {table}({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    raw.execute(sql, from_base64(row.values()))
