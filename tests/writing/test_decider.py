"""The rules around the gate, on a real store, with a gate that always writes what it may."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, Edit, PinEdge, Retire, SupersedeEdge, WriteDecision
from graphmem.core.times import to_micros
from graphmem.core.types import Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reading.candidates import CandidateFact
from graphmem.storage.sqlite import SQLiteStore
from graphmem.writing.decider import WriteDecider
from graphmem.writing.entity_linking import EntityLinker
from graphmem.writing.gate_features import GraphContext
from graphmem.writing.write_gate import WriteGate


class Vectors:
    """An encoder that knows nothing."""

    dim, fingerprint = 4, "none"

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.ones((len(texts), 4), np.float32)


class Eager(WriteGate):
    """Prefers the strongest action."""

    def probabilities(self, candidate: CandidateFact, near: GraphContext, trust: float) -> np.ndarray:
        return np.array([0.01, 0.09, 0.6, 0.3], np.float32)

    def relation_priors(self, vectors: np.ndarray) -> np.ndarray:
        return np.full((len(vectors), 2), 0.9, np.float32)


@pytest.fixture
def store() -> Iterator[SQLiteStore]:
    store = SQLiteStore.open(":memory:")
    store.apply([AddEdge("Ada", "lives in", "London", valid_from="1830")])
    yield store
    store.close()


def decide(store: SQLiteStore, *candidates: CandidateFact, **options: object) -> tuple[list[WriteDecision], list[Edit]]:
    decider = WriteDecider(store, EmbeddingCache(Vectors()), Eager(features=4, text_width=4), **options)  # type: ignore[arg-type]
    linker = EntityLinker(store)
    cases = [(c, linker.link(c.fact.subject), linker.link(c.fact.object)) for c in candidates]
    decisions = decider.decide(cases)
    return decisions, [edit for d in decisions for edit in decider.edits_of(d)]


def candidate(value: str, factuality: str = "asserted", **fields: str) -> CandidateFact:
    return CandidateFact(Fact("Ada", "lives in", value, **fields), factuality)  # type: ignore[arg-type]


def test_a_new_value_supersedes(store: SQLiteStore) -> None:
    _, edits = decide(store, candidate("Surrey"), at="1843-05-01")
    assert isinstance(edits[0], SupersedeEdge)
    store.apply(edits)
    ada = store.resolve("Ada")
    assert ada is not None
    assert [(f.object, f.valid_from) for f in store.facts(ada.id)] == [("Surrey", "1843-05-01")]


def test_an_earlier_value_is_added_before_the_held_one(store: SQLiteStore) -> None:
    _, edits = decide(store, candidate("Kent", valid_from="1820-01-01"))
    assert edits == [AddEdge("Ada", "lives in", "Kent", "", "1820-01-01", "1830-01-01", 1.0, None)]


def test_the_ended_value_of_the_same_text_is_superseded(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada", "lives in", "Bath", valid_from="1840")])
    decisions, edits = decide(store, candidate("London", "ended"), candidate("Surrey"))
    assert [(d.action, d.fact.object) for d in decisions] == [("update", "Surrey"), ("skip", "London")]
    old = edits[0].edge if isinstance(edits[0], SupersedeEdge) else 0
    assert store.facts_by_id([old])[0].object == "London"


def test_an_end_closes_the_interval(store: SQLiteStore) -> None:
    decisions, edits = decide(store, candidate("London", "ended", valid_to="1850-01-01"))
    assert decisions[0].action == "retire"
    store.apply(edits)
    ada = store.resolve("Ada")
    assert ada is not None
    assert store.facts(ada.id) == []
    assert [f.valid_to for f in store.facts_by_id([1])] == ["1850-01-01"]


def test_an_end_before_the_beginning_retires(store: SQLiteStore) -> None:
    _, edits = decide(store, candidate("London", "ended", valid_to="1800-01-01"))
    assert edits == [Retire(1)]


def test_a_text_from_before_the_held_fact_tells_of_history(store: SQLiteStore) -> None:
    store.apply(decide(store, candidate("Surrey"), at="2024")[1])
    store.apply(decide(store, candidate("Kent"), at="2010")[1])
    ada = store.resolve("Ada")
    assert ada is not None
    assert [(f.object, f.valid_from, f.valid_to) for f in store.facts(ada.id)] == [("Surrey", "2024", None)]
    (then,) = store.facts(ada.id, as_of=to_micros("2015"))
    assert (then.object, then.valid_from, then.valid_to) == ("Kent", "2010", "2024-01-01")


def test_an_end_in_a_text_from_before_the_held_fact_leaves_it(store: SQLiteStore) -> None:
    store.apply(decide(store, candidate("London", "ended"), at="1800")[1])
    ada = store.resolve("Ada")
    assert ada is not None
    assert [(f.object, f.valid_from) for f in store.facts(ada.id)] == [("London", "1830")]
    assert [(f.object, f.valid_to) for f in store.facts_by_id([2])] == [("London", "1800-01-01")]


def test_a_text_of_the_same_day_is_later(store: SQLiteStore) -> None:
    for place in ("Bath", "Kent"):
        store.apply(decide(store, candidate(place), at="2020-05-01")[1])
    ada = store.resolve("Ada")
    assert ada is not None
    assert [f.object for f in store.facts(ada.id)] == ["Kent"]


def test_spellings_of_a_relation_are_one(store: SQLiteStore) -> None:
    fact = Fact("Ada", "lives_in", "London")
    decisions, edits = decide(store, CandidateFact(fact))
    assert [d.action for d in decisions] == ["skip"]
    store.apply(edits)
    assert store.stats()["relations"] == 1 and store.edge(1).strength == 2.0


def test_a_repetition_strengthens(store: SQLiteStore) -> None:
    decisions, edits = decide(store, candidate("london"))
    assert decisions[0].action == "skip"
    store.apply(edits)
    assert store.edge(1).strength == 2.0


def test_two_values_in_one_text(store: SQLiteStore) -> None:
    bob = [CandidateFact(Fact("Bob", "lives in", place)) for place in ("Rome", "Oslo")]
    decisions, edits = decide(store, *bob, at="2020-01-01")
    assert [d.action for d in decisions] == ["add", "update"]
    store.apply(edits)
    node = store.resolve("Bob")
    assert node is not None
    assert [f.object for f in store.facts(node.id)] == ["Oslo"]


def test_low_trust_keeps_an_episode(store: SQLiteStore) -> None:
    decisions, edits = decide(store, candidate("Mars"), trust=0.4, source="gossip")
    assert decisions[0].action == "skip"
    assert "trusted less" in decisions[0].evidence["held_back"]
    assert [edit.kind for edit in edits if isinstance(edit, AddNode)] == ["episode"]


@pytest.mark.parametrize("factuality", ["planned", "negated", "reported"])
def test_what_is_not_asserted_is_kept_apart(store: SQLiteStore, factuality: str) -> None:
    decisions, edits = decide(store, candidate("Mars", factuality))
    assert decisions[0].fact.factuality == factuality
    store.apply(edits)
    ada = store.resolve("Ada")
    assert ada is not None
    assert [f.object for f in store.facts(ada.id)] == ["London"]
    assert {(f.object, f.factuality) for f in store.facts(ada.id, history=True)} == {
        ("London", "asserted"), ("Mars", factuality),
    }  # fmt: skip


def test_what_is_over_and_was_not_held_is_past(store: SQLiteStore) -> None:
    _, edits = decide(store, candidate("Mars", "ended", valid_from="1820", valid_to="1825"))
    store.apply(edits)
    ada = store.resolve("Ada")
    assert ada is not None
    assert [f.object for f in store.facts(ada.id)] == ["London"]
    assert [f.object for f in store.facts(ada.id, as_of=to_micros("1823"))] == ["Mars"]


def test_an_end_before_its_beginning_gives_a_fact_without_a_beginning(store: SQLiteStore) -> None:
    decisions, edits = decide(store, candidate("Mars", "ended", valid_from="1860", valid_to="1850"))
    assert (decisions[0].fact.valid_from, decisions[0].fact.valid_to) == (None, "1850")
    store.apply(edits)  # no InvalidTime


def test_hearsay_is_only_offered(store: SQLiteStore) -> None:
    decisions, edits = decide(store, candidate("Mars", "uncertain"))
    assert edits == [] and decisions[0].action == "skip"
    assert decisions[0].offer is not None and decisions[0].offer.fact.factuality == "uncertain"
    asked = replace(candidate("Mars", "uncertain").fact, text="Does Ada live on Mars?")
    assert decide(store, CandidateFact(asked, "uncertain"))[0][0].offer is None


@pytest.mark.parametrize(
    ("probability", "action", "offered"), [(0.9, "update", None), (0.5, "skip", "update"), (0.2, "skip", None)]
)
def test_two_thresholds_tell_what_is_written_and_what_is_offered(
    store: SQLiteStore, probability: float, action: str, offered: str | None
) -> None:
    decisions, edits = decide(store, replace(candidate("Surrey"), probability=probability), at="1843")
    assert decisions[0].action == action
    assert (decisions[0].offer.action if decisions[0].offer else None) == offered
    assert bool(edits) == (action == "update")
    assert decisions[0].fact.confidence == probability


def test_what_is_only_offered_is_no_context_of_what_follows(store: SQLiteStore) -> None:
    bob = [CandidateFact(Fact("Bob", "lives in", place), probability=p) for place, p in (("Rome", 0.5), ("Oslo", 1.0))]
    decisions, _ = decide(store, *bob, at="2020-01-01")
    assert [d.action for d in decisions] == ["skip", "add"]


def test_no_relation_to_itself(store: SQLiteStore) -> None:
    assert decide(store, CandidateFact(Fact("Ada", "knows", "ada"))) == ([], [])


def test_roles_in_other_facts_are_a_feature(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ben", "lives in", "Surrey")])
    right, wrong = (
        decide(store, CandidateFact(Fact(*fact)))[0][0].evidence["role_agreement"]
        for fact in (("Cara", "lives in", "Surrey"), ("Surrey", "lives in", "Cara"))
    )
    assert (right, wrong) == (1.0, -1.0)


def test_the_sources_of_the_held_fact_count(store: SQLiteStore) -> None:
    assert decide(store, candidate("Surrey"), trust=0.8)[0][0].action == "update"
    store.apply([AddEdge("Ada", "lives in", "London", source=name) for name in ("registry", "census")])
    decisions, _ = decide(store, candidate("Surrey"), trust=0.8)
    assert decisions[0].action == "skip"
    assert "trusted less" in decisions[0].evidence["held_back"]


@pytest.mark.parametrize(("value", "factuality"), [("Surrey", "asserted"), ("London", "ended"), ("London", "negated")])
def test_reading_changes_nothing_about_a_pinned_fact(store: SQLiteStore, value: str, factuality: str) -> None:
    store.apply([PinEdge(1)])
    before = store.edge(1)
    decisions, edits = decide(store, candidate(value, factuality, valid_to="1850"), trust=1.0)
    store.apply(edits)
    assert decisions[0].action == "skip"
    assert "pinned" in decisions[0].evidence["held_back"]
    assert store.edge(1) == before


def test_a_repetition_of_a_pinned_fact_changes_nothing(store: SQLiteStore) -> None:
    store.apply([PinEdge(1)])
    decisions, edits = decide(store, candidate("London", valid_to="1850"))
    assert (decisions[0].action, edits) == ("skip", [])


def test_a_weaker_repetition_dates_nothing(store: SQLiteStore) -> None:
    _, edits = decide(store, candidate("London", valid_to="1850"), trust=0.5)
    store.apply(edits)
    assert (store.edge(1).valid_to, store.edge(1).strength) == (None, 2.0)


def test_a_hundred_repetitions_of_one_source_change_nothing(store: SQLiteStore) -> None:
    for _ in range(100):
        store.apply(decide(store, candidate("Mars"), trust=0.6, source="gossip")[1])
    ada = store.resolve("Ada")
    assert ada is not None
    assert [f.object for f in store.facts(ada.id)] == ["London"]


def test_many_values_of_one_text_are_not_all_compared_with_all(store: SQLiteStore) -> None:
    many = [CandidateFact(Fact("Bob", "likes", f"Thing {i}")) for i in range(300)]
    decider = WriteDecider(store, EmbeddingCache(Vectors()), Eager(features=4, text_width=4))
    linker = EntityLinker(store)
    seen: list[int] = []
    decider._gate.probabilities = lambda c, near, trust: seen.append(len(near.held)) or np.array([0, 1, 0, 0])  # type: ignore
    decider.decide([(c, linker.link(c.fact.subject), linker.link(c.fact.object)) for c in many])
    assert len(seen) == 300
    assert max(seen) <= 64


def test_an_entity_with_the_name_of_an_episode_stays_an_entity(store: SQLiteStore) -> None:
    name = "claim of gossip: Ada | lives in | Mars"
    store.apply([AddNode(name)])
    store.apply(decide(store, candidate("Mars"), trust=0.4, source="gossip")[1])
    found = store.resolve(name)
    assert found is not None
    assert found.kind == "entity"


def test_a_text_about_the_past_changes_no_stronger_fact_of_that_time(store: SQLiteStore) -> None:
    store.apply([AddEdge("Ada", "lives in", "Ockham", valid_from="1815", valid_to="1830", confidence=1.0)])
    store.apply([AddEdge("Ada", "lives in", "Bath", valid_from="1840", confidence=0.5)])
    decisions, edits = decide(store, candidate("Mars", valid_from="1820"), trust=0.4, source="gossip")
    store.apply(edits)
    ada = store.resolve("Ada")
    assert ada is not None
    assert decisions[0].action == "skip"
    assert [f.object for f in store.facts(ada.id, as_of=to_micros("1821"))] == ["Ockham"]
