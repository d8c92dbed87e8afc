"""Queries for nodes and facts: of the present, of any valid time, and as recorded at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from graphmem.core.errors import Conflict, NotFound
from graphmem.core.names import unstorable
from graphmem.core.times import from_micros, shown
from graphmem.core.types import READ_MARK, SYSTEM_KINDS, Edge, Fact, Node, Place
from graphmem.storage.tables import journal
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.journal import last_entry, latest, unordered
from graphmem.storage.tables.row_images import Row
from graphmem.storage.tables.validation import from_json, now_micros

Found = TypeVar("Found")

HELD = "e.factuality IS NULL AND e.status IS NULL"
"""Facts that are asserted and stated: the others never hold, and are found by their factuality and status."""

PRESENT = (
    "e.retired_at IS NULL AND (e.valid_to IS NULL OR e.valid_to > :now) "
    f"AND (e.valid_from IS NULL OR e.valid_from <= :now) AND {HELD}"
)
"""Facts that hold now."""

AS_OF = (
    "(e.valid_from IS NULL OR e.valid_from <= :at) AND (e.valid_to IS NULL OR e.valid_to > :at) "
    f"AND (e.retired_at IS NULL OR (e.entry <= :upto AND e.retired_at > :at)) AND {HELD}"
)
"""Facts that held at a valid time, as known today; a retired fact counts only before it was retired.

A fact without a beginning held at any time before its end, as far as is known.

