"""Sentences of passages: character spans of a passage's text, and their full-text index.

They are an index of the passages' texts: not journalled, removed with the text, and filled by whoever splits texts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from graphmem.core.errors import InvalidValue
from graphmem.core.types import PASSAGE

Span = tuple[int, int]
"""First character and the one after the last."""


def put(raw: sqlite3.Connection, spans: Mapping[int, Sequence[Span]]) -> None:
    """Store the sentences of passages, in place of earlier ones. Writes; call it inside a transaction.

    Raises:
        InvalidValue: a span outside the passage's text, or spans that are not in order.
    """
    sql = "SELECT id, length(text) FROM nodes WHERE id IN (SELECT value FROM json_each(?)) AND kind = ?"
    lengths = dict(raw.execute(sql, (json.dumps(list(spans)), PASSAGE)).fetchall())
    for passage, found in spans.items():
        ends = [0, *(end for span in found for end in span), lengths.get(passage, -1)]
        if ends != sorted(ends) or any(a >= b for a, b in found):
            raise InvalidValue(f"spans {list(found)[:3]} lie outside passage {passage}, or are not in order")
        remove(raw, [passage])
        raw.executemany(
            "INSERT INTO sentences(passage, position, start, stop) VALUES (?, ?, ?, ?)",
            [(passage, position, *span) for position, span in enumerate(found)],
        )
        raw.execute(f"INSERT INTO sentence_fts(rowid, text) {_OF_PASSAGE}", (passage,))


_OF_PASSAGE = "SELECT id, text FROM sentence_texts WHERE id IN (SELECT id FROM sentences WHERE passage = ?)"


def remove(raw: sqlite3.Connection, passages: Sequence[int]) -> None:
    """Remove the sentences of passages whose texts are still those that were split. Writes."""
    for passage in passages:
        head = "INSERT INTO sentence_fts(sentence_fts, rowid, text)"
        raw.execute(f"{head} SELECT 'delete', * FROM ({_OF_PASSAGE})", (passage,))
        raw.execute("DELETE FROM sentences WHERE passage = ?", (passage,))


def of(raw: sqlite3.Connection, passages: Sequence[int]) -> dict[int, list[Span]]:
    """Spans of the sentences of each passage, in order; passages that were not split are left out."""
    listed = "passage IN (SELECT value FROM json_each(?))"
    sql = f"SELECT passage, start, stop FROM sentences WHERE {listed} ORDER BY passage, position"
    found: dict[int, list[Span]] = {}
    for passage, start, stop in raw.execute(sql, (json.dumps(list(passages)),)):
        found.setdefault(passage, []).append((start, stop))
    return found


def search(raw: sqlite3.Connection, ns: int, match: str, limit: int) -> list[tuple[int, Span, float]]:
    """Passage, span and BM25 score of the live sentences that an FTS5 expression matches, best first."""
    sql = (
        "SELECT s.passage, s.start, s.stop, -bm25(sentence_fts) AS score FROM sentence_fts "
        "CROSS JOIN sentences s ON s.id = sentence_fts.rowid CROSS JOIN nodes n ON n.id = s.passage "
        "WHERE sentence_fts MATCH ? AND +n.ns = ? AND n.retired_at IS NULL ORDER BY score DESC, s.id LIMIT ?"
    )
    return [(passage, (start, stop), score) for passage, start, stop, score in raw.execute(sql, (match, ns, limit))]


def unsplit(raw: sqlite3.Connection, ns: int, limit: int, after: int = 0) -> list[tuple[int, str]]:
    """Id and text of live passages above ``after`` without sentences, lowest id first."""
    sql = (
        "SELECT n.id, n.text FROM nodes n WHERE +n.ns = ? AND n.id > ? AND n.kind = ? AND n.retired_at IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM sentences s WHERE s.passage = n.id) ORDER BY n.id LIMIT ?"
    )
    return raw.execute(sql, (ns, after, PASSAGE, limit)).fetchall()
