"""Facts are found as before when a memory holds documents too."""

from __future__ import annotations

import numpy as np
import pytest

from graphmem.memory import GraphMemory
from graphmem.retrieval.facts_only import FactStore, facts_only
from graphmem.text.name_tagging import capitalised

FACTS = [
    ("The Copper Harbour", "directed by", "Ilse Brandt"),
    ("The Copper Harbour", "starred actors", "Ned Orley"),
    ("Night over Tarn", "directed by", "Paul Vey"),
    ("Night over Tarn", "starred actors", "Ned Orley"),
    ("Ilse Brandt", "born in", "Graz"),
]
DOCUMENTS = [
    (f"Story {i}", f"Ned Orley met Directed Films in Vienna{i} and saw The Copper Harbour with Ilse Brandt in Graz.")
    for i in range(20)
]
QUESTIONS = ["who directed The Copper Harbour?", "which films star Ned Orley?", "something about a harbour of copper"]


@pytest.mark.parametrize("ranker", ["activation", "ppr", "dense", "bm25"])
def test_nodes_and_facts_are_the_same_with_and_without_documents(encoder, ranker) -> None:
    found = []
    for documents in ([], DOCUMENTS):
        with GraphMemory.open(":memory:", encoder=encoder) as memory:
            memory.add_many(FACTS)
            if documents:
                memory.add_passages(documents, tagger=capitalised)
            results = [memory.retrieve(question, ranker=ranker) for question in QUESTIONS]
            found.append([([node.name for node in r.nodes], sorted(map(str, r.facts))) for r in results])
    if ranker == "bm25":  # which words are rare depends on all texts: the same nodes, perhaps in another order
        found = [[(sorted(names), facts) for names, facts in each] for each in found]
    assert found[0] == found[1]


def test_a_memory_without_documents_is_searched_as_it_is(store) -> None:
    store.bulk_load([], FACTS)
    index = store.index()
    assert facts_only(store, index) == (store, index)


def test_the_view_follows_what_changes(store) -> None:
    from graphmem.ingestion.documents import add_passages

    store.bulk_load([], FACTS)
    add_passages(store, DOCUMENTS, encoder=None, tagger=capitalised)
    ned, orley = store.resolve("Ned Orley").id, np.asarray([store.resolve("Ned Orley").id])
    view, index = facts_only(store, store.index())
    assert isinstance(view, FactStore) and index.degree(orley).tolist() == [2] and store.index().degree(orley)[0] > 20
    assert view.resolve_many(["vienna3", "ned orley"]) == {"vienna3": [], "ned orley": [ned]}
    store.bulk_load([], [("Ned Orley", "born in", "Vienna3")])
    view, index = facts_only(store, store.index())
    assert index.degree(orley).tolist() == [3] and view.resolve_many(["vienna3"])["vienna3"]
