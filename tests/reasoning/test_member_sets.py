"""Sets of nodes with their facts: algebra, and what makes a node a member."""

from __future__ import annotations

import numpy as np

from graphmem.reasoning.member_sets import MemberSet


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
