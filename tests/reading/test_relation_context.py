import pytest

from graphmem.reading.relation_context import linking_words, mask_pair, relation_phrase
from graphmem.text.sentences import sentences

CAST = "Inception was directed by Christopher Nolan and stars Leonardo DiCaprio, Tom Hardy and Elliot Page."


def place(text: str, name: str) -> tuple[int, int]:
    return text.index(name), text.index(name) + len(name)


def test_sentences_do_not_end_at_initials_and_titles() -> None:
    text = "Dr. No met J. R. Smith in the U.S. Senate. He left! Did he? 東京。次"
    assert [text[a:b].strip() for a, b in sentences(text)] == [
        "Dr. No met J. R. Smith in the U.S. Senate.",
        "He left!",
        "Did he?",
        "東京。",
        "次",
    ]


def test_sentences_cover_the_text_once() -> None:
    text = "One. Two!\nThree"
    assert "".join(text[a:b] for a, b in sentences(text)) == text
    assert sentences("  \n ") == []


@pytest.mark.parametrize(
    ("name", "words"), [("Christopher Nolan", "directed by"), ("Leonardo DiCaprio", "stars"), ("Elliot Page", "stars")]
)
def test_relation_phrase_of_each_name_of_a_list(name: str, words: str) -> None:
    names = ["Inception", "Christopher Nolan", "Leonardo DiCaprio", "Tom Hardy", "Elliot Page"]
    others = [place(CAST, other) for other in names if other not in ("Inception", name)]
    assert relation_phrase(CAST, place(CAST, "Inception"), place(CAST, name), others) == words


def test_names_are_blanked() -> None:
    text = "The capital of Australia is Canberra."
    assert mask_pair(text, place(text, "Australia"), place(text, "Canberra")) == "The capital of X is Y ."
    assert relation_phrase(text, place(text, "Australia"), place(text, "Canberra")) == "capital"


def test_nothing_between_names_nothing() -> None:
    text = "Ada Bob"
    assert linking_words(text, (0, 3), (4, 7)) == ""
    assert relation_phrase(text, (0, 3), (4, 7)) == ""
