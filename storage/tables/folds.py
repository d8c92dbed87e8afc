"""Folded names for search: an index of names and aliases whose folded form differs from their normal form."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from graphmem.core.names import fold, is_spelling, shortened, unstorable
from graphmem.core.types import SYSTEM_KINDS
from graphmem.storage.tables.row_images import insert_many

_INSERT = "INSERT OR IGNORE INTO folds(ns, fold, node)"
_NAMES = "SELECT ns, norm, id FROM nodes{} UNION ALL SELECT ns, norm, node FROM aliases{}"
_CHUNK = 65_536

_LIVE = f"n.retired_at IS NULL AND n.kind NOT IN {SYSTEM_KINDS}"
_FOUND = f"""
    SELECT j.value, n.id, n.strength FROM json_each(:folds) j
    CROSS JOIN folds f ON f.ns = :ns AND f.fold = j.value CROSS JOIN nodes n ON n.id = f.node
    WHERE {_LIVE}
    UNION SELECT j.value, n.id, n.strength FROM json_each(:folds) j
    CROSS JOIN nodes n ON n.ns = :ns AND n.norm = j.value WHERE {_LIVE}
    UNION SELECT j.value, n.id, n.strength FROM json_each(:folds) j
    CROSS JOIN aliases a ON a.ns = :ns AND a.norm = j.value CROSS JOIN nodes n ON n.id = a.node
    WHERE {_LIVE}
    ORDER BY 3 DESC, 2
"""


def find(raw: sqlite3.Connection, ns: int, folds: Sequence[str]) -> dict[str, list[int]]:
    """Ids of the live nodes that a folded name may mean, strongest first; several share one folded form.

    A name that is none of these may write two letters for one: ``mueller`` is Müller.
    """
    found = _find(raw, ns, folds)
    short = {name: shortened(name) for name, nodes in found.items() if not nodes and name.isascii()}
    nodes = _find(raw, ns, list(dict.fromkeys(chain.from_iterable(short.values())))) if any(short.values()) else {}
    ids = sorted(set(chain.from_iterable(nodes.values())))
    names: dict[int, list[str]] = {}
    for start in range(0, len(ids), _CHUNK):
        where = (f" WHERE {column} IN (SELECT value FROM json_each(:ids))" for column in ("id", "node"))
        for _, norm, node in raw.execute(_NAMES.format(*where), {"ids": json.dumps(ids[start : start + _CHUNK])}):
            if not norm.isascii():
                names.setdefault(node, []).append(norm)
    for name, forms in short.items():
        meant = chain.from_iterable(nodes[form] for form in forms)
        found[name] = [node for node in dict.fromkeys(meant) if any(is_spelling(name, n) for n in names.get(node, ()))]
    return found


def _find(raw: sqlite3.Connection, ns: int, folds: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {name: [] for name in folds}
    wanted = json.dumps([name for name in found if not unstorable(name)], ensure_ascii=False)
    for name, node, _ in raw.execute(_FOUND, {"ns": ns, "folds": wanted}):
        found[name].append(node)
    return found


def update(raw: sqlite3.Connection, nodes: Sequence[int]) -> None:
    """Write the folded forms of some nodes anew. Writes."""
    for start in range(0, len(nodes), _CHUNK):
        wanted = json.dumps(list(nodes[start : start + _CHUNK]))
        raw.execute("DELETE FROM folds WHERE node IN (SELECT value FROM json_each(?))", (wanted,))
        where = (f" WHERE {column} IN (SELECT value FROM json_each(:ids))" for column in ("id", "node"))
        _insert(raw, raw.execute(_NAMES.format(*where), {"ids": wanted}))


def add(raw: sqlite3.Connection, ns: int, first: int, norms: Iterable[str]) -> None:
    """Write the folded forms of new nodes with consecutive ids and no aliases. Writes."""
    _insert(raw, ((ns, norm, node) for node, norm in enumerate(norms, first)))


def rebuild_folds(raw: sqlite3.Connection) -> None:
    """Write the folded forms of every node anew. Writes."""
    raw.execute("DELETE FROM folds")
    _insert(raw, raw.cursor().execute(_NAMES.format("", "")))


def wrong_folds(raw: sqlite3.Connection) -> list[int]:
    """Nodes whose folded forms are not those of their names."""
    wanted = set(_folded(raw.execute(_NAMES.format("", ""))))
    held = set(raw.execute("SELECT ns, fold, node FROM folds"))
    return sorted({row[2] for row in wanted ^ held})


def _insert(raw: sqlite3.Connection, names: Iterable[tuple[int, str, int]]) -> None:
    rows = _folded(names)
    while part := list(islice(rows, _CHUNK)):
        insert_many(raw, _INSERT, "(?, ?, ?)", list(chain.from_iterable(part)))


def _folded(names: Iterable[tuple[int, str, int]]) -> Iterator[tuple[int, str, int]]:
    for ns, norm, node in names:
        if norm.isascii() and "'" not in norm and "-" not in norm:
            continue
        folded = fold(norm)
        if folded != norm:
            yield ns, folded, node
