"""Worlds: relations load whole, texts say what their triples say, questions are answered by walking the facts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import data_split
from graphmem.synthetic.grammar import fill, short_name
from graphmem.synthetic.names import KINDS, NameGenerator
from graphmem.synthetic.verbalizer import ASSERTING, replay
from graphmem.synthetic.worlds import World, as_random
from graphmem.text.lexicon import load_lexicon, parse_relation, split_relations

ROW = {
    "relation": "lives in", "inverse": "home of", "subject": "person", "object": "city", "functional": True,
    "noun": "home", "inverse_noun": "person living in", "paraphrases": ["resides in"],
    "questions": ["Where does {s} live?", "Where is {s} at home?",
                  "Which city is home to {s}?", "Where is {s}'s home?"],
    "inverse_questions": ["Who lives in {o}?", "Who has a home in {o}?"],
    "statements": ["{s} lives in {o}.", "{o} is home to {s}.", "{s}, who lives in {o}, is out.",
                   "{s} has a home in {o}.",
                   "The home of {s} is in {o}."],
    "updates": ["{s} moved from {old} to {o}."], "ends": ["{s} no longer lives in {o}."],
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World.sample(7, entities=200)


def test_the_lexicon_is_large_distinct_and_speaks_of_known_types() -> None:
    relations = load_lexicon()
    assert len(relations) >= 150
    assert len({normalise(r.relation) for r in relations}) == len(relations)
    assert {r.subject for r in relations} | {r.object for r in relations} <= KINDS


def test_splits_are_disjoint_and_follow_the_name() -> None:
    parts = [{r.relation for r in split_relations(split)} for split in ("train", "dev", "test")]
    assert all(parts) and sum(map(len, parts)) == len(set().union(*parts)) == len(load_lexicon())
    assert all(data_split(name) == "test" for name in parts[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noun": ""}, "noun"),
        ({"functional": "yes"}, "functional"),
        ({"questions": ["Where?"] * 4}, "{s}"),
        ({"statements": ROW["statements"][:3]}, "5 at least"),
        ({"updates": ["{s} moved to {o}."]}, "{old}"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_line_is_named(change: dict, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_relation(json.dumps({**ROW, **change}), "here:3")
    assert "here:3" in str(caught.value) and message in str(caught.value)


def test_a_file_of_ones_own_loads_once_per_relation(tmp_path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        "\n".join(json.dumps(row) for row in (ROW, {**ROW, "relation": "Lives  IN"}, {**ROW, "relation": "x"}))
    )
    assert [r.relation for r in load_lexicon(path)] == ["lives in", "x"]
    path.write_text("{")
    with pytest.raises(InvalidValue, match="mine.jsonl:1"):
        load_lexicon(path)


def test_fill_minds_articles_and_tells_where_values_lie() -> None:
    text, spans = fill("{s} is a {o} and was a {old}.", {"s": "Ana", "o": "engineer", "old": "cook"})
    assert text == "Ana is an engineer and was a cook."
    assert [(text[a:b], slot) for a, b, slot in spans] == [("Ana", "s"), ("engineer", "o"), ("cook", "old")]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_invented_names_are_distinct_and_visible(kind: str) -> None:
    names = NameGenerator(as_random(1)).names(kind, 12)
    assert len(names) >= 10 and len({normalise(n) for n in names}) == len(names)
    assert all(name == name.strip() and name for name in names)
    assert names == NameGenerator(as_random(1)).names(kind, 12)


def test_unknown_types_need_names_of_the_callers() -> None:
    with pytest.raises(InvalidValue, match="wizardry"):
        NameGenerator(as_random(1)).names("wizardry", 2)
    assert NameGenerator(as_random(1)).names("wizardry", 2, ["a", "A", "b"]) in (
        ["a", "b"],
        ["A", "b"],
        ["b", "a"],
        ["b", "A"],
    )


def test_equal_seeds_make_equal_worlds(world: World) -> None:
    again, other = World.sample(7, entities=200), World.sample(8, entities=200)
    assert (again.names, again.triples) == (world.names, world.triples) != (other.names, other.triples)
    assert again.questions(3, 20) == world.questions(3, 20)
    assert again.statements(3, 20) == world.statements(3, 20)
    generators = [World.sample(np.random.default_rng(5), entities=50).triples for _ in range(2)]
    assert generators[0] == generators[1]


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


def test_names_of_the_callers_are_used() -> None:
    world = World.sample(
        1, entities=20, relations=[parse_relation(json.dumps(ROW))], names={"person": ["Ana", "Bo", "Cy"]}
    )
    assert {n for n in world.names if world.kind_of[n] == "person"} == {"Ana", "Bo", "Cy"}


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


def test_mentions_lie_where_they_say(world: World) -> None:
    passages = world.statements(2, 500)
    assert {p.kind for p in passages} == {"statement", "update", "end", "negation", "question", "hearsay", "chatter"}
    for passage in passages:
        for start, end, name in passage.mentions:
            surface = passage.text[start:end]
            assert normalise(surface) in (normalise(name), normalise(short_name(name))), (passage.text, surface, name)
        named = {name for _, _, name in passage.mentions}
        assert len(passage.valid_from) == len(passage.former) == len(passage.triples)
        assert all(triple[0] in named and triple[2] in named for triple in passage.triples), passage
        assert "{" not in passage.text and "  " not in passage.text


def test_statements_state_facts_and_updates_name_the_former(world: World) -> None:
    facts, seen = set(world.triples), set()
    for passage in world.statements(4, 400):
        if passage.kind == "statement":
            assert facts.issuperset(passage.triples) and passage.triples
        if passage.kind == "update":
            (triple,), (old,) = passage.triples, passage.former
            assert (triple[0], triple[1], old) in facts and old != triple[2]
        if passage.kind == "chatter":
            assert passage.triples == ()
        seen |= {when is not None for when in passage.valid_from if passage.kind in ASSERTING}
        if any(passage.valid_from):
            assert next(filter(None, passage.valid_from))[:4] in passage.text
    assert seen == {True, False}


def test_a_stream_tells_what_a_perfect_memory_does(world: World) -> None:
    events = world.stream(9, 400)
    assert {e.reason for e in events} == {"new", "duplicate", "paraphrase", "change", "ending", "rumour", "chatter"}
    for event, state in replay(world.known, events):
        assert len(event.labels) == len(event.passage.triples)
        for triple, label in zip(event.passage.triples, event.labels, strict=True):
            if event.reason in ("duplicate", "paraphrase") or label == "retire":
                assert triple in state
            if label in ("add", "update"):
                assert triple in event.added and triple not in state
        assert set(event.removed) <= state and not set(event.added) & state
        assert {(s, r, o) for (s, r), objects in event.before.items() for o in objects} <= state
        after = {(s, r, o) for (s, r), objects in event.after.items() for o in objects}
        assert set(event.added) <= after and not set(event.removed) & after
        assert 0.0 <= event.trust <= 1.0 and (event.reason != "rumour" or set(event.labels) == {"skip"})
