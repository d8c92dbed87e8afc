import pytest

from graphmem.text.lexicon import religion_noun


@pytest.mark.parametrize(
    ("text", "words", "noun"),
    [
        ("He is of the Methodist faith.", "Methodist", "Methodism"),
        ("the Methodist religion", "Methodist religion", "Methodism"),
        ("her Catholic beliefs", "Catholic", "Catholicism"),
        ("a member of the Islamic faith", "Islamic", "Islam"),
        ("the Methodist Church", "Methodist Church", None),
        ("a devout Methodist", "Methodist", None),
        ("the Baptist faith", "Baptist", None),
        ("the American religion", "American", None),
        ("the Oslo faith", "Oslo", None),
        ("", "", None),
    ],
)
def test_the_noun_of_a_religion(text: str, words: str, noun: str | None) -> None:
    start = text.index(words)
    assert religion_noun(text, start, start + len(words)) == noun
