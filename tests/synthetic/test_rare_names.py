"""Odd names to train on: of many scripts and shapes, the same for the same seed, never empty."""

from __future__ import annotations

import unicodedata
from random import Random

from graphmem.synthetic.rare_names import rare_name, word


def test_names_are_of_many_scripts_and_shapes() -> None:
    rng = Random(0)
    found = [rare_name(rng, ["Ada Byron", "Joe"]) for _ in range(2000)]
    scripts = {unicodedata.name(letter).split()[0] for name in found for letter in name if letter.isalpha()}
    assert {"LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "CJK", "HANGUL", "HIRAGANA", "KATAKANA"} <= scripts
    assert all(name.strip() == name and name for name in found) and len(set(found)) > 300
    assert any(name.isdigit() for name in found) and any("://" in name for name in found) and "Ada Byron" in found


def test_equal_seeds_make_equal_names() -> None:
    assert [word(Random(7)) for _ in range(3)] == [word(Random(7)) for _ in range(3)]
    first, second = Random(7), Random(7)
    assert [rare_name(first, ["A"]) for _ in range(50)] == [rare_name(second, ["A"]) for _ in range(50)]
