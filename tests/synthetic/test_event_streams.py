"""Streams of events: texts name what their triples hold, and labels follow from the facts that hold."""

from __future__ import annotations

import pytest

from graphmem.core.names import normalise
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.synthetic.verbalizer import KINDS
from graphmem.synthetic.worlds import World


@pytest.fixture(scope="module")
def world() -> World:
    return World.sample(7, entities=200)


@pytest.fixture(scope="module")
def events(world: World) -> list[LabelledEvent]:
    return world.stream(9, 400)


def test_every_reason_and_kind_of_text_occurs(events: list[LabelledEvent]) -> None:
    assert {e.reason for e in events} == {"new", "duplicate", "paraphrase", "change", "ending", "rumour", "chatter"}
    assert {e.passage.kind for e in events} == set(KINDS)


def test_mentions_name_the_triples(world: World, events: list[LabelledEvent]) -> None:
    for text in (*world.statements(2, 200), *(event.passage for event in events)):
        for start, end, name in text.mentions:
            surface = text.text[start:end]
            assert normalise(surface) in (normalise(name), normalise(name.split()[-1])), (text.text, surface, name)
        named = {name for _, _, name in text.mentions}
        assert all(triple[0] in named and triple[2] in named for triple in text.triples), text
        assert "{" not in text.text and "  " not in text.text


def test_statements_hold_facts_of_one_subject(world: World) -> None:
    for text in world.statements(4, 200, (2, 3)):
        assert text.kind == "statement" and set(text.triples) <= set(world.triples)
        assert len({subject for subject, _, _ in text.triples}) == 1 <= len(text.triples) <= 3


def test_labels_follow_the_facts_that_hold(world: World, events: list[LabelledEvent]) -> None:
    state = set(world.known)
    for event in events:
        assert len(event.labels) == len(event.passage.triples)
        for triple, label in zip(event.passage.triples, event.labels, strict=True):
            if event.reason in ("duplicate", "paraphrase") or label == "retire":
                assert triple in state
            if label in ("add", "update"):
                assert triple in event.added and triple not in state
        assert set(event.removed) <= state and not set(event.added) & state
        assert 0.0 <= event.trust <= 1.0 and (event.reason != "rumour" or set(event.labels) == {"skip"})
        state = state - set(event.removed) | set(event.added)


def test_updates_name_the_former_object(events: list[LabelledEvent]) -> None:
    updates = [event for event in events if event.passage.kind == "update"]
    assert updates
    for event in updates:
        assert event.removed[0][2] in {name for _, _, name in event.passage.mentions}


def test_some_texts_are_dated_and_some_are_not(world: World) -> None:
    dated = [any(c.isdigit() for c in text.text) for text in world.statements(3, 200)]
    assert any(dated) and not all(dated)
