"""Ingestion of files of facts, in bounded memory; a killed run resumes where it stopped."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, cast

from tqdm import tqdm

from graphmem.core.edits import AddEdge, AddNode, Edit, UpdateNode
from graphmem.core.errors import Conflict, ImportRejected, InvalidValue, NotFound
from graphmem.core.names import check_name, normalise, normalise_relation
from graphmem.core.types import Node
from graphmem.storage.exchange.delimited import read_csv, read_tsv
from graphmem.storage.exchange.fact_files import Context, Item, Reader, Reject, read_jsonl
from graphmem.storage.exchange.graphml import read_graphml
from graphmem.storage.exchange.rdf import FORMATS as OXIGRAPH
from graphmem.storage.exchange.rdf import read_ntriples, read_with_oxigraph
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables.validation import interval

BATCH = 20_000  # records in one transaction
KEPT_REJECTS = 10_000  # rejected lines in a report; beyond, they are only counted

READERS: dict[str, Reader] = {
    "tsv": read_tsv, "csv": read_csv, "jsonl": read_jsonl, "graphml": read_graphml, "ntriples": read_ntriples,
    "nquads": read_ntriples, **{name: partial(read_with_oxigraph, name) for name in OXIGRAPH},
}  # fmt: skip

_ENDINGS = {
    ".txt": "tsv", ".nt": "ntriples", ".nq": "nquads", ".ndjson": "jsonl", ".xml": "graphml", ".ttl": "turtle",
    ".rdf": "rdfxml", ".owl": "rdfxml",
}  # fmt: skip


@dataclass(slots=True)
class Ingested:
    """Result of an import.

    Attributes:
        lines: the last line that was read.
        facts: facts read, known ones included.
        new: facts of these that the memory did not hold.
        known: facts that it held; they gain this source, and strength where the source is new.
        nodes: nodes read that were listed by themselves.
        rejected: number of lines that could not be read.
        rejects: the first ``KEPT_REJECTS`` of them, and why.
        resumed_at: the line after which a killed run was resumed; 0 for a fresh start.
        restarted: a killed run was not resumed, because the file has been changed before the place where it stood.
        notes: how the file was understood, such as the columns of a table.
        entries: journal entries, one or two a batch, of this run.
    """

    lines: int = 0
    facts: int = 0
    new: int = 0
    known: int = 0
    nodes: int = 0
    rejected: int = 0
    rejects: list[tuple[int, str]] = field(default_factory=list)
    resumed_at: int = 0
    restarted: bool = False
    notes: list[str] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)


_BETWEEN = (
    "SELECT e.id FROM edges e JOIN relations r ON r.id = e.rel "
    "WHERE e.src = ? AND e.dst = ? AND r.norm = ? AND e.retired_at IS NULL"
)

_STATE = ("lines", "facts", "new", "known", "nodes", "rejected", "rejects")


def ingest(
    store: SQLiteStore, path: str | os.PathLike[str], *, format: str | None = None,
    on_error: Literal["skip", "rollback"] = "skip", source: str | None = None, progress: bool = False,
    columns: Sequence[str] = (), spreadsheet_safe: bool = False,
) -> Ingested:  # fmt: skip
    """Ingest a file of facts, plain or gzipped. Writes one transaction a batch, or one in all with ``rollback``.

    With ``skip``, a killed run is resumed after its last whole batch when the same file is given again and still begins
    with what was read of it; with ``rollback`` it has written nothing and begins again. A fact that the memory holds
    from the same source already is left as it is.

    Args:
        format: ``tsv``, ``csv``, ``jsonl``, ``graphml``, ``ntriples``, ``nquads``, and with the extra ``rdf``
            ``turtle``, ``trig``, ``jsonld``, ``rdfxml``; by the path's ending when None.
        on_error: ``skip`` keeps what can be read and reports the rest; ``rollback`` writes nothing if any line is bad.
        source: where the facts come from, for those that name no source.
        progress: show a progress bar on standard error.
        columns: fields of a table's columns in order (``-`` for none), or ``FIELD=NAME`` by its head line.
        spreadsheet_safe: drop the apostrophe that ``export(..., spreadsheet_safe=True)`` puts before formulas.

    Raises:
        ImportRejected: a line could not be read and ``on_error`` is ``rollback``.
        InvalidValue: no such file, format, column or ``on_error``. MissingExtra: pyoxigraph is needed.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidValue(f"a file is named by a path, not {path!r:.80}")
    name = Path(path)
    format = _format_of(name) if format is None else format
    if format not in READERS:
        raise InvalidValue(f"no format {format!r}; use one of {', '.join(READERS)}")
    if on_error not in ("skip", "rollback"):
        raise InvalidValue(f"on_error must be 'skip' or 'rollback', not {on_error!r}")
    if source is not None:
        check_name(source, "source")
    columns = columns.split(",") if isinstance(columns, str) else [str(column) for column in columns]
    try:
        if not name.is_file():
            raise InvalidValue(f"there is no file {name}")
        place = str(name.resolve())
        raw = name.open("rb")
    except (OSError, ValueError) as error:
        raise error if isinstance(error, InvalidValue) else InvalidValue(f"cannot read {name}: {error}") from None
    size, empty = name.stat().st_size, not store.all_nodes(limit=1)
    with raw, tqdm(total=size, desc=name.name, unit="B", unit_scale=True, disable=not progress) as bar:

        def items() -> tuple[Iterator[tuple[int, Item]], Context]:
            raw.seek(0)
            find = (lambda _: None) if empty else partial(named, store)
            context = Context(find, name.name, place, columns, spreadsheet_safe)
            return _guarded(READERS[format](_unpacked(raw), context)), context

        batches = _Batches(store, items, source, empty, lambda: bar.update(max(0, raw.tell() - bar.n)))
        return batches.all_or_nothing() if on_error == "rollback" else batches.resumable(_key(place, store, format))


