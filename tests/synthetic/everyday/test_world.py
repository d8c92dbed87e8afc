"""Worlds of everyday texts: people and things with distinct names."""

from __future__ import annotations

import re
from datetime import date
from random import Random

import pytest

from graphmem.core.times import read_time
from graphmem.synthetic.everyday.times import TimeWriter
from graphmem.synthetic.everyday.world import GROUPS, EverydayWorld

DAY = date(2024, 5, 3)


def world(seed: int = 1) -> EverydayWorld:
    rng = Random(seed)
    return EverydayWorld(rng, TimeWriter(rng, DAY))


def test_a_world_has_an_author_a_reader_and_a_group() -> None:
    one = world()
    assert one.author is not one.reader and one.author.type == one.reader.type == "person"
    assert one.home.type in GROUPS and one.home.kind == "entity"
    assert [entity.id for entity in one.entities] == list(range(1, len(one.entities) + 1))


def test_first_names_are_unique_and_so_are_titles_with_surnames() -> None:
    for seed in range(40):
        one = world(seed)
        people = [one.person() for _ in range(25)]
        assert len({person.short["given"] for person in people}) == 25
        titled = [person.short["title"] for person in people if "title" in person.short]
        titles = [title.replace(".", "").split(" ", 1)[1] for title in titled]
        assert len(titles) == len(set(titles))
        assert all(person.name == f"{person.short['given']} {person.short['family']}" for person in people)


def test_relatives_can_share_a_surname() -> None:
    shared = [person for seed in range(20) for person in world(seed).entities if "shared title" in person.short]
    assert shared and all("title" not in person.short for person in shared)


def test_common_nouns_have_an_article_and_names_have_none() -> None:
    one = world()
    thing, firm = one.new("thing"), one.new("firm")
    assert thing.article and thing.name[0].islower() and thing.nouns == (thing.name.split()[-1],)
    assert not firm.article and firm.pronoun == "they" and "company" in firm.nouns
    clubs = [world(seed).new("club") for seed in range(60)]
    assert any(club.article for club in clubs) and not any(club.name.startswith("the ") for club in clubs)


@pytest.mark.parametrize(
    ("type", "pattern"),
    [("phone", r"[+\d(]|ext\."), ("email", r"\S+@\S+\.\w+$"), ("percent", r".*(%|per ?cent)$"),
     ("weight", r".*(kg|lb|tonnes|g)$"),
     ("bigmoney", r".*(million|[05]00|k|dollars|euros)$"), ("plate", r"[A-Z]"), ("version", r"v|\d|version"),
     ("distance", r".*(km|miles)$"),
     ("temperature", r"-?\d.*(°C|°F|degrees)$")],
)  # fmt: skip
def test_values_are_whole(type: str, pattern: str) -> None:
    values = {world(seed).new(type) for seed in range(40)}
    assert len({value.name for value in values}) > 15
    assert all(re.match(pattern, value.name) and value.kind == "literal" for value in values), values
    assert not any(set("<>#|") & set(value.name) for value in values)


def test_days_bring_their_time() -> None:
    for seed in range(50):
        day, birth = world(seed).new("day"), world(seed).new("birthdate")
        assert day.time is not None and birth.time is not None
        coming, born = read_time(day.time.value), read_time(birth.time.value)
        assert born is not None and coming is not None and born.first < coming.first


def test_some_returns_none_of_those_apart() -> None:
    one = world()
    people = [entity for entity in one.entities if entity.type == "person"]
    assert all(one.some(("person",), people) not in people for _ in range(30))
    assert all(one.some(("woman",)).pronoun == "she" for _ in range(30))
    assert one.some(("person",), [one.author]).type == "person"


def test_types_of_the_lexicon_are_made_too() -> None:
    one = world()
    assert one.new("company").type == "firm" and one.new("organisation").type == "club"
    assert one.new("country").name and one.new("film").name != "Unnamed"


def test_some_people_have_a_nickname_that_nobody_else_is_called() -> None:
    seen = 0
    for seed in range(30):
        one = world(seed)
        people = [one.person() for _ in range(20)]
        first = [name for p in people for name in (p.short["given"], p.short.get("nickname")) if name]
        assert len(first) == len(set(first))
        seen += sum("nickname" in person.short for person in people)
    assert seen > 15
