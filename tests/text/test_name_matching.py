from __future__ import annotations

from collections.abc import Sequence

import pytest

from graphmem.core.names import fold, normalise
from graphmem.text.name_matching import mask_names, match_names

NAMES = [
    "It", "Her", "What", "In", "Tim Curry", "Stephen King", "The Stand", "Stand", "What's Up, Doc?", "Hell", "21",
    "screenplay", "東京", "anna_of_holstein-gottorp", "New York", "York", "(500) Days of Summer", "Drama",
]  # fmt: skip


class Names:
    """Resolves the names of a list."""

    def __init__(self) -> None:
        self.known = {normalise(name): [i] for i, name in enumerate(NAMES)}
        self.calls = 0

    def resolve_many(self, normalised: Sequence[str]) -> dict[str, list[int]]:
        self.calls += 1
        return {name: self.known.get(name, []) for name in normalised}

    def resolve_folded(self, folded: Sequence[str]) -> dict[str, list[int]]:
        return {name: [i for i, known in enumerate(NAMES) if fold(known) == name] for name in folded}


def found(text: str) -> list[str]:
    return [NAMES[mention.nodes[0]] for mention in match_names(text, Names())]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("what movies did Tim Curry act in", ["Tim Curry"]),
        ("What movies are in it?", []),
        ("who starred in It", ["It"]),
        ("who wrote The Stand?", ["The Stand"]),
        ("what is the language spoken in Hell", ["Hell"]),
        ("who wrote the screenplay for 21", ["21", "screenplay"]),
        ("Stephen King's first film", ["Stephen King"]),
        ("Stephen King’s first film", ["Stephen King"]),
        ("the parent of anna_of_holstein-gottorp 's son ?", ["anna_of_holstein-gottorp"]),
        ('who directed "What\'s Up, Doc?"?', ["What's Up, Doc?"]),
        ("when was (500) Days of Summer released", ["(500) Days of Summer"]),
        ("people born in NEW  YORK", ["New York"]),
        ("東京の人口は", ["東京"]),
        ("nothing to see", []),
        ("", []),
    ],
)
def test_finds_what_is_named(text: str, names: list[str]) -> None:
    assert found(text) == names


def test_finds_several() -> None:
    assert set(found("did Tim Curry and Stephen King work on The Stand")) == {"Tim Curry", "Stephen King", "The Stand"}


def test_spans_point_into_the_text() -> None:
    text = "films by Stephen King, please"
    (mention,) = match_names(text, Names())
    assert text[mention.start : mention.end] == mention.text == "Stephen King"


def test_a_long_text_costs_one_look_up_and_bounded_spans() -> None:
    names = Names()
    assert match_names("Tim Curry " + "word " * 50_000, names)[0].text == "Tim Curry"
    assert names.calls == 1


def test_masking_replaces_every_mention() -> None:
    text = "did Tim Curry meet Stephen King's cat"
    assert mask_names(text, match_names(text, Names())) == "did it meet it's cat"
