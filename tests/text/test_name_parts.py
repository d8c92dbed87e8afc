from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.edits import AddNode
from graphmem.text.name_parts import match_parts, titles


@pytest.fixture
def names(store: Any) -> Any:
    kinds = {"May 1901": "literal", "claim of x: Zed Alder married": "episode"}
    known = [
        "Ada Lovelace", "Ada Palmer", "John Smith", "Tarnwick Instruments", "Tarnwick Instruments Ltd", "José Núñez",
        "New York City", "Saint Louis", *kinds,
    ]  # fmt: skip
    store.apply([AddNode(name, kinds.get(name, "entity")) for name in known])
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Where was Ada born?", {"Ada": {"Ada Lovelace", "Ada Palmer"}}),
        ("Does Prof. Smith know Tarnwick?", {"Prof. Smith": {"John Smith"}, "Tarnwick": {"Tarnwick Instruments"}}),
        ("New York, Nunez", {"New York": {"New York City"}, "Nunez": {"José Núñez"}}),
        ("What does Tarnwick Holdings make, or Ada Byron?", {}),  # other names with the same word
        ("Describe Smith", {"Smith": {"John Smith"}}),
        ("is smith there", {"smith": {"John Smith"}}),
        ("Is smith there, Bob?", {}),  # a text with capitals means its capitals
        ("Where does Smyth live, and Lovelase?", {"Smyth": {"John Smith"}, "Lovelase": {"Ada Lovelace"}}),
        ("In May the Saint met Zed", {}),  # a month, a title, an episode
        ("who is there", {}), ("", {}), ("?!", {}), ("\u202e\u0000", {}),
    ],
)  # fmt: skip
def test_parts_mean_the_names_that_begin_or_end_with_them(names: Any, text: str, found: dict[str, set[str]]) -> None:
    matches = match_parts(text, names, relation_words={"born"})
    assert {match.text: set(names.names(match.nodes)) for match in matches} == found


def test_words_of_relations_are_no_names_in_lower_case(names: Any) -> None:
    names.apply([AddNode("Birthday Party")])
    assert match_parts("whose birthday is it", names, {"birthday"}) == []
    assert [match.text for match in match_parts("whose Birthday is it", names, {"birthday"})] == ["Birthday"]


def test_the_look_ups_of_a_long_text_are_bounded(names: Any) -> None:
    asked: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(names, name)

        def named_with(self, phrases: list[str], *, limit: int) -> dict[str, list[int]]:
            asked.extend(phrases)
            return names.named_with(phrases, limit=limit)

    match_parts(", ".join(f"Word{number}" for number in range(5_000)), Counting())
    assert 0 < len(asked) <= 200


def test_titles_are_data() -> None:
    assert {"mr", "mrs", "dr", "prof"} <= titles() and "king" not in titles()
