"""Check of single values: their types, ranges, JSON, normal forms, vectors. Time and memory are bounded by the rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphmem.core.names import normalise, normalise_relation
from graphmem.storage.maintenance.report import Problem, some
from graphmem.storage.tables.renormalise import twin_form
from graphmem.storage.tables.schema import STORED
from graphmem.storage.tables.validation import MAX_TEXT
from graphmem.storage.tables.vector_rows import checksum

NAMED = (("nodes", "id", "name"), ("aliases", "node", "alias"), ("relations", "id", "name"))
"""Tables with normalised names, their keys, and the columns of the names."""

COUNTERS = (("next_node", "nodes"), ("next_edge", "edges"), ("next_entry", "journal"))
"""Counters of ids, and their tables."""

MAX_COUNTER = 1 << 62
MAX_NODE = (1 << 31) - 2  # ids of nodes in an index have 32 bits
MAX_DEPTH = 500  # levels of JSON; beyond about twice as many Python does not read it
EARLIEST, LATEST = -377_800_000_000_000_000, 253_402_300_800_000_000
"""Bounds of times in microseconds: the years -10000 and 10000."""

TIMES = {
    "nodes": ("created_at", "retired_at", "dated"), "edges": ("valid_from", "valid_to", "retired_at"),
    "edge_sources": ("at",), "journal": ("at",), "access": ("at",),
}  # fmt: skip
JSONS = {"nodes": ("attributes",), "edges": ("attributes", "qualifiers")}
_KINDS = {"INTEGER": ("integer",), "REAL": ("real",), "TEXT": ("text",), "BLOB": ("blob",)}
_COLUMN_RULES = {
    "nodes": ("length(name) = 0", "strength NOT BETWEEN 0 AND 1e300", f"id > {MAX_NODE}"),
    "edges": ("confidence NOT BETWEEN 0 AND 1", "strength NOT BETWEEN 0 AND 1e300", "span_start > span_end"),
    "sentences": ("start < 0", "stop <= start"),
    "encoders": ("dim NOT BETWEEN 1 AND 1000000",),
    "access": ("count < 0",),
}


def bad_values(raw: sqlite3.Connection) -> Iterator[Problem]:
    """Values of another type than their column's, times and ids out of range, attributes that are no JSON object."""
    raw.create_function("bad_json", 1, bad_json, deterministic=True)
    for table in STORED:
        columns = raw.execute(f"PRAGMA table_info({table})").fetchall()
        rules: dict[str, list[str]] = {"of the wrong type": [], "out of range": [], "no JSON object": []}
        for _, column, kind, required, _, _ in columns:
            if kind in _KINDS:
                kinds = [*_KINDS[kind], *([] if required or column == "id" else ["null"])]
                rules["of the wrong type"].append(f'typeof("{column}") NOT IN ({", ".join(map(repr, kinds))})')
        times = (f"{column} NOT BETWEEN {EARLIEST} AND {LATEST}" for column in TIMES.get(table, ()))
        ids = ("id < 1",) if any(row[1] == "id" for row in columns) else ()
        rules["out of range"] += [*times, *ids, *_COLUMN_RULES.get(table, ())]
        rules["no JSON object"] += [f"bad_json({column})" for column in JSONS.get(table, ())]
        for what, terms in rules.items():
            sql = f'SELECT "{columns[0][1]}" FROM {table} WHERE {" OR ".join(terms)} LIMIT 1000' if terms else ""
            if found := raw.execute(sql).fetchall():
                yield Problem("value", f"{table} {some(found)} hold values {what}", False)


def bad_json(text: Any) -> bool:
    """Whether a stored value is no JSON object that can be read; NULL is none that is needed."""
    if text is None:
        return False
    if not isinstance(text, str) or len(text) > 2 * MAX_TEXT:
        return True
    try:
        level = [json.loads(text)]
    except (ValueError, RecursionError):
        return True
    if not isinstance(level[0], dict):
        return True
    for _ in range(MAX_DEPTH):
        inner = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list)))
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True


def misnamed(raw: sqlite3.Connection, table: str, key: str, column: str) -> list[tuple[int, str, str]]:
    """Key, name and stored normalised name of the rows where these do not agree."""
    rows = raw.execute(f"SELECT {key}, {column}, norm FROM {table}")
    return [row for row in rows if not agree(table, *row)]


def normal_form(table: str) -> Callable[[str], str]:
    """The normal form of the names of a table."""
    return normalise_relation if table == "relations" else normalise


def agree(table: str, key: int, name: object, norm: object) -> bool:
    """Whether a name and its stored normal form belong together; a merged row has the form of a twin."""
    form = normal_form(table)(name) if isinstance(name, str) else ""
    return isinstance(name, str) and norm in (form or norm, twin_form(form, key))


def bad_vectors(raw: sqlite3.Connection) -> list[tuple[int]]:
    """Nodes, one a row, whose vectors are not what was written, or of no known encoder or the wrong width."""
    return [
        (node,)
        for node, encoder, data, total, dim in raw.execute(
            "SELECT v.node, v.encoder, v.data, v.sum, k.dim FROM vectors v LEFT JOIN encoders k ON k.id = v.encoder"
        )
        if dim is None
        or not isinstance(data, bytes)
        or len(data) != 2 * dim
        or checksum(node, encoder, data) != total
        or not np.isfinite(np.frombuffer(data, np.float16)).all()
    ]


def bad_counters(raw: sqlite3.Connection) -> Iterator[Problem]:
    """Counters that would give an id twice, or ids that nothing can hold."""
    for counter, table in COUNTERS:
        highest = raw.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        row = raw.execute("SELECT value FROM meta WHERE key = ?", (counter,)).fetchone()
        bound = MAX_NODE if table == "nodes" else MAX_COUNTER
        if row is None or not isinstance(row[0], int) or not highest < row[0] <= bound:
            yield Problem("counter", f"{counter} is {row[0] if row else 'missing'}, but {table} go to {highest}", True)
