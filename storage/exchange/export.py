"""Export of a memory: whole as JSON lines, or its present facts in the formats of other tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from graphmem.core.errors import InvalidValue, StoreError
from graphmem.storage.exchange.dump import dump
from graphmem.storage.exchange.writers import WRITERS, losses
from graphmem.storage.files import check_target, replacing
from graphmem.storage.tables.connection import MEMORY

if TYPE_CHECKING:
    from graphmem.storage.sqlite import SQLiteStore

FORMATS = ("jsonl", *WRITERS)
_ENDINGS = {".nt": "ntriples", ".cyp": "cypher", ".ndjson": "jsonl", "": "jsonl"}


class Exported(int):
    """Number of records of an export.

    Attributes:
        lost: what the format cannot hold, and how many rows of the namespace have it.
        namespaces: names of the namespaces that were written.
    """

    lost: Mapping[str, int]
    namespaces: tuple[str, ...]

    def __new__(cls, count: int, lost: Mapping[str, int], namespaces: tuple[str, ...]) -> Exported:
        made = super().__new__(cls, count)
        made.lost, made.namespaces = lost, namespaces
        return made


def export(
    store: SQLiteStore, target: str | os.PathLike[str] | TextIO, *, format: str | None = None, force: bool = False,
    spreadsheet_safe: bool = False, whole: bool | None = None,
) -> Exported:  # fmt: skip
    """Export a memory; return the number of records and what was left out. A file appears only when it is whole.

    Args:
        target: a path, an open text file, or ``-`` for standard output.
        format: ``jsonl`` holds everything, history and vectors included, and is read back exactly by ``load_jsonl``.
            ``csv``, ``graphml``, ``cypher`` and ``ntriples`` hold the namespace's live nodes and present facts. None
            goes by the path's ending.
        force: an existing file is replaced; the memory itself and its side files never are.
        spreadsheet_safe: in CSV, an apostrophe stands before cells that a spreadsheet may run as a formula.
        whole: ``jsonl`` holds every namespace of the file. None: it does where the store's namespace is ``default``;
            another namespace is written alone, with its own history.

    Raises:
        InvalidValue: an unknown format, or a target that exists, is the memory, or cannot be written.
    """
    name = _format_of(target) if format is None else format
    if name not in FORMATS:
        raise InvalidValue(f"no format {name!r}; use one of {', '.join(sorted(FORMATS))}")
    if spreadsheet_safe and name != "csv":
        raise InvalidValue(f"spreadsheet_safe is for csv, not for {name}")
    every = name == "jsonl" and (store.namespace == "default" if whole is None else whole)
    with _opened(target, store.path, force) as file, store.connection.reading():
        lost = {} if name == "jsonl" else losses(store, name)
        count = -2 if name == "jsonl" else 0  # a dump's head and end are no records
        for line in dump(store, every) if name == "jsonl" else WRITERS[name](store, spreadsheet_safe):
            file.write(line)
            count += 1
        names = tuple(store.stats()["namespaces"]) if every else (store.namespace,)
    return Exported(count, lost, names)


def _format_of(target: str | os.PathLike[str] | TextIO) -> str:
    if isinstance(target, (str, os.PathLike)) and os.fspath(target) != "-":
        ending = Path(target).suffix.lower()
        return _ENDINGS.get(ending, ending.lstrip("."))
    return "jsonl"


@contextmanager
def _opened(target: str | os.PathLike[str] | TextIO, memory: str, force: bool) -> Iterator[TextIO]:
    """The file to write to; a path appears only when everything was written."""
    if isinstance(target, str) and target == "-":
        try:
            yield sys.stdout
            sys.stdout.flush()
        except UnicodeEncodeError as error:
            raise StoreError(f"standard output cannot show {error.object[error.start]!r}; set PYTHONUTF8=1") from None
        return
    if hasattr(target, "write"):
        yield cast("TextIO", target)
        return
    path = check_target(target, sources=() if memory == MEMORY else (memory,), force=force)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
