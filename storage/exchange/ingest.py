"""Ingestion of files of facts, in bounded memory; a killed run resumes where it stopped."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, cast

from tqdm import tqdm

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import ImportRejected, InvalidValue
from graphmem.storage.exchange.fact_files import Item, Reader, Reject, read_csv, read_jsonl, read_ntriples, read_tsv
from graphmem.storage.exchange.graphml import read_graphml
from graphmem.storage.sqlite import SQLiteStore

BATCH = 20_000  # records in one transaction
KEPT_REJECTS = 10_000  # rejected lines in a report; beyond, they are only counted

READERS: dict[str, Reader] = {
    "tsv": read_tsv, "csv": read_csv, "jsonl": read_jsonl, "graphml": read_graphml, "ntriples": read_ntriples,
}  # fmt: skip

_ENDINGS = {".txt": "tsv", ".nt": "ntriples", ".ndjson": "jsonl", ".xml": "graphml"}


@dataclass(slots=True)
class Ingested:
    """Result of an import.

    Attributes:
        lines: the last line that was read.
        facts: facts read, known ones included.
        nodes: nodes read that were listed by themselves.
        rejected: number of lines that could not be read.
        rejects: the first ``KEPT_REJECTS`` of them, and why.
        resumed_at: the line after which a killed run was resumed; 0 for a fresh start.
        entries: journal entries, one a batch, of this run.
    """

    lines: int = 0
    facts: int = 0
    nodes: int = 0
    rejected: int = 0
    rejects: list[tuple[int, str]] = field(default_factory=list)
    resumed_at: int = 0
    entries: list[int] = field(default_factory=list)


def ingest(
    store: SQLiteStore, path: str | os.PathLike[str], *, format: str | None = None,
    on_error: Literal["skip", "rollback"] = "skip", source: str | None = None, progress: bool = False,
) -> Ingested:  # fmt: skip
    """Ingest a file of facts, plain or gzipped. Writes one transaction a batch, or one in all with ``rollback``.

    A killed run is resumed after its last whole batch when the same file is given again.

    Args:
        format: ``tsv``, ``csv``, ``jsonl``, ``graphml`` or ``ntriples``; by the path's ending when None.
        on_error: ``skip`` keeps what can be read and reports the rest; ``rollback`` writes nothing if any line is bad.
        source: where the facts come from, for those that name no source.
        progress: show a progress bar on standard error.

    Raises:
        ImportRejected: a line could not be read and ``on_error`` is ``rollback``.
        InvalidValue: no such file, format or ``on_error``.
    """
    name = Path(path)
    reader = READERS.get(format or _format_of(name))
    if reader is None:
        raise InvalidValue(f"no format {format or _format_of(name)!r} for {name}; use one of {', '.join(READERS)}")
    if not name.is_file():
        raise InvalidValue(f"{name} is no file")
    if on_error not in ("skip", "rollback"):
        raise InvalidValue(f"on_error must be 'skip' or 'rollback', not {on_error!r}")
    with (
        name.open("rb") as raw,
        tqdm(total=name.stat().st_size, desc=name.name, unit="B", unit_scale=True, disable=not progress) as bar,
    ):
        batches = _Batches(store, _guarded(reader(_unpacked(raw))), source, lambda: bar.update(raw.tell() - bar.n))
        return batches.all_or_nothing() if on_error == "rollback" else batches.resumable(_key(name, store.namespace))


def _format_of(path: Path) -> str:
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    return _ENDINGS.get(ending, ending.lstrip("."))


def _unpacked(raw: BinaryIO) -> BinaryIO:
    """The content of a file as bytes, unpacked where it is gzipped."""
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw


def _guarded(items: Iterator[tuple[int, Item]]) -> Iterator[tuple[int, Item]]:
    """The items of a reader; a truncated gzip file ends in a reject."""
    line = 0
    try:
        for line, item in items:
            yield line, item
    except (EOFError, OSError, zlib.error) as error:
        yield line + 1, Reject(f"the file cannot be unpacked any further: {error}")


def _key(path: Path, namespace: str) -> str:
    """Key of a resumable run: the namespace and the file's size, beginning and end."""
    digest = blake2b(f"{namespace}\0{path.stat().st_size}\0".encode(), digest_size=12)
    with path.open("rb") as file:
        digest.update(file.read(1 << 16))
        file.seek(max(0, path.stat().st_size - (1 << 16)))
        digest.update(file.read())
    return f"ingest:{digest.hexdigest()}"


