"""Bulk load: many names and triples written in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import numpy as np

from graphmem.core.times import Interval
from graphmem.core.types import SYSTEM_KINDS
from graphmem.storage import bulk_sums
from graphmem.storage.tables import folds, vector_rows
from graphmem.storage.tables.bulk_read import CHUNK, Load, Names, merged
from graphmem.storage.tables.change_recorder import Recorder, next_id
from graphmem.storage.tables.connection import Connection
from graphmem.storage.tables.editor import EDGE, Editor
from graphmem.storage.tables.row_images import insert_many
from graphmem.storage.tables.schema import EDGE_INDEXES, NODE_INDEXES
from graphmem.storage.tables.validation import refuse_record

REBUILD_FROM = 50_000  # rows from which indexes are dropped and rebuilt, when the load is larger than the table

_RECORDS = f"SELECT name, kind FROM nodes WHERE id IN (SELECT value FROM json_each(?)) AND kind IN {SYSTEM_KINDS}"
UNDATED = Interval(None, None, None)

Ranges = dict[str, tuple[int, int]]  # first and last id that a load adds, by table


def write(
    raw: sqlite3.Connection, recorder: Recorder, load: Load, vectors: np.ndarray | None, fingerprint: str | None,
    source: str | None,
) -> Ranges:  # fmt: skip
    """Write a load inside a transaction and return the ranges of ids that it added."""
    editor = Editor(raw, recorder)
    ranges: Ranges = {}
    node_ids = _write_nodes(editor, load.nodes, ranges)
    relation_ids = np.array([editor.relation(name) for name in load.relations.shown], np.int64)
    if len(load.src):
        ends, count = (node_ids[load.src], relation_ids[load.relation], node_ids[load.dst]), load.count
        if len(np.unique(node_ids)) < len(node_ids):  # two names of one node: two triples may be one fact
            src, relation, dst, count = merged(*ends, count)
            ends = (src, relation, dst)
        first_new = ranges["nodes"][0] if "nodes" in ranges else 1 << 62
        _write_edges(editor, ends, count, first_new, editor.source(source), ranges)
    if vectors is not None and len(vectors):
        vector_rows.put(raw, node_ids[load.listed].tolist(), vectors, str(fingerprint))
    return ranges


def _write_nodes(editor: Editor, names: Names, ranges: Ranges) -> np.ndarray:
    """Ids of all names, int64 [names]; new names are added."""
    raw, norms = editor.raw, list(names.by_norm)
    ids = np.zeros(len(norms), np.int64)
    for position, node in _known(raw, editor.ns, norms):
        ids[position] = node
    for position in np.flatnonzero(ids < 0).tolist():  # retired: restored; of several nodes: refused
        ids[position] = editor.node_named(names.shown[position])[0]
    new = np.flatnonzero(ids == 0)
    if not len(new):
        return ids
    first = next_id(raw, "next_node", len(new))
    ids[new] = np.arange(first, first + len(new))
    last = first + len(new) - 1
    places = new.tolist()
    with rebuilt(raw, "nodes", NODE_INDEXES, len(new)):
        head, row = "INSERT INTO nodes(id, name, norm, ns, created_at)", f"(?, ?, ?, {editor.ns}, {editor.at})"
        for start in range(0, len(new), CHUNK):
            part = places[start : start + CHUNK]
            texts = list(map(names.shown.__getitem__, part)), list(map(norms.__getitem__, part))
            rows = zip(range(first + start, first + start + len(part)), *texts, strict=True)
            insert_many(raw, head, row, list(chain.from_iterable(rows)))
            for at in range(0, len(part), bulk_sums.BLOCK):
                block = (column[at : at + bulk_sums.BLOCK] for column in texts)
                editor.recorder.sums.append(bulk_sums.of_nodes(first + start + at, *block))
    raw.execute(
        "INSERT INTO node_fts(rowid, name, aliases, text) SELECT id, name, '', '' FROM nodes WHERE id BETWEEN ? AND ?",
        (first, last),
    )
    folds.add(raw, editor.ns, first, map(norms.__getitem__, places))
    ranges["nodes"] = (first, last)
    return ids


def _known(raw: sqlite3.Connection, ns: int, norms: list[str]) -> Iterator[tuple[int, int]]:
    """Position and id of the names that have a node; the id of a retired node, or of several, is -1."""
    if raw.execute("SELECT 1 FROM nodes WHERE ns = ? LIMIT 1", (ns,)).fetchone() is None:
        return
    sql = """
        SELECT j.key, coalesce(
            (SELECT id FROM nodes WHERE ns = :ns AND norm = j.value AND retired_at IS NULL),
            (SELECT CASE count(*) WHEN 0 THEN NULL WHEN 1 THEN n.id ELSE -1 END FROM aliases a
             JOIN nodes n ON n.id = a.node WHERE a.ns = :ns AND a.norm = j.value AND n.retired_at IS NULL),
            (SELECT -1 FROM nodes WHERE ns = :ns AND norm = j.value)
        ) AS node FROM json_each(:norms) j WHERE node IS NOT NULL
    """
    for start in range(0, len(norms), CHUNK):
        block = json.dumps(norms[start : start + CHUNK], ensure_ascii=False)
        found = raw.execute(sql, {"ns": ns, "norms": block}).fetchall()
        for row in raw.execute(_RECORDS, (json.dumps([node for _, node in found]),)):
            refuse_record(*row)
        yield from ((start + key, node) for key, node in found)


def _write_edges(
    editor: Editor, ends: tuple[np.ndarray, np.ndarray, np.ndarray], count: np.ndarray, first_new: int,
    source: int | None, ranges: Ranges,
) -> None:  # fmt: skip
    """Add new facts and strengthen known ones. ``first_new`` is the id of the first new node."""
    src, relation, dst = ends
    fresh = np.ones(len(src), bool)
    for position in np.flatnonzero((src < first_new) & (dst < first_new)).tolist():
        same = editor.same_fact(int(src[position]), int(relation[position]), int(dst[position]), UNDATED)
        if same is not None:
            fresh[position] = False
            editor.recorder.update("edges", same, strength=same[EDGE["strength"]] + float(count[position]))
            editor.add_source(same, source)
    total = int(fresh.sum())
    if not total:
        return
    first = next_id(editor.raw, "next_edge", total)
    ranges["edges"] = (first, first + total - 1)
    table = np.stack([src[fresh], relation[fresh], dst[fresh], count[fresh]], axis=1)  # [F, 4]
    several = table[:, 3] > 1
    if several.any() and total >= REBUILD_FROM:  # facts that were given more than once come last: the others need
        table = np.concatenate([table[~several], table[several]])  # no strength; a small load keeps its order
    elif several.any():
        several[:] = True
    for start in range(0, total, bulk_sums.BLOCK):
        block = table[start : start + bulk_sums.BLOCK]
        editor.recorder.sums.append(bulk_sums.of_edges(first + start, block, source))
    constants = f"{editor.ns}, {editor.recorder.entry}, {'NULL' if source is None else source}"
    single = total - int(several.sum())
    with rebuilt(editor.raw, "edges", EDGE_INDEXES, total):
        _insert_edges(editor.raw, "src, rel, dst", constants, first, table[:single, :3])
        _insert_edges(editor.raw, "src, rel, dst, strength", constants, first + single, table[single:])


def _insert_edges(raw: sqlite3.Connection, fields: str, constants: str, first: int, table: np.ndarray) -> None:
    """Insert facts with ids from ``first`` on; ``table`` holds the columns ``fields``, int64 [F, columns].

    Only the first id is given: SQLite gives each row the one after the highest, in less time than it takes to bind one.
    """
    marks = "?, " * table.shape[1]
    raw.executemany(
        f"INSERT INTO edges(id, {fields}, ns, entry, source) VALUES (?, {marks}{constants})",
        ((first, *row) for row in table[:1].tolist()),
    )
    head, row = f"INSERT INTO edges({fields}, ns, entry, source)", f"({marks}{constants})"
    for start in range(1, len(table), CHUNK):
        insert_many(raw, head, row, table[start : start + CHUNK].ravel().tolist())


@contextmanager
def rebuilt(raw: sqlite3.Connection, table: str, indexes: dict[str, str], added: int) -> Iterator[None]:
    """Drop indexes during a large insert and rebuild them: cheaper than row by row."""
    have = raw.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT ?)", (added,)).fetchone()[0]
    drop = added >= REBUILD_FROM and have < added
    for name in indexes if drop else ():
        raw.execute(f"DROP INDEX {name}")
    yield
    for statement in indexes.values() if drop else ():
        raw.execute(statement)


@contextmanager
def loading(connection: Connection) -> Iterator[sqlite3.Connection]:
    """Write transaction for a load: no foreign key look-ups, because ids come from the load itself.

    It is written through the WAL as any other, so that readers are not held up; a killed load leaves no trace.
    """
    raw = connection.raw
    with connection.lock, connection.translating():
        nested = raw.in_transaction or connection.read_only
        if not nested:
            raw.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.writing() as open_raw:
                yield open_raw
        finally:
            if not nested:
                raw.execute("PRAGMA foreign_keys = ON")
