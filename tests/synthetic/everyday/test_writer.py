"""The writer of everyday sentences: frames filled and marked."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from graphmem.synthetic.everyday.frames import Family, families
from graphmem.synthetic.everyday.references import Style
from graphmem.synthetic.everyday.times import TimeWriter
from graphmem.synthetic.everyday.world import Entity, EverydayWorld
from graphmem.synthetic.everyday.writer import EverydayWriter, Filling, subject_case

FAMILY = next(family for family in families() if family.name == "works for")


def writer(style: Style | None = None, seed: int = 1) -> EverydayWriter:
    rng = Random(seed)
    times = TimeWriter(rng, date(2024, 5, 3))
    return EverydayWriter(rng, EverydayWorld(rng, times), times, style or Style())


def person(id: int, name: str) -> Entity:
    return Entity(id, name, "person", "she", {"given": name, "family": name})


ANA, BEA, FIRM = person(101, "Ana"), person(102, "Bea"), Entity(103, "Lime Ltd", "firm", "they", nouns=("firm",))
OTHER = Entity(104, "Oak Ltd", "firm", "they", nouns=("firm",))
BOAT = Entity(105, "old boat", "thing", nouns=("boat",), article=True)


def write(frame: str, filling: Filling, style: Style | None = None) -> EverydayWriter:
    one = writer(style)
    one.sentence(lambda: one.clause(frame, filling))
    return one


def test_a_sentence_and_its_marks() -> None:
    one = write("{s} ^[works for] {o}", Filling(FAMILY, "asserted", [ANA], [FIRM]))
    text, fact = one.result, one.result.facts[0]
    assert text.text == "Ana works for Lime Ltd." and text.sentences == [(0, len(text.text))]
    assert (fact.relation, fact.status, fact.factuality, fact.sentence) == ("works for", "asserted", "asserted", 0)
    assert (text.surface(fact.subject), text.surface(fact.object)) == ("Ana", "Lime Ltd")
    assert [text.text[a:b] for a, b in fact.words] == ["works for"]
    assert text.entities[text.mentions[fact.object].entity] is FIRM


def test_the_first_person_and_its_verb() -> None:
    style = Style(speaker=ANA, group=FIRM)
    text = write("{s} ^is [at] {o}", Filling(FAMILY, "asserted", [ANA], [OTHER]), style).result
    assert text.text == "I am at Oak Ltd."
    text = write("our {o} [helps] {s}", Filling(FAMILY, "asserted", [ANA], [OTHER]), style).result
    assert text.text == "Our Oak Ltd helps me."
    marked = [(text.surface(number), mention.entity) for number, mention in enumerate(text.mentions)]
    assert marked == [("Our", 103), ("Oak Ltd", 104), ("me", 101)]


def test_several_subjects_and_objects_make_several_facts() -> None:
    text = write("{s} ^[works for] {o}", Filling(FAMILY, "asserted", [ANA, BEA], [FIRM, OTHER])).result
    assert text.text == "Ana and Bea work for Lime Ltd and Oak Ltd." and len(text.facts) == 4
    paired = write("{s} ^[works for] {o}", Filling(FAMILY, "asserted", [ANA, BEA], [FIRM, OTHER], paired=True)).result
    assert [(paired.surface(f.subject), paired.surface(f.object)) for f in paired.facts] == [
        ("Ana", "Lime Ltd"), ("Bea", "Oak Ltd"),
    ]  # fmt: skip
    negated = write("{s} ^doesn't [work for] {o}", Filling(FAMILY, "negated", [ANA], [FIRM, OTHER])).result
    assert negated.text == "Ana doesn't work for Lime Ltd or Oak Ltd."


def test_an_old_value_and_a_time() -> None:
    filling = Filling(FAMILY, "replaced", [ANA], [FIRM], old=OTHER)
    text = write("{begin} {s} ^[moved from] {old} [to] {o}", filling).result
    fact = text.facts[0]
    assert fact.old is not None and text.surface(fact.old) == "Oak Ltd" and fact.valid_to is None
    assert fact.valid_from == text.times[fact.times[0]].value and len(text.times) == 1
    assert [text.text[a:b] for a, b in fact.words] == ["moved from", "to"]


@pytest.mark.parametrize(
    ("slot", "begins", "ends"),
    [("since", True, False), ("until", False, True), ("at", True, True), ("next", True, False)],
)
def test_slots_of_time_say_when_a_fact_begins_and_ends(slot: str, begins: bool, ends: bool) -> None:
    fact = write(f"{{s}} ^[worked for] {{o}} {{{slot}}}", Filling(FAMILY, "past", [ANA], [FIRM])).result.facts[0]
    assert (fact.valid_from is not None, fact.valid_to is not None) == (begins, ends)


def test_articles_of_common_nouns_stand_outside_of_the_mention() -> None:
    owns = next(family for family in families() if family.name == "owns")
    for frame, words in (
        ("{s} ^[has] {an o}", "Ana has an old boat."), ("{o} [belongs to] {s}", "The old boat belongs to Ana."),
        ("{s's} [{-o}]", "Ana's old boat."),
    ):  # fmt: skip
        text = write(frame, Filling(owns, "asserted", [ANA], [BOAT])).result
        assert text.text == words and text.surface(text.facts[0].object) == "old boat"


def test_brackets_around_a_value_alone_are_no_words_of_the_relation() -> None:
    status = Family("status", ("project",), ("status",), False, False, ("status",), {})
    text = write("{s} ^is [{o}]", Filling(status, "asserted", [BOAT], [Entity(7, "late", "status")])).result
    assert text.text == "The old boat is late." and text.facts[0].words == ()


def test_possessives_refer_to_the_subject() -> None:
    text = write("{s} ^has {his} [job at] {o}", Filling(FAMILY, "asserted", [ANA], [FIRM])).result
    assert text.text == "Ana has her job at Lime Ltd." and [m.entity for m in text.mentions] == [101, 101, 103]


def test_templates_name_nobody_of_those_apart_and_mark_times() -> None:
    one = writer()
    people = [entity for entity in one.world.entities if entity.type == "person"]
    one.sentence(lambda: one.template("{p} and {p} met {at}", people))
    assert len(one.result.mentions) == 2 and not {m.entity for m in one.result.mentions} & {p.id for p in people}
    assert one.result.times and one.result.facts == []


def test_labels_stand_outside_of_sentences_and_lines_begin_anew() -> None:
    one = writer()
    one.label(ANA)
    one.sentence(lambda: one.write("all well"), "")
    one.line()
    one.sentence(lambda: one.write("good"), "!")
    assert one.result.text == "Ana: all well\ngood!".replace("good", "Good").replace("all", "All")
    assert [one.result.text[a:b] for a, b in one.result.sentences] == ["All well", "Good!"]


def test_small_letters_and_abbreviations() -> None:
    one = writer(Style(lower=True, abbreviations={"and": "&"}))
    one.sentence(lambda: one.clause("{s} and {o} [agree]", Filling(FAMILY, "asserted", [ANA], [FIRM])))
    text = one.finish({"author": ANA, "group": None})
    assert text.text == "ana & lime ltd agree." and text.author == 101 and text.group is None
    assert text.surface(text.facts[0].object) == "lime ltd"


@pytest.mark.parametrize(
    ("slot", "before", "after", "case"),
    [("s", "", " ^has {o}", "subject"), ("s", "", " will go", "subject"), ("s", "", " no longer [^has] {o}", "subject"),
     ("s", "does ", " [know] {o}?", "inverted"), ("s", "{o} [employs] ", "", "object"),
     ("s", "", " and {o} are", "name"),
     ("s's", "", " [boss] is {o}", "possessive"), ("s", "the mother of ", "", "name"), ("s", "", ": {o}", "name")],
)  # fmt: skip
def test_the_case_of_a_subject(slot: str, before: str, after: str, case: str) -> None:
    assert subject_case(slot, before, after) == case
