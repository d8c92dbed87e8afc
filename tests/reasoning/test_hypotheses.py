"""Hypotheses of a set: topics kept apart, left out at a cost, and alternatives."""

from __future__ import annotations

import numpy as np
import pytest

from graphmem.reasoning.hypotheses import BEAM, LEFT_OUT, alternatives, cost_of, intersections
from graphmem.reasoning.member_sets import MemberSet
from graphmem.reasoning.patterns import Pattern
from graphmem.reasoning.topics import Topic


def topic(text: str, node: int, kind: str = "name") -> Topic:
    return Topic(text, 0, len(text), (node,), kind)  # type: ignore[arg-type]


def pattern(at: int, code: int, nodes: list[int], score: float = 0.0) -> Pattern:
    members = MemberSet.of(np.array(nodes), np.array(nodes)[:, None] + 100 * (at + 1))
    return Pattern(at, (code,), False, members, score, score)


def test_members_have_a_fact_of_each_topic() -> None:
    topics = [topic("Ann", 1), topic("dog", 2, "word")]
    found = intersections(topics, [[pattern(0, 3, [10, 11])], [pattern(1, 5, [11, 12])]], range(2))
    assert found[0].members is not None and found[0].members.nodes.tolist() == [11]
    assert found[0].members.facts_of(11) == [111, 211] and found[0].score == 0


def test_a_topic_that_fits_nothing_is_left_out_at_its_cost() -> None:
    topics = [topic("Ann", 1), topic("dog", 2, "word")]
    best = intersections(topics, [[pattern(0, 3, [10])], [pattern(1, 5, [12])]], range(2))[0]
    assert best.members is not None and best.members.nodes.tolist() == [10] and -LEFT_OUT["word"] < best.score < 0
    assert cost_of(topic("ann", 1), []) < cost_of(topic("Ann", 1), [])


def test_a_word_none_of_whose_facts_is_relevant_costs_little_to_leave_out() -> None:
    word, name = topic("dog", 2, "word"), topic("Ann", 1)
    costs = [cost_of(word, [pattern(0, 3, [10], score)]) for score in (4.0, -5.0, -12.0)]
    assert LEFT_OUT["word"] > costs[0] > costs[1] > costs[2] > 0
    assert costs[2] < 0.1 and cost_of(word, []) == pytest.approx(0, abs=1e-6)
    assert cost_of(name, [pattern(0, 3, [10], -9.0)]) == LEFT_OUT["name"]


def test_only_topics_of_one_kind_share_a_pattern() -> None:
    patterns = [[pattern(0, 3, [10])], [pattern(1, 3, [10])]]
    both, mixed = (
        intersections([topic("Ann", 1), topic("Per", 2, kind)], patterns, range(2))[0].score
        for kind in ("name", "word")
    )
    assert both > mixed == 0


def test_what_a_question_names_is_no_member() -> None:
    topics = [topic("Ann", 1), topic("Per", 2)]
    best = intersections(topics, [[pattern(0, 3, [2, 9])], [pattern(1, 3, [1, 9])]], range(2))[0]
    assert best.members is not None and best.members.nodes.tolist() == [9]


def test_alternatives_are_the_named_nodes_or_what_the_same_pattern_leads_to() -> None:
    topics = [topic("Mull", 1), topic("Garda", 2)]
    own, reached = alternatives(topics, [[pattern(0, 3, [10])], [pattern(1, 3, [11])]], range(2))
    assert own.members is not None and own.members.nodes.tolist() == [1, 2] and own.alternatives == (0, 1)
    assert reached.members is not None and reached.members.nodes.tolist() == [10, 11] and reached.score < own.score
    assert alternatives(topics, [[], []], range(1)) == []


def test_the_beam_is_bounded() -> None:
    topics = [topic(f"T{at}", at) for at in range(5)]
    patterns = [[pattern(at, code, [50, 51 + code], -code) for code in range(12)] for at in range(5)]
    assert len(intersections(topics, patterns, range(5))) == BEAM
