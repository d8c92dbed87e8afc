from __future__ import annotations

import networkx
import pytest

from graphmem.core.splits import data_split
from graphmem.datasets.wikimovies import held_out, load_facts, load_questions, neighbourhood, trained_answers


def test_everything_that_the_licence_lets_us_ship_is_there() -> None:
    assert len(load_facts()) == 129_233
    assert [sum(q.hops == h for q in load_questions()) for h in (1, 2, 3)] == [9_427, 12_813, 12_280]


def test_no_topic_is_in_two_splits() -> None:
    topics = {split: {q.topic for q in load_questions(split)} for split in ("train", "dev", "test")}
    assert not topics["train"] & topics["test"] and not topics["train"] & topics["dev"]
    assert all(data_split(topic) == "test" for topic in topics["test"])


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_never_answered_questions_share_no_answer_with_training(hops: int) -> None:
    fresh = held_out(hops, never_answered=True)
    assert fresh and not {a for q in fresh for a in q.answers} & trained_answers()


def test_the_neighbourhood_is_connected_and_keeps_the_answers() -> None:
    questions = [held_out(h, never_answered=True)[0] for h in (1, 2, 3)]
    part = neighbourhood(q.topic for q in questions)
    graph = networkx.Graph((s, o) for s, _, o in part)
    assert len(part) >= 10_000 and networkx.is_connected(graph)
    for q in questions:
        lengths = networkx.single_source_shortest_path_length(graph, q.topic)
        assert all(lengths[answer] <= q.hops for answer in q.answers)
