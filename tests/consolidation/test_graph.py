from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from graphmem.consolidation.graph import ConsolidationConfig, consolidate
from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import InvalidTime, InvalidValue
from graphmem.storage.sqlite import SQLiteStore

NOW = datetime.now(UTC)


@pytest.fixture
def store() -> Iterator[SQLiteStore]:
    store = SQLiteStore.open(":memory:")
    yield store
    store.close()


def later(days: float) -> datetime:
    return NOW + timedelta(days=days)


def rumour(claim: str, source: str) -> AddNode:
    return AddNode(f"claim from {source}: {claim}", "episode", claim, (), {"claim": claim, "source": source})


def strength(store: SQLiteStore, name: str) -> float:
    node = store.resolve(name)
    assert node is not None
    return node.strength


def test_spellings_of_one_name_are_merged(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada Lovelace", "born in", "London"), AddEdge("Ada-Lovelace", "knows", "Babbage")])
    assert consolidate(store).merged == 1
    ada = store.resolve("ada-lovelace")
    assert ada is not None
    assert {fact.object for fact in store.facts(ada.id)} == {"London", "Babbage"}


def test_a_claim_from_several_sources_becomes_a_fact(store: SQLiteStore) -> None:
    for source in ("a", "b", "c"):
        store.apply([rumour("Bob | spouse | Carol", source)])
    assert consolidate(store).promoted == 1
    assert [(str(fact), fact.confidence) for fact in store.facts()] == [("Bob | spouse | Carol", 0.6)]


def test_one_source_however_loud_promotes_nothing(store: SQLiteStore) -> None:
    for _ in range(9):
        store.apply([rumour("Bob | spouse | Carol", "a")])
    assert consolidate(store).promoted == 0


@pytest.mark.parametrize("claim", ["nothing but words", " | spouse | Carol", "a | b | c | d", "x" * 2000 + " | r | y"])
def test_a_claim_that_is_no_fact_is_left_alone(store: SQLiteStore, claim: str) -> None:
    for source in ("a", "b", "c"):
        store.apply([AddNode(f"claim from {source}", "episode", "", (), {"claim": claim, "source": source})])
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
    assert consolidate(store, config, at=later(10)).decayed == 1
    assert strength(store, "Ada") == pytest.approx(0.5, abs=1e-3)
    consolidate(store, config, at=later(20))
    assert strength(store, "Ada") == pytest.approx(0.25, abs=1e-3)


def test_many_short_runs_decay_as_much_as_a_long_one(store: SQLiteStore) -> None:
    store.apply([AddNode("Ada")])
    for hours in range(0, 240, 3):
        consolidate(store, ConsolidationConfig(half_life=10), at=later(hours / 24))
    assert strength(store, "Ada") == pytest.approx(0.5, abs=0.02)


def test_used_nodes_gain_strength_and_do_not_decay(store: SQLiteStore) -> None:
    ada, bob = store.apply([AddNode("Ada"), AddNode("Bob")]).node_ids
    store.touch([ada] * 5)
    done = consolidate(store, ConsolidationConfig(half_life=10), at=later(5))
    assert (done.strengthened, done.decayed) == (1, 2)
    assert strength(store, "Ada") > 2 > 1 > strength(store, "Bob")
    assert bob != ada


def test_a_use_is_counted_once(store: SQLiteStore) -> None:
    store.touch(store.apply([AddNode("Ada")]).node_ids)
    assert consolidate(store).strengthened == 1
    assert consolidate(store).entry is None


def test_a_second_run_changes_nothing(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada Lovelace", "born in", "London"), AddNode("Ada-Lovelace"), rumour("a | b | c", "x")])
    first = consolidate(store, ConsolidationConfig(capacity=3), at="2030-01-01")
    assert first.entry is not None
    assert consolidate(store, ConsolidationConfig(capacity=3), at="2030-01-01").entry is None


def test_a_merged_node_has_the_strength_of_both(store: SQLiteStore) -> None:
    store.apply([AddNode("Ada Lovelace"), AddNode("Ada-Lovelace")])
    consolidate(store, ConsolidationConfig(half_life=10), at=later(10))
    assert strength(store, "Ada Lovelace") == pytest.approx(1.0, abs=1e-3)


def test_a_run_is_undone_as_one(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada Lovelace", "born in", "London"), AddNode("Ada-Lovelace")])
    before = store.stats()["nodes"]
    assert consolidate(store).merged == 1
    store.undo()
    assert store.stats()["nodes"] == before


def test_the_weakest_are_archived_beyond_the_capacity(store: SQLiteStore) -> None:
    store.apply([AddNode("Ada"), AddNode("Ada"), AddNode("Bob"), AddNode("session:x", "session")])
    assert consolidate(store, ConsolidationConfig(capacity=1)).archived == 1
    assert store.resolve("Ada") is not None
    assert store.resolve("session:x") is not None
    assert store.resolve("Bob") is None


def test_an_empty_memory_needs_no_entry(store: SQLiteStore) -> None:
    assert consolidate(store).entry is None


def test_foreign_attributes_of_the_same_names_do_no_harm(store: SQLiteStore) -> None:
    store.apply([AddNode("Ada", attributes={"faded_at": "never", "uses_counted": "many"})])
    assert consolidate(store, at=later(400)).decayed == 1


def test_bad_settings_are_refused(store: SQLiteStore) -> None:
    with pytest.raises(InvalidValue, match="half_life"):
        ConsolidationConfig(half_life=0)
    with pytest.raises(InvalidTime, match="soon"):
        consolidate(store, at="soon")
