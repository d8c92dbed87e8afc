from graphmem.text.sentences import sentences


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