def _format_of(path: Path) -> str:
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    return _ENDINGS.get(ending, ending.lstrip("."))


def _unpacked(raw: BinaryIO) -> BinaryIO:
    """The content of a file as bytes, unpacked where it is gzipped."""
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw


def _guarded(items: Iterator[tuple[int, Item]]) -> Iterator[tuple[int, Item]]:
    """The items of a reader; a truncated gzip file, or broken UTF-16, ends in a reject."""
    line = 0
    try:
        for line, item in items:
            yield line, item
    except (EOFError, OSError, zlib.error) as error:
        yield line + 1, Reject(f"the file cannot be unpacked any further: {error}")
    except UnicodeError as error:
        yield line + 1, Reject(f"the file cannot be decoded any further: {error}")


def _key(place: str, store: SQLiteStore, format: str) -> str:
    """Key of a resumable run: the namespace, the format and the file's path."""
    text = f"{store.namespace}\0{format}\0{place}".encode(errors="replace")
    return f"ingest:{blake2b(text, digest_size=12).hexdigest()}"


class _Batches:
    """Writer of numbered items to a store, one transaction a batch.

    The record of a resumable run holds a digest of all items that were read: it is resumed if the file, read again,
    begins with the same ones.
    """

    def __init__(
        self, store: SQLiteStore, read: Callable[[], tuple[Iterator[tuple[int, Item]], Context]], source: str | None,
        empty: bool, advance: Callable[[], object],
    ) -> None:  # fmt: skip
        self.store, self.read, self.source, self.empty, self.advance = store, read, source, empty, advance
        self.done = Ingested()
        self.records, self.digest = 0, blake2b(digest_size=16)
        self.items, context = read()
        self.done.notes = context.notes
        self._known = cache(partial(_has_source, store))
        self.fresh = empty or (source is not None and not self._known(source))  # nothing is known from this source

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
        """Load the state of a killed run and skip the items that it has written, where they are the same ones."""
        row = self.store.connection.one("SELECT value FROM meta WHERE key = ?", (key,))
        if row is None:
            return
        try:
            state = json.loads(row[0])
            records, digest = int(state["records"]), state["digest"]
            done, fresh = {name: state[name] for name in _STATE}, bool(state["fresh"])
        except (ValueError, KeyError, TypeError):
            records, digest, done, fresh = 0, None, {}, False  # of another version
        for line, item in islice(self.items, records):
            self._count(line, item)
        if self.records == records and self.digest.hexdigest() == digest:
            rejects, self.fresh = [tuple(item) for item in done["rejects"]], fresh
            self.done = Ingested(**done | {"rejects": rejects, "resumed_at": done["lines"], "notes": self.done.notes})
            return
        self.items, context = self.read()
        self.records, self.digest = 0, blake2b(digest_size=16)
        self.done = Ingested(restarted=True, notes=context.notes)

    def _count(self, line: int, item: Item) -> None:
        self.records += 1
        self.digest.update(repr((line, item)).encode(errors="replace"))

    def _batch(self, key: str | None) -> bool:
        """Write one batch and where it ended, in one transaction. False at the end of the items.

        Without a key, a reject raises ``ImportRejected``.
        """
        edits: list[tuple[int, Edit]] = []
        before, done = self.records, self.done
        for line, item in islice(self.items, BATCH):
            self._count(line, item)
            done.lines = max(done.lines, line)
            if isinstance(item, Reject):
                self._reject(line, item.reason, key)
            else:
                edits.append((line, item))
        if self.records == before:
            return False
        with self.store.connection.writing() as raw:
            self._write_parts(raw, edits, key)
            if key is not None:
                state = {name: getattr(done, name) for name in _STATE}
                state |= {"records": self.records, "digest": self.digest.hexdigest(), "fresh": self.fresh}
                raw.execute("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", (key, json.dumps(state)))
        self.advance()
        return True

    def _reject(self, line: int, reason: str, key: str | None) -> None:
        """Note a line that cannot be written. Raises ``ImportRejected``: there is no key."""
        self.done.rejected += 1
        if len(self.done.rejects) < KEPT_REJECTS:
            self.done.rejects.append((line, reason))
        if key is None:
            raise ImportRejected(f"line {line}: {reason}; nothing was written", self.done.rejects)

    def _write_parts(self, raw: sqlite3.Connection, edits: list[tuple[int, Edit]], key: str | None) -> None:
        """Write edits; those that contradict the memory, as an ambiguous name does, are found by halving."""
        if not edits:
            return
        entries = len(self.done.entries)
        raw.execute("SAVEPOINT part")
        try:
            self._write([edit for _, edit in edits])
            raw.execute("RELEASE part")
        except (Conflict, NotFound) as error:
            raw.execute("ROLLBACK TO part")
            raw.execute("RELEASE part")
            del self.done.entries[entries:]
            if len(edits) == 1:
                return self._reject(edits[0][0], str(error), key)
            middle = len(edits) // 2
            self._write_parts(raw, edits[:middle], key)
            self._write_parts(raw, edits[middle:], key)

    def _write(self, edits: list[Edit]) -> None:
        """Write what is new of the edits: bare triples by bulk load, the rest one by one before them."""
        kept = [edit for edit in map(self._completed, edits) if not self._held(edit)]
        bare = [edit for edit in kept if isinstance(edit, AddEdge) and _bare(edit, self.source)]
        rest = [edit for edit in kept if not (isinstance(edit, AddEdge) and _bare(edit, self.source))]
        note, counter = f"lines to {self.done.lines}", "SELECT value FROM meta WHERE key = 'next_edge'"
        before = self.store.connection.one(counter)[0]
        if rest:
            self.done.entries.append(self.store.apply(rest, note=note, action="ingest").id)
        if bare:
            triples = [(edit.subject, edit.relation, edit.object) for edit in bare]
            self.done.entries.append(self.store.bulk_load([], triples, source=self.source, note=note).id)
        self.done.new += self.store.connection.one(counter)[0] - before
        self.done.facts += sum(isinstance(edit, AddEdge) for edit in edits)
        self.done.nodes += sum(isinstance(edit, AddNode) for edit in edits)
        self.done.known = self.done.facts - self.done.new

    def _completed(self, edit: Edit) -> Edit:
        """The edit with the run's source; an alias of a file that another node has is kept as ambiguous."""
        if isinstance(edit, AddEdge):
            return edit if edit.source or self.source is None else replace(edit, source=self.source)
        return replace(edit, ambiguous=True) if isinstance(edit, (AddNode, UpdateNode)) else edit

    def _held(self, edit: Edit) -> bool:
        """Whether the memory holds all that an edit says: a node, or a fact from the same source."""
        if self.empty:
            return False
        if isinstance(edit, AddNode):
            node = named(self.store, edit.name)
            if node is None:
                return False
            names = {normalise(name) for name in (node.name, *node.aliases)}
            return (
                {normalise(alias) for alias in edit.aliases} <= names
                and edit.kind in ("entity", node.kind)
                and (not edit.text or bool(node.text))
                and all(node.attributes.get(key) == value for key, value in edit.attributes.items())
            )
        if not isinstance(edit, AddEdge) or (self.fresh and edit.source == self.source):
            return False
        if edit.source is not None and not self._known(edit.source):
            return False
        ends = [named(self.store, name) for name in (edit.subject, edit.object)]
        if ends[0] is None or ends[1] is None:
            return False
        values = (ends[0].id, ends[1].id, normalise_relation(edit.relation))
        return any(self._says(found, edit) for (found,) in self.store.connection.rows(_BETWEEN, values))

    def _says(self, found: int, edit: AddEdge) -> bool:
        edge = self.store.edge(found)
        times = interval(edit)[:2]
        return (
            edge.confidence >= edit.confidence
            and (edge.factuality, edge.status) == (edit.factuality, edit.status)
            and (not edit.text or bool(edge.text))
            and all(new in (None, old) for new, old in zip(times[:2], (edge.valid_from, edge.valid_to), strict=True))
            and all(edge.attributes.get(key) == value for key, value in edit.attributes.items())
            and (edit.source is None or edit.source in self.store.sources(found))
        )


def _bare(edit: AddEdge, source: str | None) -> bool:
    return edit == AddEdge(edit.subject, edit.relation, edit.object, source=source)


def named(store: SQLiteStore, name: str) -> Node | None:
    """The node of exactly that name, or the only one of that alias; None where there is none, or several."""
    norm = normalise(name)
    found = store.nodes(store.resolve_many([norm], records=True)[norm][:2])
    return found[0] if found and (len(found) == 1 or normalise(found[0].name) == norm) else None


def _has_source(store: SQLiteStore, name: str) -> bool:
    """Whether the file holds a source, asked before anything of this run is written under it."""
    return store.connection.one("SELECT 1 FROM sources WHERE name = ?", (name,)) is not None
