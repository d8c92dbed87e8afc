"""The fast path of every importer: many names and triples in one transaction."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np

from graphmem.errors import InvalidName, InvalidValue
from graphmem.graph import check_name, normalise
from graphmem.storage import vectors as vector_rows
from graphmem.storage.connection import MEMORY, Connection
from graphmem.storage.edits import EDGE, Editor
from graphmem.storage.recorder import Recorder, next_id
from graphmem.storage.schema import EDGE_INDEXES, NODE_INDEXES

CHUNK = 65_536
"""Triples that are read at a time."""

REBUILD_FROM = 50_000
"""Rows from which indexes are dropped and built anew, when the load is larger than what is there."""

CACHE_KIB = 262_144
"""SQLite's page cache during a load."""


class Names(dict[str, int]):
    """Positions of names, by the name as written; names that are equal when normalised share a position."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.shown: list[str] = []
        self._by_norm: dict[str, int] = {}

    def __missing__(self, name: str) -> int:
        shown = check_name(name, self.what)
        norm = normalise(shown)
        position = self._by_norm.setdefault(norm, len(self.shown))
        if position == len(self.shown):
            self.shown.append(shown)
        self[name] = position
        return position

    @property
    def norms(self) -> list[str]:
        """Normalised names by position."""
        return list(self._by_norm)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load adds, read and checked before the transaction begins. Positions index the two ``Names``."""

    nodes: Names
    relations: Names
    listed: np.ndarray
    src: np.ndarray
    relation: np.ndarray
    dst: np.ndarray
    count: np.ndarray


def read(names: Sequence[str], triples: Iterable[tuple[str, str, str]]) -> Load:
    """Read everything that a load adds; nothing is written yet.

    Raises:
        InvalidName: a name that cannot be one; the message says where it stands.
        InvalidValue: an item that is no triple.
    """
    nodes, relations = Names("name"), Names("relation")
    try:
        listed = np.fromiter(map(nodes.__getitem__, names), np.int64, len(names))
    except (InvalidName, TypeError):
        _explain_name(names)
        raise
    columns = array("q"), array("q"), array("q")
    stream, done = iter(triples), 0
    while chunk := list(islice(stream, CHUNK)):
        _read_chunk(chunk, done, columns, nodes, relations)
        done += len(chunk)
    src, relation, dst = (np.frombuffer(column, np.int64) if column else np.zeros(0, np.int64) for column in columns)
    first, count = distinct(src, relation, dst, len(nodes.shown), len(relations.shown))
    return Load(nodes, relations, listed, src[first], relation[first], dst[first], count)


def _read_chunk(
    chunk: list[tuple[str, str, str]], done: int, columns: tuple[array[int], ...], nodes: Names, relations: Names
) -> None:
    try:
        subject, relation, object = zip(*chunk, strict=True)
        columns[0].extend(map(nodes.__getitem__, subject))
        columns[1].extend(map(relations.__getitem__, relation))
        columns[2].extend(map(nodes.__getitem__, object))
    except (InvalidName, ValueError, TypeError):
        _explain_triple(chunk, done)
        raise


def _explain_name(names: Sequence[str]) -> None:
    for position, name in enumerate(names):
        try:
            check_name(name)
        except InvalidName as error:
            raise InvalidName(f"names[{position}]: {error}") from None


def _explain_triple(chunk: list[tuple[str, str, str]], done: int) -> None:
    for position, triple in enumerate(chunk, done):
        if isinstance(triple, str) or not isinstance(triple, Sequence) or len(triple) != 3:
            raise InvalidValue(f"triple {position} is no (subject, relation, object): {triple!r:.200}")
        for what, name in zip(("subject", "relation", "object"), triple, strict=True):
            try:
                check_name(name, what)
            except InvalidName as error:
                raise InvalidName(f"triple {position}: {error}") from None


