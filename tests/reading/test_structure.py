"""Tables, lists of fields, headings and code, without a model."""

from __future__ import annotations

import time

import pytest

from graphmem.reading.structure import blanked, read_structure

TABLE = """\
| Date | Name | Role | Since |
|------|:-----|------|-------|
| 5 May 2020 | Jo \\| Pike | nurse | 2019 |
| 5 May 2020 | Al Moss | | 2020 |
"""


def facts(text: str) -> list[str]:
    return [f"{one.subject.text} > {one.relation.text} > {one.object.text}" for one in read_structure(text).facts]


def test_a_row_is_about_its_first_column_of_different_names() -> None:
    assert facts(TABLE) == [
        "Jo | Pike > Date > 5 May 2020",
        "Jo | Pike > Role > nurse",
        "Jo | Pike > Since > 2019",
        "Al Moss > Date > 5 May 2020",
        "Al Moss > Since > 2020",
    ]


def test_cells_have_their_places_and_kinds() -> None:
    text = f"Before: it rained.\r\n\r\n{TABLE}"
    found = read_structure(text).facts[1]
    assert text[found.object.start : found.object.end] == "nurse" and found.object.kind == "entity"
    assert text[slice(*found.sentence)] == "| 5 May 2020 | Jo \\| Pike | nurse | 2019 |"
    assert read_structure(text).facts[0].object.kind == "literal"


@pytest.mark.parametrize(
    "table",
    [
        "| Day | Miles |\n|---|---|\n| 5 May 2020 | 12 |\n| 6 May 2020 | 14 |\n",  # no column of names
        "| Name | Miles |\n|---|---|\n| Jo | 12 |\n| Jo | 14 |\n",  # the same name twice
        "| | | |\n|---|---|---|\n| Jo | 12 | 13 |\n",  # columns without names
        "| Name | Miles |\n|---|---|\n",
    ],
)
def test_a_table_that_names_nothing_gives_nothing_and_is_no_prose(table: str) -> None:
    found = read_structure(table)
    assert found.facts == () and found.understood == ()
    assert blanked(table, found.opaque).strip() == ""


@pytest.mark.parametrize(
    "text",
    [
        "# Brackwater Mill\n\nOwner: Jane Doe\nOpened: 1987\n",
        "Brackwater Mill\nOwner: Jane Doe\nOpened: 1987\n",
        "**Brackwater Mill**\n**Owner:** Jane Doe\n**Opened**: 1987",
        "# Brackwater Mill\n\n- Owner: Jane Doe\n- Opened: 1987\n",
        "# Brackwater Mill\n\n| | |\n|---|---|\n| Owner | Jane Doe |\n| Opened | 1987 |\n",
        "# Brackwater Mill\r\rOwner: Jane Doe\rOpened: 1987\r",
    ],
)
def test_a_list_of_fields_is_about_its_heading(text: str) -> None:
    assert facts(text) == ["Brackwater Mill > Owner > Jane Doe", "Brackwater Mill > Opened > 1987"]
    assert blanked(text, read_structure(text).understood).strip("\r\n *-") == ""


@pytest.mark.parametrize(
    "text",
    [
        "Owner: Jane Doe\nOpened: 1987",  # about nothing
        "# Mill\n\nOwner: Jane Doe",  # one alone
        "# Talk\n\nAnn: I would go to the sea.\nBo: No, we should not go.",  # sentences
        "# Talk\n\nAnn: yes\nBo: no\nAnn: why",  # who said what
        "The mill was sold.\nOwner: Jane Doe\nOpened: 1987",  # under a sentence
        "# Times\n\n17:00 call\n18:30 tea",
        "# Links\n\nhttp://a.org\nhttps://b.org",
    ],
)
def test_other_lines_with_colons_are_no_fields(text: str) -> None:
    assert facts(text) == []
    assert "Jane" not in text or "Jane" in blanked(text, read_structure(text).understood)


def test_prose_between_is_left_as_it_is() -> None:
    text = (
        f"# Mill\nOwner: Jane Doe\nOpened: 1987\nIt was sold in 2004.\n\n{TABLE}\n```\nx: 1\n```\nThen it burnt down."
    )
    found = read_structure(text)
    rest = blanked(text, (*found.understood, *found.opaque))
    assert len(rest) == len(text) and rest.count("\n") == text.count("\n")
    assert rest.split() == "It was sold in 2004. Then it burnt down.".split()


def test_blanked_spans_may_overlap() -> None:
    assert blanked("abc\ndef", [(1, 5), (0, 2), (4, 5)]) == "   \n ef"


@pytest.mark.parametrize(
    "text",
    [
        "word: a " * 100_000,
        "#" * 500_000,
        "|" * 300_000 + "\n" + "|-" * 150_000,
        "- " * 50_000 + "x: y",
        "*" * 300_000 + ": x",
        "a" * 40 + " " * 500_000 + ":",
        "- *aa*:" + "* " * 200_000,
        "`" * 300_000,
        "",
        "\0: \0\n\0: \x01",
    ],
)
def test_hostile_texts_take_little_time(text: str) -> None:
    started = time.process_time()
    assert read_structure(text).facts == ()
    assert time.process_time() - started < 10
