import pytest

from graphmem.text.word_classes import STOP_WORDS, is_name, is_pronoun


def test_pronouns() -> None:
    assert is_pronoun("She")
    assert not is_pronoun("the company")


@pytest.mark.parametrize(
    "words", ["11th Mississippi Infantry Monument", "1634: The Ram Rebellion", "20 Fenchurch Street"]
)
def test_a_name_may_hold_a_number(words: str) -> None:
    assert is_name(words)


@pytest.mark.parametrize("words", ["1984", "2 May 1908", "3800 metres", "July 4th, 1776", "$5 Million", "late 1990s"])
def test_numbers_and_dates_are_no_names(words: str) -> None:
    assert not is_name(words)


@pytest.mark.parametrize("word", ["film", "actor", "movies", "written", "director", "genre"])
def test_words_of_one_domain_are_no_stop_words(word: str) -> None:
    assert word not in STOP_WORDS and "about" in STOP_WORDS
