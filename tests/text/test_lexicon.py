"""The lexicon: every relation loads with its templates, and a wrong line is named."""

from __future__ import annotations

import json

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import data_split
from graphmem.synthetic.names import KINDS
from graphmem.text.lexicon import load_lexicon, parse_relation, religion_noun, split_relations

ROW = {
    "relation": "lives in", "inverse": "home of", "subject": "person", "object": "city", "functional": True,
    "noun": "home", "inverse_noun": "person living in", "paraphrases": ["resides in"],
    "questions": ["Where does {s} live?", "Where is {s} at home?",
                  "Which city is home to {s}?", "Where is {s}'s home?"],
    "inverse_questions": ["Who lives in {o}?", "Who has a home in {o}?"],
    "statements": ["{s} lives in {o}.", "{o} is home to {s}.", "{s}, who lives in {o}, is out.",
                   "{s} has a home in {o}.",
                   "The home of {s} is in {o}."],
    "updates": ["{s} moved from {old} to {o}."], "ends": ["{s} no longer lives in {o}."],
}  # fmt: skip


def test_the_lexicon_is_large_distinct_and_joins_known_types() -> None:
    relations = load_lexicon()
    assert len(relations) >= 150
    assert len({normalise(r.relation) for r in relations}) == len(relations)
    assert {r.subject for r in relations} | {r.object for r in relations} <= KINDS


def test_splits_are_disjoint_and_follow_the_name() -> None:
    parts = [{r.relation for r in split_relations(split)} for split in ("train", "dev", "test")]
    assert all(parts) and sum(map(len, parts)) == len(set().union(*parts)) == len(load_lexicon())
    assert all(data_split(name) == "test" for name in parts[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noun": ""}, "noun"),
        ({"functional": "yes"}, "functional"),
        ({"questions": ["Where?"] * 4}, "{s}"),
        ({"statements": ROW["statements"][:3]}, "at least 5"),
        ({"updates": ["{s} moved to {o}."]}, "{old}"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_line_is_named(change: dict, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_relation(json.dumps({**ROW, **change}), "here:3")
    assert "here:3" in str(caught.value) and message in str(caught.value)


def test_a_file_of_ones_own_loads_once_per_relation(tmp_path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        "\n".join(json.dumps(row) for row in (ROW, {**ROW, "relation": "Lives  IN"}, {**ROW, "relation": "x"}))
    )
    assert [r.relation for r in load_lexicon(path)] == ["lives in", "x"]
    path.write_text("{")
    with pytest.raises(InvalidValue, match="mine.jsonl:1"):
        load_lexicon(path)


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
