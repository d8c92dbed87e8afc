from collections.abc import Iterator

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import InvalidValue
from graphmem.core.paths import WEIGHTS
from graphmem.storage.sqlite import SQLiteStore
from graphmem.writing.entity_linking import (
    FEATURES,
    EntityLinker,
    LinkingConfig,
    NameMatcher,
    is_short_for,
    name_features,
    recent_names,
)
from graphmem.writing.write_gate import load_gate


@pytest.fixture
def store() -> Iterator[SQLiteStore]:
    store = SQLiteStore.open(":memory:")
    store.apply([AddEdge("Ada Lovelace", "born in", "London"), AddNode("New York City", aliases=("NYC",))])
    yield store
    store.close()


@pytest.fixture(scope="module")
def matcher() -> NameMatcher:
    return load_gate(WEIGHTS / "smollm2-135m").matcher


def test_exact_and_alias_come_first(store: SQLiteStore) -> None:
    entities = EntityLinker(store)
    assert entities.link("  ada LOVELACE ").name == "Ada Lovelace"
    assert entities.link("nyc").name == "New York City"


def test_a_fuller_name_in_the_text_wins(store: SQLiteStore) -> None:
    found = EntityLinker(store).link("Bell", ["Bell", "Alexander Bell"])
    assert (found.name, found.strategy, found.node) == ("Alexander Bell", "text", None)


def test_two_fuller_names_leave_it_open(store: SQLiteStore) -> None:
    assert EntityLinker(store).link("Bell", ["Alexander Bell", "Mabel Bell"]).strategy == "new"


def test_recent_names(store: SQLiteStore) -> None:
    found = EntityLinker(store, recent=recent_names(store)).link("Ada")
    assert (found.name, found.strategy) == ("Ada Lovelace", "recent")


def test_recent_names_after_an_undo(store: SQLiteStore) -> None:
    entry = store.apply([AddEdge("Zed Undone", "lives in", "Nowhereville")])
    store.undo(entry.id)
    assert not {"Zed Undone", "Nowhereville"} & set(recent_names(store))


def test_a_new_name_is_new(store: SQLiteStore, matcher: NameMatcher) -> None:
    entities = EntityLinker(store, matcher)
    for name in ("Grace Hopper", "London Bridge", "Ada Byron", "New York Times", "🚀", "東京", "42"):
        assert entities.link(name).node is None, name


def test_other_spellings_are_the_same(store: SQLiteStore, matcher: NameMatcher) -> None:
    entities = EntityLinker(store, matcher)
    for name in ("Ada-Lovelace", "Ms. Ada Lovelace", "the New York City"):
        assert entities.link(name).node is not None, name


def test_other_numbers_are_other_entities(matcher: NameMatcher) -> None:
    assert matcher.probability("Rocky II", "Rocky III") < 0.85
    assert matcher.probability("Apollo 11", "Apollo 12") < 0.85


def test_short_names() -> None:
    assert is_short_for("Ada", "Ada Lovelace")
    assert is_short_for("lovelace", "Ada Lovelace")
    assert not is_short_for("Ad", "Ada Lovelace")
    assert not is_short_for("Ada Lovelace", "Ada Lovelace")


def test_features_have_their_names() -> None:
    assert name_features("Zoë", "zoe").shape == (len(FEATURES),)
    assert name_features("Zoë", "zoe")[0] == 1.0


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"1\.5"):
        LinkingConfig(threshold=1.5)
    with pytest.raises(InvalidValue, match="weights"):
        NameMatcher(np.zeros(2))
