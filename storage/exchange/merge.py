"""Merge of one memory into another, with duplicates resolved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from graphmem.core.edits import AddEdge, AddNode, Edit, JournalEntry
from graphmem.core.errors import InvalidValue
from graphmem.storage.exchange.writers import all_nodes
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables.connection import MEMORY
from graphmem.storage.tables.vector_rows import put


def merge(
    store: SQLiteStore, other: str | os.PathLike[str], *, other_namespace: str | None = None, note: str = ""
) -> JournalEntry:
    """Add another memory's nodes and facts to this one, in one transaction with one entry. Writes.

    Nodes of the same normalised name or alias become one; known facts are strengthened, not duplicated. Facts that
    have ended keep their intervals; retired ones are not copied. Vectors are copied for nodes without one.
    ``other_namespace`` None is the one of this store's name.
    """
    namespace = store.namespace if other_namespace is None else other_namespace
    same_file = store.path != MEMORY and Path(other).exists() and Path(store.path).samefile(other)
    if same_file and namespace == store.namespace:
        raise InvalidValue(f"{other} is this memory itself; there is nothing to merge")
    with SQLiteStore.open(other, namespace=namespace, read_only=True) as source, store.connection.writing():
        with source.connection.reading():
            entry = store.update(lambda _: _edits(source), note=note or f"merge of {os.fspath(other)}", action="merge")
            _copy_vectors(source, store)
    return entry


def _edits(source: SQLiteStore) -> Iterator[Edit]:
    for node in all_nodes(source):
        yield AddNode(node.name, node.kind, node.text, node.aliases, node.attributes, ambiguous=True)
    namespace = "(SELECT id FROM namespaces WHERE name = ?)"
    sql = f"SELECT id FROM edges WHERE ns = {namespace} AND retired_at IS NULL ORDER BY id"
    for (identifier,) in source.connection.rows(sql, (source.namespace,)):
        edge = source.edge(identifier)
        subject, object = source.names([edge.src, edge.dst])
        sources = source.sources(identifier)
        first = sources[0] if sources else None
        fact = source.facts_by_id([identifier])[0]
        times = fact.valid_from, fact.valid_to
        yield AddEdge(subject, edge.relation, object, edge.text, *times, edge.confidence, first, edge.attributes)
        for name in sources[1:]:
            yield AddEdge(subject, edge.relation, object, "", *times, edge.confidence, name)


def _copy_vectors(source: SQLiteStore, store: SQLiteStore) -> None:
    for (fingerprint,) in source.connection.rows("SELECT fingerprint FROM encoders"):
        if not source.stats()["vectors"].get(fingerprint):
            continue
        ids, vectors = source.vectors(fingerprint)
        missing = {node.name: node.id for node in store.without_vectors(fingerprint, limit=len(ids) * 2 + 1024)}
        found = [store.resolve(name) for name in source.names(ids)]
        wanted = {at: node.id for at, node in enumerate(found) if node is not None and node.name in missing}
        if wanted:
            put(store.connection.raw, list(wanted.values()), vectors[list(wanted)], fingerprint)
