from collections.abc import Iterator

import pytest

from graphmem.consolidation import ConsolidationConfig, consolidate
from graphmem.errors import InvalidValue
from graphmem.graph import AddEdge, AddNode
from graphmem.storage.sqlite import SQLiteStore


@pytest.fixture
def store() -> Iterator[SQLiteStore]:
    store = SQLiteStore.open(":memory:")
    yield store
    store.close()


def rumour(claim: str, source: str) -> AddNode:
    return AddNode(f"heard from {source}: {claim}", "episode", claim, (), {"claim": claim, "source": source})


def test_spellings_of_one_name_are_merged(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada Lovelace", "born in", "London"), AddEdge("Ada-Lovelace", "knows", "Babbage")])
    assert consolidate(store).merged == 1
    ada = store.resolve("ada-lovelace")
    assert ada is not None
    assert {fact.object for fact in store.facts(ada.id)} == {"London", "Babbage"}


def test_a_claim_heard_from_several_sources_becomes_a_fact(store: SQLiteStore) -> None:
    for source in ("a", "b", "c"):
        store.apply([rumour("Bob | spouse | Carol", source)])
    assert consolidate(store).promoted == 1
    assert [(str(fact), fact.confidence) for fact in store.facts()] == [("Bob | spouse | Carol", 0.6)]


def test_one_source_however_loud_promotes_nothing(store: SQLiteStore) -> None:
    for _ in range(9):
        store.apply([rumour("Bob | spouse | Carol", "a")])
    assert consolidate(store).promoted == 0


def test_a_claim_against_a_held_fact_is_not_promoted(store: SQLiteStore) -> None:
    store.apply([AddEdge("Bob", "born in", "Rome")])
    for source in ("a", "b", "c"):
        store.apply([rumour("Bob | born in | Oslo", source)])
    assert consolidate(store).promoted == 0
    assert [fact.object for fact in store.facts()] == ["Rome"]


def test_strength_is_halved_in_a_half_life(store: SQLiteStore) -> None:
    store.apply([AddNode("Ada")])
    config = ConsolidationConfig(half_life=10)
    consolidate(store, config, at="2030-01-01")
    consolidate(store, config, at="2030-01-11")
    node = store.resolve("Ada")
    assert node is not None
    assert node.strength == pytest.approx(0.5)


def test_a_second_run_changes_nothing(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada Lovelace", "born in", "London"), AddNode("Ada-Lovelace")])
    first = consolidate(store, at="2030-01-01")
    assert first.entry is not None
    assert consolidate(store, at="2030-01-01").entry is None


def test_a_night_is_undone_as_one(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada Lovelace", "born in", "London"), AddNode("Ada-Lovelace")])
    before = store.stats()["nodes"]
    assert consolidate(store).merged == 1
    store.undo()
    assert store.stats()["nodes"] == before


def test_the_weakest_are_archived_beyond_the_capacity(store: SQLiteStore) -> None:
    store.apply([AddNode("Ada"), AddNode("Ada"), AddNode("Bob")])
    assert consolidate(store, ConsolidationConfig(capacity=1)).archived == 1
    assert store.resolve("Ada") is not None
    assert store.stats()["nodes"] == 1


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InvalidValue, match="half_life"):
        ConsolidationConfig(half_life=0)
