"""Constants of a question: which values it states, and how they are compared."""

from __future__ import annotations

from typing import Any

import pytest

from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reasoning.sets.constants import cardinals_of, constants_of, is_constant


@pytest.mark.parametrize(
    ("question", "text", "sign"),
    [
        ("Which drivers were hired before 2015?", "2015", "<"),
        ("Which houses were bought after the year 2000?", "2000", ">"),
        ("Name the dogs that weigh more than 15 kg.", "15 kg", ">"),
        ("Which trucks are model year 2019 or newer?", "2019", ">="),
        ("who joined in 2019?", "2019", "="),
        ("Which tools cost at most £20?", "£20", "<="),
        ("Which clubs were founded no later than 1950?", "1950", "<="),
    ],
)
def test_a_constant_has_a_value_and_a_sign(encoder: Any, question: str, text: str, sign: str) -> None:
    (found,) = constants_of(question, (), EmbeddingCache(encoder))
    assert (found.value.text, found.sign) == (text, sign)
    assert question[found.start : found.end] == text


def test_what_is_part_of_a_name_is_no_constant(encoder: Any) -> None:
    assert constants_of("Who sat down at Christmas 2022?", [(16, 30)], EmbeddingCache(encoder)) == []


def test_the_number_of_things_is_read_in_words_and_digits() -> None:
    assert cardinals_of("which of the three contracts is the smallest of 12?") == {3, 12}
    assert cardinals_of("the one in 2019") == frozenset()


def test_a_name_that_begins_with_a_number_is_no_constant() -> None:
    assert is_constant("2015") and is_constant("15 kg") and is_constant("£20")
    assert not is_constant("13 Rue Madeleine") and not is_constant("2 dogs")
