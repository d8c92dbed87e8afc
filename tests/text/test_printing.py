from __future__ import annotations

from graphmem.core.types import Fact
from graphmem.text.printing import confidence, interval, lines_of, one_line, printable


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[2J\u202eb") == "a\\x1b[2J\\u202eb"
    assert lines_of("a\nb\x07") == "a\nb\\x07"


def test_one_line_is_cut() -> None:
    assert one_line("a \n b") == "a b"
    assert one_line("x" * 200, 10) == "x" * 9 + "…"


def test_intervals_and_probabilities_in_words() -> None:
    assert interval(Fact("a", "b", "c", valid_from="2001")) == "  [2001 → now]"
    assert interval(Fact("a", "b", "c", valid_to="2001")) == "  [… → 2001]"
    assert interval(Fact("a", "b", "c")) == ""
    assert [confidence(p) for p in (0.95, 0.7, 0.5, 0.1)] == ["sure 95 %", "likely 70 %", "perhaps 50 %", "unsure 10 %"]
