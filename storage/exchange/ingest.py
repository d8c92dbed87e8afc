"""Files and streams of facts taken in, in bounded memory; a killed run goes on where it stopped."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, cast

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import ImportRejected, InvalidValue
from graphmem.core.types import Fact
from graphmem.storage.exchange.fact_files import (
    Item,
    Reader,
    Reject,
    checked,
    read_csv,
    read_jsonl,
    read_ntriples,
    read_tsv,
)
from graphmem.storage.exchange.graphml import read_graphml
from graphmem.storage.sqlite import SQLiteStore

BATCH = 20_000
"""Records in one transaction: what a kill can cost, and what is held in memory."""

KEPT_REJECTS = 10_000
"""Rejected lines that a report lists; beyond, they are only counted."""

READERS: dict[str, Reader] = {
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "graphml": read_graphml,
    "ntriples": read_ntriples,
}

_ENDINGS = {".txt": "tsv", ".nt": "ntriples", ".ndjson": "jsonl", ".xml": "graphml"}


@dataclass(slots=True)
class Ingested:
    """What an import did.

    Attributes:
        lines: the last line that was read.
        facts: facts read, known ones included.
        nodes: nodes read that were listed by themselves.
        rejected: number of lines that could not be read.
        rejects: those lines and why, the first ``KEPT_REJECTS`` of them.
        resumed_at: the line after which an earlier, killed run was taken up; 0 for a fresh start.
        entries: journal entries, one a batch, of this run.
    """

    lines: int = 0
    facts: int = 0
    nodes: int = 0
    rejected: int = 0
    rejects: list[tuple[int, str]] = field(default_factory=list)
    resumed_at: int = 0
    entries: list[int] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Note a line that could not be read."""
        self.rejected += 1
        if len(self.rejects) < KEPT_REJECTS:
            self.rejects.append((line, reason))


def ingest(
    store: SQLiteStore,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    on_error: Literal["skip", "rollback"] = "skip",
    source: str | None = None,
    progress: bool = False,
) -> Ingested:
    """Take in a file of facts, plain or gzipped. Writes one transaction a batch, or one in all with ``rollback``.

    A run that was killed is taken up after its last whole batch when the same file is given again.

    Args:
        format: ``tsv``, ``csv``, ``jsonl``, ``graphml`` or ``ntriples``; by the path's ending when None.
        on_error: ``skip`` keeps what can be read and reports the rest; ``rollback`` writes nothing if any line is bad.
        source: where the facts come from, for those that do not say so themselves.
        progress: show a progress bar on standard error.

    Raises:
        ImportRejected: a line could not be read and ``on_error`` is ``rollback``.
        InvalidValue: no such file, format or way of dealing with errors.
    """
    name = Path(path)
    reader = READERS.get(format or _format_of(name))
    if reader is None:
        raise InvalidValue(f"no format {format or _format_of(name)!r} for {name}; use one of {', '.join(READERS)}")
    if not name.is_file():
        raise InvalidValue(f"{name} is no file")
    with _opened(name, progress) as file:
        return _take_in(
            store, _guarded(reader(file)), on_error=on_error, source=source, key=_key(name, store.namespace)
        )


def ingest_facts(
    store: SQLiteStore,
    facts: Iterable[Fact | AddEdge | AddNode | tuple[str, str, str]],
    *,
    on_error: Literal["skip", "rollback"] = "skip",
    source: str | None = None,
) -> Ingested:
    """Take in facts from any stream, such as those of a networkx or PyG graph's adapter. Line numbers count items.

    Raises:
        ImportRejected: an item could not be used and ``on_error`` is ``rollback``.
    """
    return _take_in(store, enumerate(map(_item, facts), 1), on_error=on_error, source=source, key=None)


def _item(thing: Any) -> Item:
    if isinstance(thing, (AddEdge, AddNode)):
        return checked(lambda: thing)
    if isinstance(thing, Fact):
        names = (thing.subject, thing.relation, thing.object)
        times = (thing.valid_from, thing.valid_to)
        return checked(lambda: AddEdge(*names, thing.text, *times, thing.confidence, thing.source))
    if isinstance(thing, (tuple, list)) and len(thing) == 3:
        return checked(lambda: AddEdge(*thing))
    return Reject(f"neither a fact nor a triple: {thing!r:.80}")


def _format_of(path: Path) -> str:
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    return _ENDINGS.get(ending, ending.lstrip("."))


# ---------------------------------------------------------------- the file


