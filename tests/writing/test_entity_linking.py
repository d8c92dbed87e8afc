from collections.abc import Iterator

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import InvalidValue
from graphmem.core.paths import WEIGHTS
from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.storage.sqlite import SQLiteStore
from graphmem.writing.entity_linking import (
    FEATURES,
    EntityLinker,
    NameMatcher,
    fuller_names,
    is_short_for,
    link_relation,
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
    with pytest.raises(InvalidValue, match="weights"):
        NameMatcher(np.zeros(2))


HELD = {("Bob", "Acme"): ["works for"], ("Acme", "Bob"): []}


def held(subject: str, value: str) -> list[str]:
    return HELD.get((subject, value), [])


def read(subject: str, relation: str, value: str, *others: RelationAlternative, kind: str = "entity") -> CandidateFact:
    return CandidateFact(
        Fact(subject, relation, value), subject_span=(0, 3), object_span=(9, 12), object_kind=kind,
        as_received=(subject, value), alternatives=others,
    )  # fmt: skip


def test_a_held_alternative_is_taken() -> None:
    linked, inverted = link_relation(
        read("Bob", "employer", "Acme", RelationAlternative("works for", False, 0.2)), held
    )
    assert (str(linked.fact), inverted) == ("Bob | works for | Acme", False)


def test_inverted_alternatives() -> None:
    linked, inverted = link_relation(read("Acme", "employs", "Bob", RelationAlternative("works for", True, 0.2)), held)
    assert (str(linked.fact), inverted) == ("Bob | works for | Acme", True)
    assert (linked.subject_span, linked.object_span, linked.as_received) == ((9, 12), (0, 3), ("Bob", "Acme"))


def test_other_relations_stay() -> None:
    far = read("Bob", "founded", "Acme", RelationAlternative("owner", False, 0.2))
    assert link_relation(far, held) == (far, False)
    same = read("Bob", "works for", "Acme", RelationAlternative("employer", False, 0.4))
    assert link_relation(same, held) == (same, False)


def test_a_literal_is_never_a_subject() -> None:
    date = read("Acme", "founded in", "Bob", RelationAlternative("works for", True, 0.3), kind="literal")
    assert link_relation(date, held) == (date, False)


RECORDS = (
    AddNode("session:t #1: Ada lives in Rome", "episode"), AddNode("session:t", "session"),
    AddNode("reading:1", "reading", "", ("reading:2",)), AddNode("Ada ¶ 1", "passage", "Ada lives in Rome."),
)  # fmt: skip


@pytest.mark.parametrize("name", ["Rome", "session", "session:t", "session:t #1: Ada lives in Rome", "reading:2"])
def test_records_are_never_linked(store: SQLiteStore, matcher: NameMatcher, name: str) -> None:
    store.apply([AddEdge("Ada Lovelace", "lives in", "Bath"), *RECORDS])
    found = EntityLinker(store, matcher, recent=recent_names(store)).link(name)
    assert found.node is None


def test_a_name_that_only_begins_like_a_record_is_an_entity(store: SQLiteStore) -> None:
    store.apply([AddEdge("session:jazz", "takes place in", "New Orleans")])
    found = EntityLinker(store).link("session:jazz")
    assert found.node is not None
    assert found.node.kind == "entity"


def test_fuller_names_are_found_as_by_comparing_all() -> None:
    names = ["Ada", "Ada Lovelace", "Ada King Lovelace", "Dr. Ada", "Byron", "Lord Byron", "King"]
    fuller = fuller_names(names)
    for name in names:
        assert fuller(name) == [other for other in names if is_short_for(name, other)][:2]
