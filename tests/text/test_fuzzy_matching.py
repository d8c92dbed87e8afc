from __future__ import annotations

import pytest

from graphmem.text.fuzzy_matching import MIN_SIMILARITY, match_fuzzy, trigrams

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


def test_other_scripts_and_long_texts() -> None:
    assert match_fuzzy("x " * 50_000 + "Ridly Scott", NAMES) == []  # beyond what is looked at
    assert len(trigrams("東京物語")) == 4 and 0 < MIN_SIMILARITY < 1
