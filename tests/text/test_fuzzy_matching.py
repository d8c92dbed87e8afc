from __future__ import annotations

import pytest

from graphmem.text.fuzzy_matching import match_fuzzy, name_similarity

NAMES = {1: "Ridley Scott", 2: "The Film", 3: "Alien", 4: "It", 5: "Scotland Yard", 6: "東京物語"}


def matched(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(mention.text, mention.nodes) for mention in match_fuzzy(text, NAMES)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("who is Ridly Scott?", [("Ridly Scott", (1,))]),
        ("“Ridley Scot’s” work", [("Ridley Scot", (1,))]),
        ("Aliens, then", [("Aliens", (3,))]),
        ("the film that the films are", []),  # stop words alone match no name
        ("its", []),  # too short to tell
        ("nothing of the kind", []),
        ("", []),
        ("🜚🜚 \u0000", []),
    ],
)
def test_misspelt_names_match(text: str, expected: list[tuple[str, tuple[int, ...]]]) -> None:
    assert matched(text) == expected


def test_matches_do_not_overlap_and_the_best_comes_first() -> None:
    found = match_fuzzy("Ridley Scottt met an Alienn in Scotland Yrd", NAMES)
    spans = sorted((mention.start, mention.end) for mention in found)
    assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:], strict=False))
    assert [mention.score for mention in found] == sorted((m.score for m in found), reverse=True)
    assert {1, 5} <= {mention.nodes[0] for mention in found}


def test_other_numbers_are_other_names() -> None:
    assert match_fuzzy("what is Apolo 12?", {1: "Apollo 11"}) == []
    assert [match.nodes for match in match_fuzzy("what is Apolo 11?", {1: "Apollo 11"})] == [(1,)]


def test_accents_count_for_nothing() -> None:
    assert [match.nodes for match in match_fuzzy("where does Jose Nunes live?", {1: "José Núñez"})] == [(1,)]
    assert name_similarity("Łukasz Żak’s", "Lukasz Zak") == 1.0 and name_similarity("Graz", "Wien") < 0.5


def test_long_texts_are_searched_in_their_first_part() -> None:
    assert match_fuzzy("x " * 50_000 + "Ridly Scott", NAMES) == []