``:upto`` is the last entry recorded by then: entries are in the order of their times.
"""

# Nodes are found by their ids: `+ns` keeps SQLite from walking a whole namespace, CROSS JOIN fixes the order of a join.
_FACT = (
    "SELECT s.name, r.name, d.name, e.text, e.valid_from, e.valid_to, e.confidence, o.name, e.id, j.at, e.factuality, "
    "e.status, e.qualifiers, e.passage, e.span_start, e.span_end, e.pinned, e.valid_time "
    "FROM edges e CROSS JOIN nodes s ON s.id = e.src CROSS JOIN relations r ON r.id = e.rel "
    "CROSS JOIN nodes d ON d.id = e.dst "
    "LEFT JOIN sources o ON o.id = e.source LEFT JOIN journal j ON j.id = e.entry"
)
_MANNER = ("factuality", "status", "qualifiers", "passage", "span_start", "span_end", "pinned")
_EDGE = f"SELECT {', '.join(rows.COLUMNS['edges'])} FROM edges e"

_RETIRED = rows.COLUMNS["nodes"].index("retired_at")
NODE_COLUMNS = ", ".join(rows.COLUMNS["nodes"])
EDGE_COLUMNS = ", ".join(rows.COLUMNS["edges"])
BY_NAME = f"SELECT {NODE_COLUMNS} FROM nodes WHERE ns = ? AND norm = ?"
BY_ALIAS = (
    f"SELECT {', '.join('n.' + c for c in rows.COLUMNS['nodes'])}, a.alias "
    "FROM aliases a JOIN nodes n ON n.id = a.node "
    "WHERE a.ns = ? AND a.norm = ? AND n.retired_at IS NULL ORDER BY n.strength DESC, n.id LIMIT 8"
)
SAME_FACT = f"SELECT {EDGE_COLUMNS} FROM edges WHERE src = ? AND rel = ? AND dst = ? AND retired_at IS NULL ORDER BY id"
EDGES_OF = (
    f"SELECT {EDGE_COLUMNS} FROM edges WHERE src = ? UNION SELECT {EDGE_COLUMNS} FROM edges WHERE dst = ? ORDER BY id"
)


def refuse_alias(raw: sqlite3.Connection, name: str, ns: int, norm: str, node: int) -> None:
    """Raise ``Conflict`` where a name is the name or an alias of another live node than ``node``."""
    for other in raw.execute(BY_NAME, (ns, norm)).fetchall():
        if other[0] != node and other[_RETIRED] is None:
            raise Conflict(
                f"{name!r} is the name of node {other[0]}, which comes before an alias; merge the two, use another "
                "name, or pass ambiguous=True to keep it as an alias all the same"
            )
    for other in raw.execute(BY_ALIAS, (ns, norm)).fetchall():
        if other[0] != node:
            raise Conflict(
                f"{name!r} is an alias of {other[2]!r}, so it cannot be a name of another node; merge the two, use "
                "another name, or pass ambiguous=True to have it asked back"
            )


def present_moment(raw: sqlite3.Connection) -> int:
    """Now, or the time of the newest journal entry if the clock lags behind it."""
    now = now_micros()
    return max(now, latest(raw, now))


def in_order(found: Mapping[int, Found], ids: Sequence[int], what: str) -> list[Found]:
    """Values in the order of their ids. Raises ``NotFound``: an id without a value."""
    missing = next((identifier for identifier in ids if identifier not in found), None)
    if missing is not None:
        raise NotFound(f"no {what} {missing} in this namespace")
    return [found[identifier] for identifier in ids]


def nodes_by_id(raw: sqlite3.Connection, ns: int, namespace: str, ids: Sequence[int]) -> dict[int, Node]:
    """Nodes of a namespace by id; ids it does not hold are left out."""
    sql = (
        "SELECT id, name, kind, text, attributes, strength, retired_at, date_text FROM nodes "
        "WHERE +ns = ? AND id IN (SELECT value FROM json_each(?))"
    )
    found = raw.execute(sql, (ns, json.dumps(ids))).fetchall()
    aliases: dict[int, list[str]] = {}
    sql = "SELECT node, alias FROM aliases WHERE node IN (SELECT value FROM json_each(?)) ORDER BY norm"
    for node, alias in raw.execute(sql, (json.dumps(ids),)):
        aliases.setdefault(node, []).append(alias)
    nodes: dict[int, Node] = {}
    for node, name, kind, text, attributes, strength, retired_at, date in found:
        texts((name, kind, text, *aliases.get(node, ())))
        known = tuple(aliases.get(node, ())), namespace, from_json(attributes)
        nodes[node] = Node(node, name, kind, text, *known, strength, retired_at is not None, date)
    return nodes


def names(raw: sqlite3.Connection, ns: int, ids: Sequence[int]) -> list[str]:
    """Names in the order of the ids; raises ``NotFound``."""
    sql = "SELECT id, name FROM nodes WHERE +ns = ? AND id IN (SELECT value FROM json_each(?))"
    found = dict(raw.execute(sql, (ns, json.dumps(ids))).fetchall())
    texts(list(found.values()))
    return in_order(found, ids, "node")


def resolve_many(
    raw: sqlite3.Connection, ns: int, normalised: Sequence[str], records: bool = False
) -> dict[str, list[int]]:
    """Ids of the live nodes of each normalised name: the one of that name first, then by alias, strongest first.

    Nodes of ``SYSTEM_KINDS`` only with ``records``.
    """
    wanted = json.dumps([name for name in dict.fromkeys(normalised) if not unstorable(name)], ensure_ascii=False)
    live = "n.retired_at IS NULL" + ("" if records else f" AND n.kind NOT IN {SYSTEM_KINDS}")
    sql = f"""
        SELECT j.value, n.id, 0, n.strength FROM json_each(:names) j
        CROSS JOIN nodes n ON n.ns = :ns AND n.norm = j.value WHERE {live}
        UNION ALL
        SELECT j.value, n.id, 1, n.strength FROM json_each(:names) j
        CROSS JOIN aliases a ON a.ns = :ns AND a.norm = j.value
        CROSS JOIN nodes n ON n.id = a.node WHERE {live}
        ORDER BY 3, 4 DESC, 2
    """
    found: dict[str, list[int]] = {name: [] for name in normalised}
    for name, node, _, _ in raw.execute(sql, {"names": wanted, "ns": ns}):
        if node not in found[name]:
            found[name].append(node)
    return found


def edges_by_id(raw: sqlite3.Connection, ns: int, ids: Sequence[int]) -> dict[int, Edge]:
    """Recorded facts by id, whatever their state."""
    sql = (  # in the order of the fields of ``Edge``
        "SELECT e.id, e.src, r.name, e.dst, e.text, e.valid_from, e.valid_to, e.confidence, o.name, "
        "coalesce(j.at, 0), e.retired_at, e.strength, e.attributes, e.factuality, e.status, e.qualifiers, e.passage, "
        "e.span_start, e.span_end, e.pinned FROM edges e CROSS JOIN relations r ON r.id = e.rel "
        "LEFT JOIN sources o ON o.id = e.source LEFT JOIN journal j ON j.id = e.entry "
        "WHERE e.ns = ? AND e.id IN (SELECT value FROM json_each(?))"
    )
    found = ((*row[:12], from_json(row[12]), *_manner(row[13:])) for row in raw.execute(sql, (ns, json.dumps(ids))))
    edges = {values[0]: Edge(*values) for values in found}
    texts([value for edge in edges.values() for value in (edge.relation, edge.text)])
    return edges


def recorded_at(raw: sqlite3.Connection, row: Row) -> int:
    """When a fact was recorded, in microseconds."""
    found = raw.execute("SELECT at FROM journal WHERE id = ?", (row[7],)).fetchone()
    return found[0] if found else 0


def texts(values: Sequence[object]) -> None:
    """Raise ``ValueError`` where a value that must be text is something else, as in a damaged file."""
    if any(type(value) is not str for value in values):
        raise ValueError(f"text is expected in {values!r:.200}")


def numbers(found: Sequence[Row]) -> None:
    """Raise ``ValueError`` where a value that must be a whole number is something else, as in a damaged file."""
    for row in found:
        if any(type(value) is not int for value in row):
            raise ValueError(f"whole numbers are expected in {row!r:.200}")


def as_fact(row: Row) -> Fact:
    """A fact from the columns of ``_FACT``, which are in the order of its fields."""
    texts(row[:4])
    values = [*row[:10], *_manner(row[10:17])]
    values[4:6] = shown(row[4], row[5], row[17])
    values[9] = from_micros(row[9])
    return Fact(*values)


def _manner(row: Row) -> tuple[Any, ...]:
    """Fields ``factuality`` to ``pinned`` of a fact, from their columns."""
    factuality, status, qualifiers, passage, start, end, pinned = row
    place = None if passage is None else Place(passage, start, end)
    return factuality or "asserted", status or "stated", from_json(qualifiers), place, bool(pinned)


def facts_by_id(raw: sqlite3.Connection, ns: int, ids: Sequence[int]) -> list[Fact]:
    """Facts in the order of the ids, whatever their state; raises ``NotFound``."""
    sql = f"{_FACT} WHERE e.ns = ? AND e.id IN (SELECT value FROM json_each(?))"
    found = {row[8]: as_fact(row) for row in raw.execute(sql, (ns, json.dumps(ids)))}
    return in_order(found, ids, "fact")


def visible(raw: sqlite3.Connection, as_of: int | None) -> tuple[str, dict[str, Any]]:
    """The SQL condition on ``e`` for facts of a moment, and its values."""
    if as_of is None:
        return PRESENT, {"now": present_moment(raw)}
    by_order = "(SELECT j.id FROM journal j WHERE j.at = e.retired_at) > :upto"  # a clock ran ahead: times mislead
    condition = AS_OF.replace("e.retired_at > :at", by_order) if unordered(raw) else AS_OF
    return condition, {"at": as_of, "upto": last_entry(raw, as_of)}


def find_facts(
    raw: sqlite3.Connection, ns: int, *, subject: int | None, relation: int | None, object: int | None,
    as_of: int | None, limit: int | None, without: Sequence[int] = (), history: bool = False,
) -> list[Fact]:  # fmt: skip
    """Facts that match what is given, but none of the relations ``without``, oldest first.

    Those of one moment; with ``history``, of any time, factuality and status, unless they are retired.
    """
    condition, values = ("e.retired_at IS NULL", {}) if history else visible(raw, as_of)
    terms = [f"e.ns = :ns AND {condition}", *(f"e.rel <> {row:d}" for row in without)]
    for column, wanted in (("src", subject), ("rel", relation), ("dst", object)):
        if wanted is not None:
            terms.append(f"e.{column} = :{column}")
            values[column] = wanted
    sql = f"{_FACT} WHERE {' AND '.join(terms)} ORDER BY e.id LIMIT :limit"
    values |= {"ns": ns, "limit": -1 if limit is None else limit}
    return [as_fact(row) for row in raw.execute(sql, values)]


def present_ids(raw: sqlite3.Connection, ns: int) -> np.ndarray:
    """Ids of the facts that hold now, int64 [F]."""
    condition, values = visible(raw, None)
    found = raw.execute(f"SELECT e.id FROM edges e WHERE e.ns = :ns AND {condition} ORDER BY e.id", values | {"ns": ns})
    return np.fromiter((row[0] for row in found), np.int64)


def facts_known_at(
    raw: sqlite3.Connection, ns: int, known_at: int, *, subject: int | None, relation: int | None, object: int | None,
    as_of: int | None, limit: int | None, without: Sequence[int] = (),
) -> list[Fact]:  # fmt: skip
    """Facts exactly as recorded at a time, whatever was edited, undone or merged since."""
    past_nodes, past_edges = journal.held_at(raw, ns, known_at)
    upto = last_entry(raw, known_at)
    recorded = {row[0]: row for row in raw.execute(f"{_EDGE} WHERE e.ns = ? AND e.entry <= ?", (ns, upto))}
    edges = {key: row for key, row in (recorded | past_edges).items() if row is not None}
    wanted = {2: subject, 3: relation, 4: object}
    upto = 0 if as_of is None else last_entry(raw, as_of)
    kept = [
        row
        for _, row in sorted(edges.items())
        if row[3] not in without
        and all(value is None or row[column] == value for column, value in wanted.items())
        and _holds(row, known_at, as_of, upto)
    ]
    return [_past_fact(raw, row, past_nodes) for row in kept[:limit]]


def _holds(row: Row, known_at: int, as_of: int | None, upto: int) -> bool:
    """The rules of ``PRESENT`` and ``AS_OF`` on a row image."""
    start, end, entry, retired_at = row[5], row[6], row[7], row[8]
    if any(row[rows.COLUMNS["edges"].index(name)] is not None for name in ("factuality", "status")):
        return False
    if as_of is None:
        return retired_at is None and (end is None or end > known_at) and (start is None or start <= known_at)
    if retired_at is not None and not (entry <= upto and as_of < retired_at):
        return False
    return (start is None or start <= as_of) and (end is None or end > as_of)


def _past_fact(raw: sqlite3.Connection, row: Row, past_nodes: dict[int, Row | None]) -> Fact:
    def name(node: int) -> str:
        past = past_nodes.get(node)
        return past[2] if past else raw.execute("SELECT name FROM nodes WHERE id = ?", (node,)).fetchone()[0]

    relation = raw.execute("SELECT name FROM relations WHERE id = ?", (row[3],)).fetchone()[0]
    source = raw.execute("SELECT (SELECT name FROM sources WHERE id = ?)", (row[11],)).fetchone()[0]
    ends = (name(row[2]), relation, name(row[4]))
    manner = [row[rows.COLUMNS["edges"].index(name)] for name in _MANNER]
    return as_fact((*ends, row[12], row[5], row[6], row[9], source, row[0], recorded_at(raw, row), *manner, row[14]))


def stats(raw: sqlite3.Connection, ns: int) -> dict[str, Any]:
    """Counts of a namespace, without marks of texts that were read; ``bytes`` is the size of the whole file."""
    condition, values = visible(raw, None)
    values |= {"ns": ns}
    count = lambda sql: int(raw.execute(f"SELECT count(*) FROM {sql}", values).fetchone()[0])

    pages, page = (raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    encoders = raw.execute(
        "SELECT k.fingerprint, count(*) FROM vectors v JOIN nodes n ON n.id = v.node "
        "JOIN encoders k ON k.id = v.encoder WHERE n.ns = ? GROUP BY k.id",
        (ns,),
    )
    namespaces = [row[0] for row in raw.execute("SELECT name FROM namespaces ORDER BY id")]
    texts(namespaces)
    marks = f"norm >= '{READ_MARK}:' AND norm < '{READ_MARK};' AND kind = '{READ_MARK}'"
    read = count(f"nodes WHERE ns = :ns AND retired_at IS NULL AND {marks}")
    return {
        "nodes": count("nodes WHERE ns = :ns AND retired_at IS NULL") - read,
        "texts_read": read,
        "facts": count(f"edges e WHERE e.ns = :ns AND {condition}"),
        "facts_recorded": count("edges WHERE ns = :ns"),
        "nodes_retired": count("nodes WHERE ns = :ns AND retired_at IS NOT NULL"),
        "relations": count("relations WHERE ns = :ns"),
        "aliases": count("aliases WHERE ns = :ns"),
        "entries": count("journal WHERE ns = :ns"),
        "vectors": dict(encoders.fetchall()),
        "namespaces": namespaces,
        "bytes": pages * page,
    }
