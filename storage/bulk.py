"""The fast path of every importer: many names and triples in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from graphmem.errors import InvalidName, InvalidValue
from graphmem.graph import check_name, normalise
from graphmem.storage import vectors as vector_rows
from graphmem.storage.connection import MEMORY, Connection
from graphmem.storage.edits import EDGE, Editor
from graphmem.storage.recorder import Recorder, next_id
from graphmem.storage.rows import insert_many
from graphmem.storage.schema import EDGE_INDEXES, NODE_INDEXES

CHUNK = 8_192
"""Triples that are read, and rows that are written, at a time: what stays in the processor's cache."""

REBUILD_FROM = 50_000
"""Rows from which indexes are dropped and built anew, when the load is larger than what is there."""

CACHE_KIB = 262_144
"""SQLite's page cache during a load."""


class Names:
    """Positions of names. Names that are equal when normalised share a position; ``known`` maps names as written."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.shown: list[str] = []
        self.known: dict[str, int] = {}
        self._by_norm: dict[str, int] = {}

    def add(self, name: str) -> int:
        """Position of a name, a new one if it is new."""
        position = self.known.get(name)
        if position is not None:
            return position
        shown = check_name(name, self.what)
        position = self._by_norm.setdefault(normalise(shown), len(self.shown))
        if position == len(self.shown):
            self.shown.append(shown)
        self.known[name] = position
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
        listed = np.fromiter(map(nodes.add, names), np.int64, len(names))
    except (InvalidName, TypeError):
        _explain_name(names)
        raise
    ends, stream, done = [], iter(triples), 0
    while chunk := list(islice(stream, CHUNK)):
        ends.append(_read_chunk(chunk, done, nodes, relations))
        done += len(chunk)
    table = np.concatenate(ends, axis=1) if ends else np.zeros((3, 0), np.int64)
    sizes = len(nodes.shown), len(relations.shown)
    src, relation, dst, count = distinct(table[0], table[1], table[2], *sizes)
    return Load(nodes, relations, listed, src, relation, dst, count)


def _read_chunk(chunk: list[tuple[str, str, str]], done: int, nodes: Names, relations: Names) -> np.ndarray:
    """Positions of a chunk's names, int64 [3, F]."""
    if str in set(map(type, chunk)):
        _explain_triple(chunk, done)
    try:
        return _positions(chunk, nodes.known, relations.known)
    except (KeyError, TypeError, ValueError):
        pass  # a name that is new, or something wrong: go slowly
    try:
        for subject, relation, object in chunk:
            nodes.add(subject)
            relations.add(relation)
            nodes.add(object)
    except (InvalidName, TypeError, ValueError):
        _explain_triple(chunk, done)
        raise
    return _positions(chunk, nodes.known, relations.known)


def _positions(chunk: list[tuple[str, str, str]], nodes: dict[str, int], relations: dict[str, int]) -> np.ndarray:
    """Positions of known names, int64 [3, F]. Plain dicts and lists: this loop is a third of a load's time."""
    src: list[int] = []
    kinds: list[int] = []
    dst: list[int] = []
    for subject, relation, object in chunk:
        src.append(nodes[subject])
        kinds.append(relations[relation])
        dst.append(nodes[object])
    return np.array([src, kinds, dst], np.int64)


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
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The distinct triples and how often each was given.

    A small load keeps the order given. A large one is sorted by subject and object, which is the order of the index
    ``edges_out``: building it then takes half the time.
    """
    if len(src) >= REBUILD_FROM and nodes * nodes * max(relations, 1) < 1 << 62:
        key, count = np.unique((src * nodes + dst) * relations + relation, return_counts=True)
        pair, relation = np.divmod(key, relations)
        src, dst = np.divmod(pair, nodes)
        return src, relation, dst, count
    table = np.stack([src, relation, dst], axis=1)  # [F, 3]
    _, first, count = np.unique(table, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first, kind="stable")
    kept = first[order]
    return src[kept], relation[kept], dst[kept], count[order]


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
        ends, count = (node_ids[load.src], relation_ids[load.relation], node_ids[load.dst]), load.count
        if len(np.unique(node_ids)) < len(node_ids):  # two names of one node: two triples may be one fact
            ends, count = _merged(ends, count)
        first_new = ranges["nodes"][0] if "nodes" in ranges else 1 << 62
        _write_edges(raw, recorder, ends, count, first_new, editor.source(source), ranges)
    if vectors is not None and len(vectors):
        vector_rows.put(raw, node_ids[load.listed].tolist(), vectors, str(fingerprint))
    return ranges


def _merged(
    ends: tuple[np.ndarray, np.ndarray, np.ndarray], count: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    table, first, place = np.unique(np.stack(ends, axis=1), axis=0, return_index=True, return_inverse=True)
    total = np.bincount(place.ravel(), weights=count).astype(np.int64)
    order = np.argsort(first, kind="stable")
    return (table[order, 0], table[order, 1], table[order, 2]), total[order]


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
    places = new.tolist()
    with rebuilt(raw, "nodes", NODE_INDEXES, len(new)):
        for start in range(0, len(new), CHUNK):
            part = places[start : start + CHUNK]
            rows = zip(
                range(first + start, first + start + len(part)),
                map(names.shown.__getitem__, part),
                map(norms.__getitem__, part),
                strict=True,
            )
            insert_many(
                raw,
                "INSERT INTO nodes(id, name, norm, ns, created_at)",
                f"(?, ?, ?, {int(recorder.ns)}, {int(recorder.at)})",
                list(chain.from_iterable(rows)),
            )
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
    columns = [np.arange(first, first + len(src)), src, relation, dst]
    fields = "id, src, rel, dst"
    if (count > 1).any():
        columns.append(count)
        fields += ", strength"
    constants = f"{int(recorder.ns)}, {int(recorder.entry)}, {'NULL' if source is None else int(source)}"
    table = np.stack(columns, axis=1)  # [F, columns]
    for start in range(0, len(src), CHUNK):
        insert_many(
            raw,
            f"INSERT INTO edges({fields}, ns, entry, source)",
            f"({'?, ' * len(columns)}{constants})",
            table[start : start + CHUNK].ravel().tolist(),
        )


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
