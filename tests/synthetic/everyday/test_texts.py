"""Everyday texts: every mark is exact, and texts vary."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from graphmem.core.times import read_time, valid_interval
from graphmem.synthetic.everyday.frames import STATUSES, families
from graphmem.synthetic.everyday.texts import GENRES, EverydayTextGenerator
from graphmem.synthetic.everyday.writer import EverydayText
from graphmem.text.lexicon import split_relations


def texts(count: int, wordings: str = "train", first: int = 0) -> list[EverydayText]:
    relations = split_relations("train")
    return [
        EverydayTextGenerator(Random(seed), wordings, relations).example()  # type: ignore[arg-type]
        for seed in range(first, first + count)
    ]


@pytest.fixture(scope="module")
def many() -> list[EverydayText]:
    return texts(2000)


def spoken_names(one: EverydayText, entity: int) -> set[str]:
    found = one.entities[entity]
    return {found.name, *found.short.values(), *found.nouns}


def test_every_span_is_what_it_says(many: list[EverydayText]) -> None:
    for text in many[:500]:
        for mention in text.mentions:
            words = text.text[mention.start : mention.end]
            assert words and words == words.strip() and mention.entity in text.entities
            if mention.kind == "pronoun":
                assert words.lower() in set("i me my we us our you your he him his she her it its they them their".split())
        for time in text.times:
            assert text.text[time.start : time.end].strip() == text.text[time.start : time.end] != ""
        for start, end in (span for fact in text.facts for span in fact.words):
            assert text.text[start:end].strip() == text.text[start:end] != ""


def test_a_name_stands_for_its_entity(many: list[EverydayText]) -> None:
    for text in many[:500]:
        roles = {text.entities[text.mentions[f.object].entity].name.lower() for f in text.facts if f.relation == "role"}
        for mention in text.mentions:
            words = text.text[mention.start : mention.end].lower()
            if mention.kind != "pronoun":
                assert words in {name.lower() for name in spoken_names(text, mention.entity)} | roles, (words, text.text)
