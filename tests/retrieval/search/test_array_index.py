from __future__ import annotations

from pathlib import Path

import numpy as np

from graphmem.retrieval.search.array_index import ArrayIndex
from graphmem.storage.sqlite import SQLiteStore

TRIPLES = [("a", "likes", "b"), ("b", "owns", "c"), ("A", "likes", "c"), ("c", "likes", "c")]


def test_it_walks_as_a_store_does(tmp_path: Path) -> None:
    index = ArrayIndex(TRIPLES)
    store = SQLiteStore.open(str(tmp_path / "a.db"))
    store.bulk_load(["a", "b", "c"], TRIPLES)
    other = store.index()
    for name, node in index.ids.items():
        arcs = index.expand(np.asarray([node]))
        theirs = other.expand(np.asarray([store.resolve(name).id]))
        said = sorted(
            (index.relations[c // 2], c % 2, index.names[t]) for c, t in zip(arcs.relation, arcs.target, strict=True)
        )
        named = store.names(theirs.target)
        assert said == sorted(
            (other.relations[c // 2], c % 2, name) for c, name in zip(theirs.relation, named, strict=True)
        )
    store.close()


def test_a_limit_takes_that_many() -> None:
    index = ArrayIndex([("hub", "has", str(i)) for i in range(10)])
    arcs = index.expand(np.asarray([0, 3]), 4)
    assert arcs.origin.tolist() == [0, 0, 0, 0, 1] and index.degree(np.asarray([0, 3])).tolist() == [10, 1]


def test_no_triples_no_nodes() -> None:
    assert ArrayIndex([]).size == 0 and ArrayIndex([]).relations == ()
