"""Aliases that a text gives."""

import pytest

from graphmem.core.types import Fact
from graphmem.reading.alias_patterns import find_aliases, is_alias, is_renaming


def found(text: str, *names: str) -> list[tuple[str, str]]:
    places = [(text.index(name), text.index(name) + len(name)) for name in names]
    return [(text[slice(*a)], text[slice(*b)]) for a, b in find_aliases(text, places)]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("The British Broadcasting Corporation, also known as BBC, grew.", "British Broadcasting Corporation", "BBC"),
        ("In 2021 Facebook changed its name to Meta.", "Facebook", "Meta"),
        ("Iran, formerly Persia, is old.", "Iran", "Persia"),
        ("The United Nations (UN) met.", "United Nations", "UN"),
        ("The town is now called Kept.", "town", "Kept"),
        ("Leningrad was renamed Saint Petersburg.", "Leningrad", "Saint Petersburg"),
    ],
)
def test_aliases(text: str, first: str, second: str) -> None:
    assert found(text, first, second) == [(first, second)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Is Iran known as Persia?", ("Iran", "Persia")),
        ("Rumour has it that Ali was called Bob.", ("Ali", "Bob")),
        ("Bob called Alice.", ("Bob", "Alice")),
        ("Iran was never known as Prussia.", ("Iran", "Prussia")),
        ("The United Nations (FIFA) met.", ("United Nations", "FIFA")),
        ("Ali met Bob.", ("Ali", "Bob")),
    ],
)
def test_no_alias(text: str, names: tuple[str, ...]) -> None:
    assert found(text, *names) == []


def test_alias_candidates() -> None:
    assert is_alias(Fact("Facebook", "Also known as", "Meta"))
    assert not is_alias(Fact("Facebook", "founded by", "Mark Zuckerberg"))


def test_renamings() -> None:
    assert all(map(is_renaming, (" changed its name to ", " was renamed ", " rebranded itself as ")))
    assert not any(map(is_renaming, (", also known as ", " (", ", formerly ")))
