"""Sentences of passages: stored by characters, searched, removed with their text."""

from __future__ import annotations

import pytest

from graphmem.core.edits import AddEdge, AddNode, UpdateNode
from graphmem.core.errors import InvalidValue, NotFound
from graphmem.ingestion.documents import add_passages, split_sentences
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

TEXT = "Ana moved to Lima in 2010.  She works for Dr. Ruiz.\n\nHer cat is called Nube."
SENTENCES = ["Ana moved to Lima in 2010.", "She works for Dr. Ruiz.", "Her cat is called Nube."]


@pytest.fixture
def store(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        yield store


def texts(store):
    (passage,) = store.passage_ids().tolist()
    return [store.node(passage).text[a:b] for a, b in store.sentences([passage]).get(passage, [])]


def test_documents_are_split_and_their_sentences_searched(store):
    add_passages(store, [("Ana", TEXT)], encoder=None, date="2011-05")
    assert texts(store) == SENTENCES
    (passage,) = store.passage_ids().tolist()
    assert store.node(passage).date == "2011-05"
    (found, (start, end), score), *_ = store.search_sentences("the name of the cat")
    assert (found, TEXT[start:end], score > 0) == (passage, SENTENCES[2], True)
    assert check(store.path).ok


def test_sentences_go_with_their_text_and_are_made_again(store):
    entry = add_passages(store, [("Ana", TEXT)], encoder=None).entries[0]
    (passage,) = store.passage_ids().tolist()
    store.apply([UpdateNode(passage, text="Nobody knows.")])
    assert texts(store) == [] and store.search_sentences("cat Nube") == []
    assert split_sentences(store) == 1 and texts(store) == ["Nobody knows."]
    store.undo()
    assert split_sentences(store) == 1 and texts(store) == SENTENCES
    store.undo(entry.id)
    assert store.connection.one("SELECT count(*) FROM sentences") == (0,) and store.search_sentences("cat Nube") == []
    store.redo(entry.id)
    assert split_sentences(store) == 1 and texts(store) == SENTENCES
    assert check(store.path).ok


def test_spans_that_are_no_sentences_are_refused(store):
    add_passages(store, [("Ana", TEXT)], encoder=None)
    (passage,) = store.passage_ids().tolist()
    for spans in ([(0, len(TEXT) + 1)], [(-1, 3)], [(3, 3)], [(5, 9), (0, 4)], [(0, 6), (5, 9)]):
        with pytest.raises(InvalidValue):
            store.put_sentences({passage: spans})
    store.apply([AddNode("Ana Ruiz", text="Ana Ruiz lives.")])
    with pytest.raises(InvalidValue):
        store.put_sentences({store.resolve("Ana Ruiz").id: [(0, 3)]})
    with pytest.raises(NotFound):
        store.put_sentences({99: [(0, 3)]})
    assert texts(store) == SENTENCES


def test_facts_that_are_not_asserted_stand_beside_those_that_hold(store):
    store.apply([AddEdge("Ana", "lives in", "Lima")])
    (held,) = store.facts()
    store.apply([AddEdge("Ana", "lives in", "Lima", factuality="planned", qualifiers={"until": "2040"})])
    store.apply([AddEdge("Ana", "lives in", "Lima", status="suggested", confidence=0.3)])
    store.apply([AddEdge("Ana", "lives in", "Lima")])
    assert [fact.id for fact in store.facts()] == [held.id]
    assert len(store.index().facts_of(0, 10)) == 1
    edges = store.edges([1, 2, 3])
    assert [edge.strength for edge in edges] == [2.0, 1.0, 1.0]
    assert [(edge.factuality, edge.status) for edge in edges] == [
        ("asserted", "stated"), ("planned", "stated"), ("asserted", "suggested"),
    ]  # fmt: skip
    assert edges[1].qualifiers == {"until": "2040"}
    for wrong in ({"factuality": "maybe"}, {"status": ""}, {"place": (1, 2, 3)}):
        with pytest.raises(InvalidValue):
            store.apply([AddEdge("Ana", "lives in", "Lima", **wrong)])


def test_the_place_of_a_fact_is_kept(store):
    from graphmem.core.types import Place

    add_passages(store, [("Ana", TEXT)], encoder=None)
    (passage,) = store.passage_ids().tolist()
    store.apply([AddEdge("Ana", "lives in", "Lima", place=Place(passage, 0, 26))])
    (fact,) = [fact for fact in store.facts() if fact.relation == "lives in"]
    assert fact.place == Place(passage, 0, 26) and store.edge(fact.id).place == fact.place
    with pytest.raises(InvalidValue):
        store.apply([AddEdge("Ana", "lives in", "Rome", place=Place(passage, 9, 3))])
    with pytest.raises(NotFound):
        store.apply([AddEdge("Ana", "lives in", "Rome", place=Place(999, 0, 3))])
