"""Plain text that ships: every passage in one split, sentences about an entity under a common name."""

from __future__ import annotations

from graphmem.core.splits import passage_split
from graphmem.datasets.plain_text import COMMON_NAME, entity_passages, entity_sentences, passage_texts, passages


def test_splits_part_the_passages() -> None:
    titles = [{title for title, _ in passages(split)} for split in ("train", "dev", "test")]
    assert sum(map(len, titles)) == len(set().union(*titles)) == 6_119
    assert len(passage_texts("test", passage_split)) < len(passage_texts()) == 6_119


def test_an_entity_is_renamed_where_it_is_named_or_referred_to() -> None:
    text = (
        "Ada Byron (1815) was an English mathematician. Byron wrote the first program of its kind. It rained in London."
    )
    assert entity_sentences("Ada Byron (mathematician)", text) == [
        f"{COMMON_NAME} (1815) was an English mathematician.", f"{COMMON_NAME} wrote the first program of its kind.",
    ]  # fmt: skip
    assert entity_sentences("Oslo", "The city was once called Christiania.") == [
        f"{COMMON_NAME} was once called Christiania."
    ]


def test_passages_of_an_entity_have_three_sentences() -> None:
    assert all(3 <= len(lines) <= 6 for lines in entity_passages("dev"))
