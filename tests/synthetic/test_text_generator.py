"""The text generator: mentions and facts lie where they are marked."""

from __future__ import annotations

from random import Random

import pytest

from graphmem.core.splits import data_split
from graphmem.reading.network import FACTUALITY, KINDS
from graphmem.synthetic.annotated_texts import AnnotatedText
from graphmem.synthetic.real_texts import real_names
from graphmem.synthetic.relations import plain_relations
from graphmem.synthetic.text_generator import SmallTalkGenerator, TextGenerator
from graphmem.text.lexicon import load_lexicon, split_relations

REAL = {"": ["Ada Lovelace", "horse"], "person": ["Jeremy Irons"], "film": ["Blue Velvet"]}


@pytest.fixture(scope="module")
def examples() -> list[AnnotatedText]:
    relations = [*split_relations("train"), *plain_relations(Random(0), 50)]
    generator = TextGenerator(relations, REAL, Random(3))
    return [generator.example() for _ in range(400)]


def test_mentions_lie_in_the_text_and_in_order(examples: list[AnnotatedText]) -> None:
    for example in examples:
        ends = [0]
        for mention in example.mentions:
            assert ends[-1] <= mention.start < mention.end <= len(example.text), example.text
            assert mention.kind in KINDS
            ends.append(mention.end)


def test_facts_join_mentions(examples: list[AnnotatedText]) -> None:
    for example in examples:
        for fact in example.facts:
            assert fact.subject != fact.object
            assert max(fact.subject, fact.object) < len(example.mentions)


def test_every_factuality_and_kind_of_mention_occurs(examples: list[AnnotatedText]) -> None:
    assert {fact.factuality for example in examples for fact in example.facts} == set(FACTUALITY) - {"none"}
    assert {mention.kind for example in examples for mention in example.mentions} == set(KINDS)


def test_held_out_relations_do_not_occur(examples: list[AnnotatedText]) -> None:
    held_out = {relation.relation for relation in load_lexicon() if data_split(relation.relation) == "test"}
    assert held_out
    assert not held_out & {fact.relation for example in examples for fact in example.facts}


def test_equal_seeds_give_equal_texts() -> None:
    texts = [
        [TextGenerator(split_relations("train"), REAL, Random(5)).example().text for _ in range(3)] for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_names_keep_to_their_split() -> None:
    generator = TextGenerator(split_relations("train"), {}, Random(1), "test")
    names = [generator.thing("person").name for _ in range(50)]
    assert sum(data_split(name) == "test" for name in names) >= 45


def small_talk(count: int) -> list[AnnotatedText]:
    generator = SmallTalkGenerator(split_relations("train"), real_names(None), Random(1))
    return [generator.example() for _ in range(count)]


def test_small_talk_marks_names_and_states_little() -> None:
    found = small_talk(300)
    assert all(example.text.strip() for example in found)
    without_facts = [example for example in found if not example.facts]
    assert len(without_facts) > 180
    assert any(len(example.mentions) >= 2 for example in without_facts)
    for example in found:
        assert all(example.surface(mention).strip() for mention in example.mentions)
        assert all(max(fact.subject, fact.object) < len(example.mentions) for fact in example.facts)


def test_equal_seeds_give_equal_small_talk() -> None:
    assert [example.text for example in small_talk(20)] == [example.text for example in small_talk(20)]
