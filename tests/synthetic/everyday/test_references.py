"""Words for people and things: pronouns only where they are clear."""

from __future__ import annotations

from random import Random

import pytest

from graphmem.synthetic.everyday.references import Reference, References, Style
from graphmem.synthetic.everyday.world import Entity


def person(id: int, given: str, family: str, pronoun: str) -> Entity:
    short = {"given": given, "family": family, "title": f"Dr {family}"}
    return Entity(id, f"{given} {family}", "person", pronoun, short)


ANA, BEN, LENA = person(1, "Ana", "Holt", "she"), person(2, "Ben", "Berg", "he"), person(3, "Lena", "Ruiz", "she")
FIRM = Entity(4, "Acorn Ltd", "firm", "they", nouns=("company",))
BOAT = Entity(5, "blue boat", "thing", nouns=("boat",), article=True)


def words(one: Entity, case: str, near: list[Entity], style: Style | None = None, count: int = 200) -> set[str]:
    """Every reference that is chosen after a sentence that names ``near``."""
    found = set()
    for seed in range(count):
        references = References(Random(seed), style or Style())
        for other in near:
            references.note(other)
        references.end_sentence()
        found.add(references.choose(one, case).words)
    return found


def test_a_new_person_has_a_name() -> None:
    assert words(ANA, "subject", []) == {"Ana Holt", "Ana"}
    assert words(ANA, "subject", [], Style(formal=True)) == {"Ana Holt", "Dr Holt", "Ana"}
    assert words(ANA, "full", [ANA]) == {"Ana Holt"}


def test_a_pronoun_stands_for_who_was_named_before() -> None:
    assert {"she", "Ana"} <= words(ANA, "subject", [ANA])
    assert "her" in words(ANA, "object", [ANA]) and "her" in words(ANA, "possessive", [ANA])
    assert "she" in words(ANA, "subject", [ANA, BEN])


def test_no_pronoun_where_it_could_be_somebody_else() -> None:
    assert "she" not in words(ANA, "subject", [ANA, LENA])
    assert "she" not in words(ANA, "name", [ANA])
    assert "they" in words(FIRM, "subject", [FIRM]) and "they" not in words(FIRM, "inverted", [FIRM])
    assert "it" in words(BOAT, "subject", [BOAT, ANA])


def test_who_was_named_two_sentences_ago_is_named_again() -> None:
    for seed in range(50):
        references = References(Random(seed), Style())
        for one in (ANA, BEN):
            references.note(one)
            references.end_sentence()
        assert references.choose(ANA, "subject").kind == "entity"
        assert references.recent() == [BEN]
        references.forget()
        assert references.recent() == []


def test_the_author_is_i_the_reader_you_and_the_group_we() -> None:
    style = Style(speaker=ANA, listener=BEN, group=FIRM)
    assert words(ANA, "subject", [], style) == {"I"} and words(ANA, "possessive", [], style) == {"my"}
    assert {"you", "Ben"} <= words(BEN, "object", [], style)
    assert words(FIRM, "subject", [], style) == {"we", "Acorn Ltd"} and "us" in words(FIRM, "object", [], style)
    assert "I" not in words(ANA, "name", [], style)


def test_descriptions_stand_for_things_named_before_that_are_the_only_ones() -> None:
    other = Entity(6, "Lime Ltd", "firm", "they", nouns=("company",))
    assert "company" in words(FIRM, "name", [FIRM]) and "company" not in words(FIRM, "name", [])
    assert "company" not in words(FIRM, "name", [FIRM, other])
    assert "boat" in words(BOAT, "name", [BOAT])


def test_a_role_stands_for_the_one_person_who_has_it() -> None:
    found = []
    for seed in range(300):
        references = References(Random(seed), Style())
        references.describe(ANA, "vet")
        references.note(ANA)
        if seed % 2:
            references.describe(BEN, "vet")
        found.append((seed % 2, references.choose(ANA, "name").words))
    assert (0, "vet") in found and (1, "vet") not in found


@pytest.mark.parametrize(
    ("one", "words", "person"),
    [(ANA, "my", "I"), (BEN, "your", "many"), (FIRM, "our", "many"), (LENA, "her", "one"), (BOAT, "its", "one")],
)
def test_possessives(one: Entity, words: str, person: str) -> None:
    references = References(Random(0), Style(speaker=ANA, listener=BEN, group=FIRM))
    assert references.possessive(one, person) == words


def test_a_reference_has_no_article_by_default() -> None:
    assert Reference("Ana", "entity") == Reference("Ana", "entity", "one", False, False, "")
