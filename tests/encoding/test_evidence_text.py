"""Texts of evidence: every span of a field is the field's own text, whatever it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.core.types import Fact
from graphmem.encoding.evidence_text import (
    chain_text,
    date_words,
    fact_text,
    interval_words,
    passage_text,
    relation_words,
    stored_fact_text,
)

TEXT = st.text(min_size=1, max_size=30)
DATE = st.none() | st.sampled_from(["1998", "2019-06", "2024-03-06", "2024-03-06T10:00:00Z", "the spring"])


@given(TEXT, TEXT, TEXT, DATE, DATE)
def test_the_spans_of_a_fact_are_its_fields(
    subject: str, relation: str, object: str, begin: str | None, end: str | None
) -> None:
    made = stored_fact_text(Fact(subject, relation, object, valid_from=begin, valid_to=end))
    assert made.text[slice(*made.subject)] == subject
    assert made.text[slice(*made.object)] == object
    assert made.text[slice(*made.dates)] == interval_words(begin, end)
    assert made.text.startswith(f"{subject} | {relation_words(relation)} | {object}")


@given(st.text(max_size=20), TEXT, DATE)
def test_the_spans_of_a_passage_are_its_title_and_its_text(title: str, text: str, date: str | None) -> None:
    made = passage_text(title, text, date)
    assert made.text[slice(*made.object)] == text
    assert made.text[slice(*made.subject)] == (f"{title} ({date_words(date)})" if date else title)


def test_a_chain_answers_with_the_end_that_it_leads_to() -> None:
    facts = [("Ann", "works at", "Acme", "1998", None), ("Olav", "leads", "Acme", None, None)]
    for end in ("Olav", "Acme"):
        made = chain_text(facts, end)
        assert made.text == "Ann | works at | Acme | since 1998 ; Olav | leads | Acme"
        assert made.text[slice(*made.object)] == end and made.object[0] > made.text.index(";")
        assert made.text[slice(*made.subject)] == "Ann"


@pytest.mark.parametrize(
    ("relation", "words"),
    [("placeOfBirth", "place of birth"), ("place_of_birth", "place of birth"), ("born in", "born in"),
     ("/person/place of birth", "place of birth"), ("http://schema.org/birthPlace/", "birth place"), ("///", "///")],
)  # fmt: skip
def test_a_relation_is_read_in_words(relation: str, words: str) -> None:
    assert relation_words(relation) == words


@pytest.mark.parametrize(
    ("date", "words"),
    [("1998", "1998"), ("2019-06", "June 2019"), ("2024-03-06", "6 March 2024"), ("2024-13-06", "2024-13-06"),
     ("2024-03-06T10:20:30Z", "6 March 2024"), ("-0044-03-15", "15 March -0044"), ("next year", "next year"),
     (None, ""), (" 1998 ", "1998"), ("2019-06\n", "June 2019")],
)  # fmt: skip
def test_a_date_is_as_precise_as_it_was_given(date: str | None, words: str) -> None:
    assert date_words(date) == words


def test_an_interval_is_read_with_the_bounds_that_it_has() -> None:
    assert fact_text("Ann", "works at", "Acme").dates == (0, 0)
    assert interval_words("1998", "2019-06") == "from 1998 until June 2019"
    assert interval_words("1998", None) == "since 1998"
    assert interval_words(None, "2019") == "until 2019"
