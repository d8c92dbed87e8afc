"""Facts around nodes: of any valid time or of one, bounded at each end, without retired ones and passages' links."""

from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire
from graphmem.core.times import to_micros
from graphmem.memory import GraphMemory


def around(store: Any, *names: str, limit: int = 50, as_of: int | None = None) -> set[str]:
    ids = store.fact_ids_around((store.find(name).id for name in names), limit=limit, as_of=as_of)
    assert len(ids) == len(set(ids))
    return {str(fact) for fact in store.facts_by_id(ids)}


def test_facts_of_both_ends_and_of_any_valid_time(store: Any) -> None:
    store.apply([
        AddEdge("Ann", "works at", "Acme", "", "1990", "1995"), AddEdge("Ann", "works at", "Beta", "", "1995"),
        AddEdge("Ann", "will move to", "Oslo", "", "2190"), AddEdge("Olav", "knows", "Ann", "", "1980"),
        AddEdge("Olav", "likes", "Tea"),
    ])  # fmt: skip
    every = {"Ann | works at | Acme", "Ann | works at | Beta", "Ann | will move to | Oslo", "Olav | knows | Ann"}
    assert around(store, "Ann") == every
    assert around(store, "Ann", "Tea") == every | {"Olav | likes | Tea"}
    then = to_micros("1992")
    assert around(store, "Ann", as_of=then) == {"Ann | works at | Acme", "Olav | knows | Ann"}
    assert around(store, "Ann", as_of=to_micros("2024")) == {"Ann | works at | Beta", "Olav | knows | Ann"}
    assert store.fact_ids_around([], limit=5) == []


def test_retired_and_denied_facts_are_left_out(store: Any) -> None:
    store.apply([
        AddEdge("Ann", "works at", "Acme"), AddEdge("Ann", "lives in", "Oslo"),
        AddEdge("Ann", "lives in", "Rome", factuality="negated"),
        AddEdge("Ann", "lives in", "Paris", status="suggested"),
    ])  # fmt: skip
    (fact,) = store.facts(store.find("Ann").id, "works at", None)
    store.apply([Retire(fact.id)])
    assert around(store, "Ann") == {"Ann | lives in | Oslo"}


def test_the_newest_facts_of_each_end_are_kept(store: Any) -> None:
    store.apply([AddEdge("Hub", "knows", f"Friend {n}") for n in range(30)])
    store.apply([AddEdge(f"Fan {n}", "follows", "Hub") for n in range(30)])
    assert around(store, "Hub", limit=2) == {
        "Hub | knows | Friend 28", "Hub | knows | Friend 29", "Fan 28 | follows | Hub", "Fan 29 | follows | Hub",
    }  # fmt: skip


def test_a_hub_is_not_sorted_as_a_whole(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.apply([AddEdge("Hub", "knows", f"Friend {n}") for n in range(3000)])
    hub = store.find("Hub").id
    steps: list[int] = []
    with store.connection.reading() as raw:
        for most in (10, 10_000):
            monkeypatch.setattr("graphmem.storage.listing_store.MAX_SORTED", most)
            steps.append(0)
            raw.set_progress_handler(lambda: steps.append(steps.pop() + 1), 10)  # noqa: B023
            found = store.fact_ids_around([hub], limit=5)
            raw.set_progress_handler(None, 0)
            assert len(found) == 5 and found == sorted(found, reverse=True)
    assert 20 * steps[0] < steps[1]


def test_links_of_passages_are_no_facts(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add("Ann", "lives in", "Oslo")
        memory.add_passages([("Ann", "Ann walked to Oslo with Olav.")], encode=False)
        assert around(memory.store, "Ann", "Oslo") == {"Ann | lives in | Oslo"}


def test_another_namespace_is_not_seen(store: Any) -> None:
    store.apply([AddNode("Ann"), AddEdge("Ann", "lives in", "Oslo")])
    with GraphMemory.open(store.path, namespace="other") as other:
        other.add("Bob", "lives in", "Rome")
        assert other.store.fact_ids_around([store.find("Ann").id], limit=5) == []


def test_facts_of_one_relation_are_found_of_any_time(store: Any) -> None:
    store.apply(
        [
            AddEdge("Ann", "works at", "Acme", valid_from="1990", valid_to="2000"), AddEdge("Ann", "works at", "Beta"),
            AddEdge("Ann", "lives in", "Oslo"), AddEdge("Olav", "works at", "Ann"),
        ]
    )  # fmt: skip
    node = store.find("Ann").id
    found = store.fact_ids_around([node], limit=10, relation="works_at")
    assert {str(fact) for fact in store.facts_by_id(found)} == {
        "Ann | works at | Acme", "Ann | works at | Beta", "Olav | works at | Ann"
    }  # fmt: skip
    assert len(store.fact_ids_around([node], limit=1, relation="works at")) == 2  # one of each end
    assert store.fact_ids_around([node], limit=10, relation="unheard of") == []