class _Batches:
    """Writer of numbered items to a store, one transaction a batch."""

    def __init__(
        self, store: SQLiteStore, items: Iterator[tuple[int, Item]], source: str | None, advance: Callable[[], object]
    ) -> None:
        self.store, self.items, self.source, self.advance = store, items, source, advance
        self.done = Ingested()

    def all_or_nothing(self) -> Ingested:
        """Write everything in one transaction; a reject raises ``ImportRejected``."""
        with self.store.connection.writing():
            while self._batch(None):
                pass
        return self.done

    def resumable(self, key: str) -> Ingested:
        """Write batch by batch, from where a killed run of this key stopped."""
        self._resume(key)
        while self._batch(key):
            pass
        with self.store.connection.writing() as raw:
            raw.execute("DELETE FROM meta WHERE key = ?", (key,))
        return self.done

    def _resume(self, key: str) -> None:
        """Load the state of a killed run, and skip the items that it has written."""
        row = self.store.connection.one("SELECT value FROM meta WHERE key = ?", (key,))
        if row is not None:
            state = json.loads(row[0])
            deque(islice(self.items, state.pop("records")), maxlen=0)
            rejects = [tuple(item) for item in state["rejects"]]
            self.done = Ingested(**state | {"rejects": rejects, "resumed_at": state["lines"]})

    def _batch(self, key: str | None) -> bool:
        """Write one batch and where it ended, in one transaction. False at the end of the items.

        Without a key, a reject raises ``ImportRejected``.
        """
        edits: list[AddEdge | AddNode] = []
        read, done = 0, self.done
        for line, item in islice(self.items, BATCH):
            read += 1
            done.lines = max(done.lines, line)
            if isinstance(item, Reject):
                done.rejected += 1
                if len(done.rejects) < KEPT_REJECTS:
                    done.rejects.append((line, item.reason))
                if key is None:
                    raise ImportRejected(f"line {line}: {item.reason}; nothing was written", done.rejects)
            else:
                edits.append(item)
        if not read:
            return False
        done.facts += sum(isinstance(edit, AddEdge) for edit in edits)
        done.nodes += sum(isinstance(edit, AddNode) for edit in edits)
        with self.store.connection.writing() as raw:
            if edits:
                done.entries.append(_write(self.store, edits, self.source, f"lines to {done.lines}"))
            if key is not None:
                state = {name: getattr(done, name) for name in ("lines", "facts", "nodes", "rejected", "rejects")}
                row = raw.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
                state["records"] = read + (json.loads(row[0])["records"] if row else 0)
                raw.execute("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", (key, json.dumps(state)))
        self.advance()
        return True


def _write(store: SQLiteStore, edits: list[AddEdge | AddNode], source: str | None, note: str) -> int:
    """Write edits by bulk load where they are bare triples, else one by one. Returns the journal entry."""
    facts = [edit for edit in edits if isinstance(edit, AddEdge)]
    triples = [(fact.subject, fact.relation, fact.object) for fact in facts]
    if len(facts) == len(edits) and all(fact == AddEdge(*triple) for fact, triple in zip(facts, triples, strict=True)):
        return store.bulk_load([], triples, source=source, note=note).id
    named = [replace(edit, source=edit.source or source) if isinstance(edit, AddEdge) else edit for edit in edits]
    return store.apply(named, note=note, action="ingest").id