@contextmanager
def _opened(path: Path, progress: bool) -> Iterator[Any]:
    """The file's content as bytes, unpacked where it is gzipped, perhaps under a progress bar."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with closing(_Counted(raw, path)) if progress else nullcontext(raw) as watched:
            yield gzip.GzipFile(fileobj=cast("IO[bytes]", watched)) if packed else watched


def _guarded(items: Iterator[tuple[int, Item]]) -> Iterator[tuple[int, Item]]:
    """A packed file that breaks off ends in a reject, as any other damage does."""
    line = 0
    try:
        for line, item in items:
            yield line, item
    except (EOFError, OSError, zlib.error) as error:
        yield line + 1, Reject(f"the file cannot be unpacked any further: {error}")


class _Counted:
    """A file whose reads move a progress bar."""

    def __init__(self, raw: BinaryIO, path: Path) -> None:
        from tqdm import tqdm

        self._raw = raw
        self._bar = tqdm(total=path.stat().st_size, desc=path.name, unit="B", unit_scale=True)

    def readline(self, size: int = -1) -> bytes:
        line = self._raw.readline(size)
        self._bar.update(len(line))
        return line

    def read(self, size: int = -1) -> bytes:
        block = self._raw.read(size)
        self._bar.update(len(block))
        return block

    def close(self) -> None:
        self._bar.close()


def _key(path: Path, namespace: str) -> str:
    """Names the file's content and the place it goes to, for taking up a killed run."""
    digest = blake2b(f"{namespace}\0{path.stat().st_size}\0".encode(), digest_size=12)
    with path.open("rb") as file:
        digest.update(file.read(1 << 16))
        file.seek(max(0, path.stat().st_size - (1 << 16)))
        digest.update(file.read())
    return f"ingest:{digest.hexdigest()}"


# ---------------------------------------------------------------- batches


def _take_in(
    store: SQLiteStore, items: Iterable[tuple[int, Item]], *, on_error: str, source: str | None, key: str | None
) -> Ingested:
    if on_error not in ("skip", "rollback"):
        raise InvalidValue(f"on_error must be 'skip' or 'rollback', not {on_error!r}")
    stream = iter(items)
    if on_error == "rollback":
        done = Ingested()
        with store.connection.writing():
            while _batch(store, stream, done, source, None, strict=True):
                pass
        return done
    done = _take_up(store, key, stream)
    while _batch(store, stream, done, source, key, strict=False):
        pass
    if key is not None:
        with store.connection.writing() as raw:
            raw.execute("DELETE FROM meta WHERE key = ?", (key,))
    return done


def _take_up(store: SQLiteStore, key: str | None, stream: Iterator[tuple[int, Item]]) -> Ingested:
    """The state of a killed run of the same file, and the stream moved behind what that run has written."""
    row = store.connection.one("SELECT value FROM meta WHERE key = ?", (key,)) if key else None
    if row is None:
        return Ingested()
    state = json.loads(row[0])
    records = state.pop("records")
    for _ in islice(stream, records):
        pass
    done = Ingested(**state | {"rejects": [tuple(item) for item in state["rejects"]]})
    done.resumed_at = done.lines
    return done


def _batch(
    store: SQLiteStore,
    stream: Iterator[tuple[int, Item]],
    done: Ingested,
    source: str | None,
    key: str | None,
    *,
    strict: bool,
) -> bool:
    """Write one batch and where it ended, in one transaction. False when the stream is at its end."""
    edits: list[AddEdge | AddNode] = []
    read = 0
    for line, item in islice(stream, BATCH):
        read += 1
        done.lines = max(done.lines, line)
        if isinstance(item, Reject):
            done.reject(line, item.reason)
            if strict:
                raise ImportRejected(f"line {line}: {item.reason}; nothing was written", done.rejects)
        else:
            edits.append(item)
    if not read:
        return False
    done.facts += sum(isinstance(edit, AddEdge) for edit in edits)
    done.nodes += sum(isinstance(edit, AddNode) for edit in edits)
    with store.connection.writing() as raw:
        if edits:
            done.entries.append(_write(store, edits, source, f"lines to {done.lines}"))
        if key is not None:
            state = {name: getattr(done, name) for name in ("lines", "facts", "nodes", "rejected", "rejects")}
            row = raw.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            state["records"] = read + (json.loads(row[0])["records"] if row else 0)
            raw.execute("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", (key, json.dumps(state)))
    return True


def _write(store: SQLiteStore, edits: list[AddEdge | AddNode], source: str | None, note: str) -> int:
    """Write edits the quick way when they are bare triples, else one by one. Returns the journal entry."""
    if all(edit == AddEdge(edit.subject, edit.relation, edit.object) for edit in edits if isinstance(edit, AddEdge)):
        if not any(isinstance(edit, AddNode) for edit in edits):
            triples = [(edit.subject, edit.relation, edit.object) for edit in edits if isinstance(edit, AddEdge)]
            return store.bulk_load([], triples, source=source, note=note).id
    told = [_with_source(edit, source) for edit in edits]
    return store.apply(told, note=note, action="ingest").id


def _with_source(edit: AddEdge | AddNode, source: str | None) -> AddEdge | AddNode:
    if isinstance(edit, AddNode) or edit.source is not None or source is None:
        return edit
    return AddEdge(
        edit.subject, edit.relation, edit.object, edit.text, edit.valid_from, edit.valid_to, edit.confidence, source,
        edit.attributes,
    )  # fmt: skip
