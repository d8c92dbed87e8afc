"""Full-text search by BM25, over nodes and over facts."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from graphmem.graph import APART, normalise
from graphmem.storage.reading import visible

MAX_WORDS = 64
"""Words of a query that are searched for; the rest is left out."""

SEEDS = 16
"""Nodes from which facts without a text of their own are found."""

FACTS_PER_SEED = 64

_WORD = re.compile(r"\w+")


def words(query: str) -> list[str]:
    """Distinct words of a query, in order."""
    return list(dict.fromkeys(_WORD.findall(normalise(query))))[:MAX_WORDS]


def _match(query: str) -> str:
    return " OR ".join(f'"{word}"' for word in words(query))


def search_nodes(raw: sqlite3.Connection, ns: int, query: str, limit: int) -> list[tuple[int, float]]:
    """Live nodes but those of kinds ``APART``, by BM25 of name, aliases and text, best first; higher is better."""
    match = _match(query)
    if not match or limit <= 0:
        return []
    sql = (
        "SELECT rowid, -rank FROM node_fts WHERE node_fts MATCH ? AND rank MATCH 'bm25(4.0, 4.0, 1.0)' "
        "ORDER BY rank LIMIT ?"
    )
    live = f"SELECT 1 FROM nodes WHERE id = ? AND +ns = ? AND retired_at IS NULL AND kind NOT IN {APART}"
    asked = limit
    while True:  # retired nodes and other namespaces are dropped after the fact, so ask for more when some were
        found = raw.execute(sql, (match, asked)).fetchall()
        kept = [(node, score) for node, score in found if raw.execute(live, (node, ns)).fetchone()]
        if len(kept) >= limit or len(found) < asked:
            return kept[:limit]
        asked *= 8


def search_edges(raw: sqlite3.Connection, ns: int, query: str, limit: int) -> list[tuple[int, float]]:
    """Present facts by BM25, best first: by their own text, or else by the names they join and their relation."""
    match = _match(query)
    if not match or limit <= 0:
        return []
    scores = _by_text(raw, ns, match, limit)
    for edge, score in _by_names(raw, ns, query):
        scores[edge] = max(score, scores.get(edge, 0.0))
    if not scores:
        scores = _by_relation(raw, ns, query, limit)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:limit]


def _by_text(raw: sqlite3.Connection, ns: int, match: str, limit: int) -> dict[int, float]:
    condition, values = visible(raw, None)
    sql = (
        "SELECT e.id, -f.rank FROM edge_fts f JOIN edges e ON e.id = f.rowid "
        f"WHERE edge_fts MATCH :match AND e.ns = :ns AND {condition} ORDER BY f.rank LIMIT :limit"
    )
    return dict(raw.execute(sql, values | {"match": match, "ns": ns, "limit": limit}).fetchall())


def _by_names(raw: sqlite3.Connection, ns: int, query: str) -> Iterable[tuple[int, float]]:
    """Facts around the best nodes: the sum of both ends' scores, and a share more for each word of the relation."""
    seeds = dict(search_nodes(raw, ns, query, SEEDS))
    asked = set(words(query))
    condition, values = visible(raw, None)
    for node, score in seeds.items():
        for end, other in (("src", "dst"), ("dst", "src")):
            sql = (
                f"SELECT e.id, e.{other}, r.norm FROM edges e JOIN relations r ON r.id = e.rel "
                f"WHERE e.{end} = :node AND {condition} LIMIT {FACTS_PER_SEED}"
            )
            for edge, far, relation in raw.execute(sql, values | {"node": node}):
                named = set(_WORD.findall(relation))
                share = len(named & asked) / max(len(named), 1)
                yield edge, (score + seeds.get(far, 0.0) * (far != node)) * (1.0 + share) / 2


def _by_relation(raw: sqlite3.Connection, ns: int, query: str, limit: int) -> dict[int, float]:
    """Facts of the relation that shares most words with the query: the last resort, when no name does."""
    asked = set(words(query))
    shares: dict[int, float] = {}
    for relation, norm in raw.execute("SELECT id, norm FROM relations WHERE ns = ?", (ns,)):
        named = set(_WORD.findall(norm))
        if named & asked:
            shares[relation] = len(named & asked) / len(named | asked)
    if not shares:
        return {}
    best = max(shares, key=lambda relation: shares[relation])
    condition, values = visible(raw, None)
    sql = f"SELECT e.id FROM edges e WHERE e.ns = :ns AND e.rel = :rel AND {condition} ORDER BY e.id LIMIT :limit"
    found = raw.execute(sql, values | {"ns": ns, "rel": best, "limit": limit})
    return {edge: shares[best] for (edge,) in found}
