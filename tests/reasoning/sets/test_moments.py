"""Adjacency over an interval: facts of any of its moments, each once."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmem.core.times import to_micros
from graphmem.memory import GraphMemory
from graphmem.questions.time_expressions import DAY
from graphmem.reasoning.sets.moments import StackedIndex, index_of, moments_of


def micros(text: str) -> int:
    found = to_micros(text)
    assert found is not None
    return found


def test_an_interval_is_looked_at_by_its_ends_and_middle() -> None:
    assert moments_of(0, DAY) == (0,) and moments_of(0, 10 * DAY) == (0, 5 * DAY, 10 * DAY - 1)


def test_facts_of_any_moment_are_there_once(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add("Ann", "works at", "Acme", valid_from="2001", valid_to="2010-03-01")
        memory.add("Bo", "works at", "Acme", valid_from="2010-11-01")
        memory.add("Cy", "works at", "Acme", valid_from="2015")
        memory.add("Acme", "based in", "Oslo")
        memory.add_passages([("Acme", "Acme makes nails in Oslo.", None)])
        store = memory.store
        index = index_of(store, moments_of(micros("2010"), micros("2011")))
        assert isinstance(index, StackedIndex)
        acme = np.asarray(store.resolve_many(["acme"])["acme"][:1])
        names = lambda arcs: sorted(store.names(arcs.target.tolist()))
        facts = index.facts_only()
        assert names(facts.expand(acme)) == ["Ann", "Bo", "Oslo"] and len(index.expand(acme).edge) > 3
        assert int(facts.degree(acme)[0]) >= 3
        works = facts.relations.index("works at")
        assert len(facts.facts_of(works, 10)) == 2 and len(facts.facts_of(works, 1)) == 1
        assert names(index_of(store, ()).facts_only().expand(acme)) == ["Bo", "Cy", "Oslo"]
