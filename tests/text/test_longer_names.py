from __future__ import annotations

import pytest

from graphmem.text.longer_names import stands_alone
from graphmem.text.name_matching import NameMatch


@pytest.mark.parametrize(
    ("text", "names", "alone"),
    [
        ("Who manages Wolves?", ["Wolves"], True),
        ("Who manages Wolves of the North?", ["Wolves"], False),
        ("Who is Old Wolves?", ["Wolves"], False),
        ("Who is Anna of Austria?", ["Anna", "Austria"], False),
        ("Did Anna meet Bo in Austria?", ["Anna", "Bo", "Austria"], True),
        ("Are Wolves and Bears friends?", ["Wolves", "Bears"], True),
        ("Is it Wild Boy?", ["Wild", "Boy"], False),
        ("Who is the CEO of Nokia?", ["Nokia"], True),  # an abbreviation is an office
        ("Who is the Queen of Nokia?", ["Nokia"], False),
        ("Nokia, London", ["Nokia"], True),
    ],
)
def test_a_name_beside_a_capital_is_a_part_of_a_longer_one(text: str, names: list[str], alone: bool) -> None:
    found = [(name, text.index(name)) for name in names]
    matches = [NameMatch(at, at + len(name), name, (number,), 1.0) for number, (name, at) in enumerate(found)]
    assert all(stands_alone(text, match, matches) for match in matches) is alone
