"""Worlds: facts keep their types, and questions are answered by walking the facts."""

from __future__ import annotations

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import data_split
from graphmem.synthetic.worlds import World


@pytest.fixture(scope="module")
def world() -> World:
    return World.sample(7, entities=200)


def test_equal_seeds_make_equal_worlds(world: World) -> None:
    again, other = World.sample(7, entities=200), World.sample(8, entities=200)
    assert (again.names, again.triples) == (world.names, world.triples) != (other.names, other.triples)
    assert again.questions(3, 20) == world.questions(3, 20)
    assert again.statements(3, 20) == world.statements(3, 20)


def test_facts_keep_types_and_functional_relations_one_object(world: World) -> None:
    assert len(set(world.triples)) == len(world.triples) > 200
    seen = set()
    for subject, name, object in world.triples:
        relation = world.relations[name]
        assert (world.kind_of[subject], world.kind_of[object]) == (relation.subject, relation.object)
        assert data_split(name) == "train"
        if relation.functional:
            assert (subject, name) not in seen
        seen.add((subject, name))


def test_a_world_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidValue):
        World.sample(1, relations=[])
    with pytest.raises(InvalidValue, match="no relation"):
        World(["a", "b"], ["person", "person"], [("a", "likes", "b")], [])


def test_answers_are_all_ends_of_the_path(world: World) -> None:
    for question in world.questions(11, 150):
        ends = {question.topic}
        for name, direction in question.path:
            ends = _ends(world, name, direction, ends)
        assert set(question.answers) == ends - {question.topic}
        assert 1 <= len(question.answers) <= 12 and len(question.path) == question.hops
        assert normalise(question.topic) in normalise(question.question)
        assert "{" not in question.question and "  " not in question.question


def _ends(world: World, name: str, direction: int, starts: set[str]) -> set[str]:
    """Walk one relation the slow way."""
    pairs = [(s, o) for s, r, o in world.triples if r == name]
    if world.relations[name].symmetric:
        pairs += [(o, s) for s, o in pairs]
    return {pair[1 - direction] for pair in pairs if pair[direction] in starts}


def test_unanswerable_questions_have_no_answer(world: World) -> None:
    found = world.questions(5, 60, unanswerable=1.0)
    assert len(found) == 60 and all(q.answers == () for q in found)
    assert all(not world.ends(q.topic, *q.path[0]) for q in found if q.hops == 1)
    assert {q.hops for q in world.questions(5, 60, hops=(2,))} == {2}
