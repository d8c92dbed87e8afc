"""Passages of a store: by title, by words, by the entities that they name."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from graphmem.core.types import MENTIONS, PASSAGE, TITLED, Node
from graphmem.core.validation import typed
from graphmem.storage.index import fulltext
from graphmem.storage.tables import queries, sentence_rows, vector_rows
from graphmem.storage.tables.sentence_rows import Span
from graphmem.storage.tables.validation import as_id, as_ids
from graphmem.storage.vector_store import VectorStore

_LIVE = f"n.kind = '{PASSAGE}' AND n.retired_at IS NULL"
_WORD = re.compile(r"\w+")
_ARCS = """
    SELECT e.src, e.dst FROM json_each(:ids) j CROSS JOIN edges e ON e.src = j.value AND e.rel = :rel
    WHERE e.ns = :ns AND {condition} ORDER BY e.id
"""


@typed
class PassageStore(VectorStore):
    """Store of passages: nodes of kind ``passage``, with arcs to the entities that their title and text name."""

    def passage_ids(self, after: int = 0) -> np.ndarray:
        """Ids above ``after`` of the live passages, int64 [P], ascending; looks only at nodes above ``after``."""
        if not self._has_passages():
            return np.zeros(0, np.int64)
        sql = f"SELECT n.id FROM nodes n WHERE +n.ns = ? AND n.id > ? AND {_LIVE} ORDER BY n.id"
        return np.asarray([row[0] for row in self.connection.rows(sql, (self._ns, after))], np.int64)

    def _has_passages(self) -> bool:
        """Whether a passage was ever added: each has an arc of one of two relations."""
        return any(map(self._relation, (TITLED, MENTIONS)))

    def _relation(self, norm: str) -> int:
        """Row of a relation by its normalised name, 0 for an unknown one."""
        row = self.connection.one("SELECT id FROM relations WHERE ns = ? AND norm = ?", (self._ns, norm))
        return int(row[0]) if row else 0

    def passages_by_id(self, ids: Sequence[int] | np.ndarray) -> dict[int, Node]:
        """Live passages by id; ids of anything else are left out."""
        with self.connection.reading() as raw:
            found = queries.nodes_by_id(raw, self._ns, self.namespace, as_ids(ids))
        return {node: value for node, value in found.items() if value.kind == PASSAGE and not value.retired}

    def passage_vectors(self, fingerprint: str, ids: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids [n] and vectors, float32 [n, K], of those of the passages that this encoder has encoded, by id.

        Raises:
            EncoderMismatch: one of them has a vector of another encoder.
        """
        sql = (
            "SELECT k.fingerprint FROM json_each(?) j CROSS JOIN vectors v ON v.node = j.value "
            "JOIN encoders k ON k.id = v.encoder WHERE k.fingerprint <> ? LIMIT 1"
        )
        wanted = as_ids(ids)
        with self.connection.reading() as raw:
            other = raw.execute(sql, (json.dumps(wanted), fingerprint)).fetchone()
            if other is not None:
                vector_rows.refuse(other[0], fingerprint)
            return vector_rows.read_some(raw, fingerprint, wanted)

    def passages_without_vectors(self, fingerprint: str, limit: int, after: int = 0) -> np.ndarray:
        """Ids above ``after`` of live passages that this encoder has not encoded, int64 [n], lowest first."""
        with self.connection.reading() as raw:
            ids = vector_rows.without(raw, self._ns, fingerprint, limit, after, f"= '{PASSAGE}'")
        return np.asarray(ids, np.int64)

    def titled(self, normalised: Sequence[str], as_of: int | None = None) -> dict[str, list[tuple[int, int]]]:
        """For each normalised name that is a title: the node it names and a passage, for every passage under it."""
        sql = """
            SELECT j.value, n.id, e.dst FROM json_each(:names) j
            CROSS JOIN nodes n ON n.ns = :ns AND n.norm = j.value
            CROSS JOIN edges e ON e.src = n.id AND e.rel = :rel
            WHERE n.retired_at IS NULL AND {condition} ORDER BY e.dst
        """
        names = json.dumps(list(dict.fromkeys(normalised)), ensure_ascii=False)
        found: dict[str, list[tuple[int, int]]] = {}
        for name, node, passage in self._joined(sql, {"names": names, "rel": self._relation(TITLED)}, as_of):
            found.setdefault(name, []).append((node, passage))
        return found

    def mentioned(self, passages: Sequence[int], as_of: int | None = None) -> list[tuple[int, int]]:
        """(passage, node) for every entity that one of the passages names."""
        return self._joined(_ARCS, {"ids": json.dumps(as_ids(passages)), "rel": self._relation(MENTIONS)}, as_of)

    def passages_of(self, nodes: Sequence[int], as_of: int | None = None) -> list[tuple[int, int]]:
        """(node, passage) for every passage whose title names one of the nodes."""
        return self._joined(_ARCS, {"ids": json.dumps(as_ids(nodes)), "rel": self._relation(TITLED)}, as_of)

    def _joined(self, sql: str, values: dict[str, object], as_of: int | None) -> list[tuple]:  # type: ignore[type-arg]
        with self.connection.reading() as raw:
            condition, moment = queries.visible(raw, as_of)
            return raw.execute(sql.format(condition=condition), values | moment | {"ns": self._ns}).fetchall()

    def search_passages(
        self, query: str, *, limit: int = 10, where: Literal["anywhere", "title"] = "anywhere"
    ) -> list[tuple[int, float]]:
        """Ids and BM25 scores, best first, of live passages by the words of title and text, or of the title alone."""
        column = "{name} : " if where == "title" else ""
        with self.connection.reading() as raw:
            expressions = fulltext.matches(raw, query, self._counts[0])
            search = lambda match: self._matching(raw, f"{column}({match})", limit)
            return fulltext.first_full(expressions, limit, search)

    def passages_with(self, phrase: str, *, limit: int = 10) -> list[int]:
        """Ids of live passages whose text contains the words of ``phrase`` in sequence."""
        words = _WORD.findall(phrase)
        if not words:
            return []
        with self.connection.reading() as raw:
            return [node for node, _ in self._matching(raw, f'{{text}} : "{" ".join(words)}"', limit)]

    def held(self, phrases: Sequence[str]) -> set[str]:
        """The phrases whose words stand in sequence in a name, an alias or a text of an entity, passage or fact."""
        with self.connection.reading() as raw:
            return fulltext.held(raw, self._ns, phrases)

    def _matching(self, raw: sqlite3.Connection, match: str, limit: int) -> list[tuple[int, float]]:
        sql = (
            "SELECT id, score FROM (SELECT n.id AS id, -bm25(node_fts, 2.0, 1.0, 1.0) AS score "
            "FROM node_fts CROSS JOIN nodes n ON n.id = node_fts.rowid "
            f"WHERE node_fts MATCH ? AND +n.ns = ? AND {_LIVE} LIMIT {fulltext.RANKED}) ORDER BY score DESC, id LIMIT ?"
        )
        return raw.execute(sql, (match, self._ns, limit)).fetchall()

    def put_sentences(self, spans: Mapping[int, Sequence[Span]]) -> None:
        """Store the sentences of passages by their characters, in place of earlier ones. Writes; not journalled.

        They go when the passage's text changes or is removed; ``passages_without_sentences`` finds it again.

        Raises:
            InvalidValue: no passage of this namespace, a span outside its text, or spans that are not in order.
        """
        with self.connection.writing() as raw:
            queries.names(raw, self._ns, as_ids(list(spans)))
            sentence_rows.put(raw, {as_id(passage): found for passage, found in spans.items()})

    def sentences(self, passages: Sequence[int]) -> dict[int, list[Span]]:
        """Spans of the sentences of each passage, in order; passages that were not split are left out."""
        with self.connection.reading() as raw:
            return sentence_rows.of(raw, as_ids(passages))

    def search_sentences(self, query: str, *, limit: int = 10) -> list[tuple[int, Span, float]]:
        """Passage, span and BM25 score, best first, of the sentences of live passages by words."""
        with self.connection.reading() as raw:
            expressions = fulltext.matches(raw, query, self._counts[2])
            search = lambda match: sentence_rows.search(raw, self._ns, match, limit)
            return fulltext.first_full(expressions, limit, search)

    def passages_without_sentences(self, limit: int = 1024, after: int = 0) -> list[tuple[int, str]]:
        """Id and text of live passages above ``after`` that have no sentences, lowest id first."""
        with self.connection.reading() as raw:
            return sentence_rows.unsplit(raw, self._ns, limit, after)
