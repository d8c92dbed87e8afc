"""Frames of everyday sentences: their slots, brackets and verbs."""

from __future__ import annotations

import re
from datetime import date
from random import Random

import pytest

from graphmem.core.splits import held
from graphmem.synthetic.everyday.frames import (
    STATUSES,
    Phrasebook,
    chosen,
    factuality,
    families,
    inflected,
    is_clause,
    pieces,
    predicate,
)
from graphmem.synthetic.everyday.times import TimeWriter
from graphmem.synthetic.everyday.world import EverydayWorld
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import split_relations

SLOTS = frozenset(
    ["s", "s's", "o", "an o", "-o", "o's", "old", "an old", "his", "who"]
    + ["begin", "begin?", "since", "end", "end?", "until", "span", "at", "next", "next?", "day"]
)


def all_frames() -> list[tuple[str, str, str]]:
    return [(f.name, status, frame) for f in families() for status, found in f.frames.items() for frame in found]


def test_there_are_many_relations_each_in_many_wordings_and_statuses() -> None:
    assert len(families()) >= 60
    counts = {family.name: sum(len(set(found)) for found in family.frames.values()) for family in families()}
    assert {name: count for name, count in counts.items() if count < 12} == {}
    assert {f.name for f in families() if len(f.frames) < 4} == set()
    assert len({frame for *_, frame in all_frames()}) > 1500


def test_every_frame_has_the_slots_that_its_status_needs() -> None:
    for name, status, frame in all_frames():
        slots = re.findall(r"\{([^{}]+)\}", frame)
        assert set(slots) <= SLOTS, (name, frame)
        assert sum(slot in ("s", "s's") for slot in slots) >= 1, (name, frame)
        assert sum(slot in ("o", "an o", "-o", "o's") for slot in slots) >= 1, (name, frame)
        assert status != "corrected" or any("old" in slot for slot in slots), (name, frame)
        depth = [0]
        for character in frame:
            depth.append(depth[-1] + (character == "[") - (character == "]"))
        assert min(depth) == 0 == depth[-1] and max(depth) <= 1, (name, frame)


def test_every_type_of_a_frame_can_be_made() -> None:

    rng = Random(2)
    world = EverydayWorld(rng, TimeWriter(rng, date(2024, 5, 3)))
    for family in families():
        for type in (*family.subjects, *family.objects):
            assert world.new(type).name not in ("", "Unnamed"), (family.name, type)


def test_pieces_keep_verbs_slots_and_brackets_apart() -> None:
    assert pieces("{s} ^[works for] {o}") == ["{s}", " ", "[", "^works", " for", "]", " ", "{o}"]
    assert pieces("") == []


@pytest.mark.parametrize(
    ("verb", "person", "form"),
    [
        ("works", "one", "works"), ("works", "many", "work"), ("works", "I", "work"), ("is", "I", "am"),
        ("is", "many", "are"), ("was", "I", "was"), ("was", "many", "were"), ("has", "I", "have"),
        ("carries", "many", "carry"), ("goes", "I", "go"), ("teaches", "I", "teach"), ("doesn't", "many", "don't"),
        ("isn't", "I", "am not"), ("moved", "many", "moved"), ("misses", "I", "miss"),
    ],
)  # fmt: skip
def test_verbs_agree(verb: str, person: str, form: str) -> None:
    assert inflected(verb, person) == form


def test_a_predicate_is_what_follows_a_subject_that_opens_a_frame() -> None:
    assert predicate("{s} ^[lives in] {o}") == "^[lives in] {o}"
    assert predicate("{s} no longer [^lives in] {o}") == "no longer [^lives in] {o}"
    assert predicate("{o} [employs] {s}") is None and predicate("{s} and {o} are [friends]") is None
    assert predicate("{s} ^has {his} [office in] {o}") is None


def test_only_clauses_can_follow_that() -> None:
    assert is_clause("{s} ^[lives in] {o}") and is_clause("the [owner] of {s} is {o}")
    assert not is_clause("does {s} [know] {o}?") and not is_clause("please [ring] {s} [on] {o}")
    assert not is_clause("{s}: {o}") and not is_clause("[tel.] {s} {o}")


def test_factuality_of_a_status() -> None:
    assert [factuality(status) for status in ("asserted", "past", "ended", "replaced")] == ["asserted"] * 4
    assert [factuality(s) for s in ("planned", "negated", "reported", "uncertain")] == [
        "planned", "negated", "reported", "uncertain",
    ]  # fmt: skip


def test_wordings_are_held_out_by_their_hash() -> None:
    frames = load("everyday_people")["works for"]["asserted"]
    out = chosen(frames, "held")
    assert out == tuple(frame for frame in frames if held(re.sub(r"[\[\]^]", "", frame)))
    assert set(chosen(frames, "train")) == set(frames) - set(out)
    assert chosen(frames, "all") == tuple(frames)
    both = ["{s} ^is [in] {o}", "{s} ^is in {o}"]
    assert {len(chosen(both, "held")), len(chosen(both, "train"))} == {0, 2}


def test_a_phrasebook_finds_relations_of_a_type_and_mixes_in_the_lexicon() -> None:
    book, rng = Phrasebook("all", split_relations("train")), Random(1)
    found = [book.family(rng, "asserted", "person") for _ in range(300)]
    assert all(family is not None and "person" in family.subjects for family in found)
    assert any(family.plain for family in found if family) and not all(family.plain for family in found if family)
    assert book.family(rng, "asserted", "no such type") is None
    assert {family.name for family in book.of("vehicle")} >= {"mileage", "registration number"}


def test_wrappers_hold_a_clause_and_fillers_hold_none() -> None:
    style = load("everyday_style")
    assert all(wrapper.count("{x}") == 1 for found in style["wrappers"].values() for wrapper in found)
    known = {"p", "city", "firm", "club", "date", "next", "at", "day"}
    for found in (*style["fillers"].values(), *style["titles"].values(), style["leads"], style["tails"]):
        assert {slot for words in found for slot in re.findall(r"\{([^{}]+)\}", words)} <= known
    assert set(style["wrappers"]) <= set(STATUSES)
