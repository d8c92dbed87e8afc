"""Sentences of everyday texts: joined facts, wrappers, changes of what was said."""

from __future__ import annotations

from collections import Counter
from datetime import date
from random import Random

from graphmem.synthetic.everyday.frames import Phrasebook, families
from graphmem.synthetic.everyday.references import Style
from graphmem.synthetic.everyday.statements import StatementWriter
from graphmem.synthetic.everyday.times import TimeWriter
from graphmem.synthetic.everyday.world import EverydayWorld
from graphmem.synthetic.everyday.writer import EverydayWriter, Filling

BOOK = Phrasebook("all")


def statements(seed: int, style: Style | None = None) -> StatementWriter:
    rng = Random(seed)
    times = TimeWriter(rng, date(2024, 5, 3))
    world = EverydayWorld(rng, times)
    return StatementWriter(BOOK, EverydayWriter(rng, world, times, style or Style()))


def test_a_filler_states_nothing() -> None:
    for seed in range(60):
        one = statements(seed)
        one.filler("general", "named", "questions", "dated")
        assert one.writer.result.facts == [] and len(one.writer.result.sentences) == 1


def test_statements_state_and_some_state_several_facts() -> None:
    counts: Counter[int] = Counter()
    for seed in range(60):
        one = statements(seed)
        for _ in range(6):
            one.statement()
        counts.update(Counter(fact.sentence for fact in one.writer.result.facts).values())
    assert counts[1] > 150 and counts[2] > 20 and sum(counts.values()) > 340


def test_no_relation_is_stated_twice_of_one_subject_but_for_changes() -> None:
    for seed in range(60):
        one = statements(seed)
        for _ in range(8):
            one.statement()
        text = one.writer.result
        first = Counter(
            (fact.relation, text.mentions[fact.subject].entity)
            for number, fact in enumerate(text.facts)
            if fact.status not in ("replaced", "corrected", "ended") and fact.subject != text.facts[number - 1].subject
        )
        assert sum(count > 1 for count in first.values()) <= 1


def test_what_was_said_before_is_changed_later() -> None:
    changed = 0
    for seed in range(150):
        one = statements(seed)
        for _ in range(8):
            one.statement()
        text = one.writer.result
        said: set[tuple[str, int, int]] = set()
        for fact in text.facts:
            subject, old = text.mentions[fact.subject].entity, fact.old if fact.old is not None else fact.object
            changed += fact.status in ("replaced", "corrected", "ended") and (
                (fact.relation, subject, text.mentions[old].entity) in said
            )
            said.add((fact.relation, subject, text.mentions[fact.object].entity))
    assert changed > 30


def test_a_wrapper_names_the_source() -> None:
    family = next(f for f in families() if f.name == "lives in")
    one = statements(2)
    world, rng = one.world, one.rng
    filling = Filling(family, "reported", [world.author], [world.new("city")])
    one.writer.sentence(lambda: one.wrapped("{s} ^[lives in] {o}", "{x}, says {who}", filling))
    fact = one.writer.result.facts[0]
    assert fact.source is not None and fact.factuality == "reported" and rng is one.writer.rng
    assert one.writer.result.text.endswith(f", says {one.writer.result.surface(fact.source)}.")
    assert one.writer.result.mentions[fact.source].entity != world.author.id


def test_objects_suit_their_relation() -> None:
    one = statements(4)
    for family in families():
        subject = one.world.new(family.subjects[0])
        found = one.object_of(family, subject)
        assert found is not subject and (found.type in family.objects or "woman" in family.objects)


def test_without_a_speaker_nobody_says_i() -> None:
    for seed in range(80):
        one = statements(seed)
        for _ in range(4):
            one.statement()
            one.filler("general", "questions", "named")
        words = one.writer.result.text.replace("'", " ").replace(",", " ").split()
        assert {"I", "my", "me"}.isdisjoint(words), one.writer.result.text