def distinct(
    src: np.ndarray, relation: np.ndarray, dst: np.ndarray, nodes: int, relations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Position of the first of each distinct triple, in the order given, and how often each was given."""
    if not len(src):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if nodes * nodes * max(relations, 1) < 1 << 62:
        key = (src * relations + relation) * nodes + dst
        _, first, count = np.unique(key, return_index=True, return_counts=True)
    else:
        table = np.stack([src, relation, dst], axis=1)  # [F, 3]
        _, first, count = np.unique(table, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first, kind="stable")
    return first[order], count[order]


# ---------------------------------------------------------------- writing


def write(
    raw: sqlite3.Connection,
    recorder: Recorder,
    load: Load,
    vectors: np.ndarray | None,
    fingerprint: str | None,
    source: str | None,
) -> dict[str, tuple[int, int]]:
    """Write a load inside a transaction and return the ranges of ids that it added."""
    editor = Editor(raw, recorder)
    ranges: dict[str, tuple[int, int]] = {}
    node_ids = _write_nodes(raw, recorder, editor, load.nodes, ranges)
    relation_ids = np.array([editor.relation(name) for name in load.relations.shown], np.int64)
    if len(load.src):
        ends = node_ids[load.src], relation_ids[load.relation], node_ids[load.dst]
        first_new = ranges["nodes"][0] if "nodes" in ranges else 1 << 62
        _write_edges(raw, recorder, ends, load.count, first_new, editor.source(source), ranges)
    if vectors is not None and len(vectors):
        vector_rows.put(raw, node_ids[load.listed].tolist(), vectors, str(fingerprint))
    return ranges


def _write_nodes(
    raw: sqlite3.Connection, recorder: Recorder, editor: Editor, names: Names, ranges: dict[str, tuple[int, int]]
) -> np.ndarray:
    """Ids of all names, int64 [names]; those not known yet are added."""
    norms = names.norms
    ids = np.zeros(len(norms), np.int64)
    for position, node in _known(raw, recorder.ns, norms):
        ids[position] = node
    for position in np.flatnonzero(ids < 0).tolist():  # known, but retired: bring it back
        ids[position] = editor.node_named(names.shown[position])[0]
    new = np.flatnonzero(ids == 0)
    if not len(new):
        return ids
    first = next_id(raw, "next_node", len(new))
    ids[new] = np.arange(first, first + len(new))
    last = first + len(new) - 1
    ns, at = recorder.ns, recorder.at
    rows = ((first + rank, ns, names.shown[place], norms[place], at) for rank, place in enumerate(new.tolist()))
    with rebuilt(raw, "nodes", NODE_INDEXES, len(new)):
        raw.executemany("INSERT INTO nodes(id, ns, name, norm, created_at) VALUES (?, ?, ?, ?, ?)", rows)
    raw.execute(
        "INSERT INTO node_fts(rowid, name, aliases, text) SELECT id, name, '', '' FROM nodes WHERE id BETWEEN ? AND ?",
        (first, last),
    )
    ranges["nodes"] = (first, last)
    return ids


def _known(raw: sqlite3.Connection, ns: int, norms: list[str]) -> Iterator[tuple[int, int]]:
    """Position and id of the names that have a node; the id is -1 where that node is retired."""
    if raw.execute("SELECT 1 FROM nodes WHERE ns = ? LIMIT 1", (ns,)).fetchone() is None:
        return
    sql = """
        SELECT j.key, coalesce(
            (SELECT id FROM nodes WHERE ns = :ns AND norm = j.value AND retired_at IS NULL),
            (SELECT n.id FROM aliases a JOIN nodes n ON n.id = a.node
             WHERE a.ns = :ns AND a.norm = j.value AND n.retired_at IS NULL ORDER BY n.strength DESC, n.id LIMIT 1),
            (SELECT -1 FROM nodes WHERE ns = :ns AND norm = j.value)
        ) AS node FROM json_each(:norms) j WHERE node IS NOT NULL
    """
    for start in range(0, len(norms), CHUNK):
        block = json.dumps(norms[start : start + CHUNK], ensure_ascii=False)
        for key, node in raw.execute(sql, {"ns": ns, "norms": block}).fetchall():
            yield start + key, node


def _write_edges(
    raw: sqlite3.Connection,
    recorder: Recorder,
    ends: tuple[np.ndarray, np.ndarray, np.ndarray],
    count: np.ndarray,
    first_new: int,
    source: int | None,
    ranges: dict[str, tuple[int, int]],
) -> None:
    """Add the facts that are new; those known already are strengthened. ``first_new`` is the first new node."""
    src, relation, dst = ends
    fresh, editor = np.ones(len(src), bool), Editor(raw, recorder)
    for position in np.flatnonzero((src < first_new) & (dst < first_new)).tolist():
        same = editor.same_fact(int(src[position]), int(relation[position]), int(dst[position]), None, None)
        if same is not None:
            fresh[position] = False
            strength = same[EDGE["strength"]] + float(count[position])
            recorder.update("edges", same, strength=strength)
    total = int(fresh.sum())
    if not total:
        return
    first = next_id(raw, "next_edge", total)
    ranges["edges"] = (first, first + total - 1)
    with rebuilt(raw, "edges", EDGE_INDEXES, total):
        _insert_edges(raw, first, recorder, source, src[fresh], relation[fresh], dst[fresh], count[fresh])


def _insert_edges(
    raw: sqlite3.Connection,
    first: int,
    recorder: Recorder,
    source: int | None,
    src: np.ndarray,
    relation: np.ndarray,
    dst: np.ndarray,
    count: np.ndarray,
) -> None:
    sql = (
        "INSERT INTO edges(id, ns, recorded_at, source, src, rel, dst, strength) "
        f"VALUES (?, {int(recorder.ns)}, {int(recorder.at)}, {'NULL' if source is None else int(source)}, ?, ?, ?, ?)"
    )
    for start in range(0, len(src), CHUNK):
        part = slice(start, start + CHUNK)
        ids = range(first + start, first + start + len(src[part]))
        raw.executemany(sql, zip(ids, *(column[part].tolist() for column in (src, relation, dst, count)), strict=True))


@contextmanager
def rebuilt(raw: sqlite3.Connection, table: str, indexes: dict[str, str], added: int) -> Iterator[None]:
    """Drop indexes for the length of a large insert and sort them back in: cheaper than row by row."""
    have = raw.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT ?)", (added,)).fetchone()[0]
    worth = added >= REBUILD_FROM and have < added
    for name in indexes if worth else ():
        raw.execute(f"DROP INDEX {name}")
    yield
    for statement in indexes.values() if worth else ():
        raw.execute(statement)


@contextmanager
def loading(connection: Connection, rows: int) -> Iterator[sqlite3.Connection]:
    """A write transaction tuned for a load: a large cache, no foreign key look-ups (ids come from the load itself).

    A large load into a file that nobody else has open is written through a rollback journal, which takes each page
    once instead of twice; WAL is back when it ends, and a kill in between rolls back at the next open.
    """
    raw = connection.raw
    large = rows >= REBUILD_FROM
    with connection.lock, connection.translating():
        nested = raw.in_transaction
        cache = raw.execute("PRAGMA cache_size").fetchone()[0]
        alone = False
        if not nested and not connection.read_only:
            raw.execute("PRAGMA foreign_keys = OFF")
            if large:
                raw.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                alone = connection.path != MEMORY and _leave_wal(raw)
        try:
            with connection.writing() as open_raw:
                yield open_raw
        finally:
            if not nested and not connection.read_only:
                raw.execute(f"PRAGMA cache_size = {cache}")
                raw.execute("PRAGMA foreign_keys = ON")
                if alone:
                    raw.execute("PRAGMA journal_mode = WAL")


def _leave_wal(raw: sqlite3.Connection) -> bool:
    """Switch to a rollback journal; False where another connection is open, which keeps the WAL."""
    timeout = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        return bool(raw.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete")
    except sqlite3.OperationalError:
        return False
    finally:
        raw.execute(f"PRAGMA busy_timeout = {timeout}")
