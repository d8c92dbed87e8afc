"""Sets of nodes with their facts: algebra, and what makes a node a member."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from graphmem.reasoning import member_sets
from graphmem.reasoning.member_sets import MemberSet, expand


def members(pairs: list[tuple[int, int]], complete: bool = True) -> MemberSet:
    nodes, edges = (np.array([pair[at] for pair in pairs], np.int64) for at in (0, 1))
    return MemberSet.of(nodes, edges[:, None], complete)


def test_a_node_is_a_member_once_with_its_first_fact() -> None:
    found = members([(5, 10), (2, 11), (5, 12)])
    assert found.nodes.tolist() == [2, 5] and found.facts_of(5) == [10] and found.facts_of(3) == []


def test_intersection_keeps_the_facts_of_both_sets() -> None:
    both = members([(1, 10), (2, 11), (3, 12)]) & members([(2, 20), (3, 21), (4, 22)], complete=False)
    assert both.nodes.tolist() == [2, 3] and both.facts_of(3) == [12, 21] and not both.complete


def test_difference_and_union() -> None:
    first, second = members([(1, 10), (2, 11)]), members([(2, 20), (3, 21)])
    assert (first - second).nodes.tolist() == [1] and (first - second).facts_of(1) == [10]
    assert (first | second).nodes.tolist() == [1, 2, 3] and (first | second).facts_of(2) == [11]
    wide = (first & second) | first
    assert wide.facts_of(1) == [10] and wide.facts_of(2) == [11, 20]
    assert first.without([1]).nodes.tolist() == [2] and len(first.without([])) == 2


def test_a_set_of_a_hundred_thousand_members_is_intersected() -> None:
    large = members([(node, node) for node in range(100_000)])
    assert len(large & members([(99_999, 1), (100_000, 2)])) == 1


class Index:
    """An adjacency in which node ``n`` has ``n`` facts."""

    def degree(self, nodes: np.ndarray) -> np.ndarray:
        return nodes

    def expand(self, nodes: np.ndarray, limit: int) -> SimpleNamespace:
        return SimpleNamespace(origin=np.repeat(np.arange(len(nodes)), np.minimum(nodes, limit)))


def test_facts_are_bounded_by_node_and_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_sets, "MAX_MEMBERS", 10)
    monkeypatch.setattr(member_sets, "MAX_ARCS", 25)
    arcs, complete = expand(Index(), np.array([3, 10, 4]))
    assert np.bincount(arcs.origin).tolist() == [3, 10, 4] and complete
    arcs, complete = expand(Index(), np.array([3, 1_000_000]))
    assert np.bincount(arcs.origin).tolist() == [3, 10] and not complete
    arcs, complete = expand(Index(), np.array([10, 10, 10]))
    assert np.bincount(arcs.origin).tolist() == [10, 10] and not complete
    assert expand(Index(), np.zeros(0, np.int64))[1]
