"""Invented names: distinct, visible, the same for the same seed."""

from __future__ import annotations

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.synthetic.names import KINDS, NameGenerator
from graphmem.synthetic.worlds import as_random


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_invented_names_are_distinct_and_visible(kind: str) -> None:
    names = NameGenerator(as_random(1)).names(kind, 12)
    assert len(names) >= 10 and len({normalise(n) for n in names}) == len(names)
    assert all(name == name.strip() and name for name in names)
    assert names == NameGenerator(as_random(1)).names(kind, 12)


def test_unknown_types_need_names_of_the_callers() -> None:
    with pytest.raises(InvalidValue, match="wizardry"):
        NameGenerator(as_random(1)).names("wizardry", 2)
    assert NameGenerator(as_random(1)).names("wizardry", 2, ["a", "A", "b"]) in (
        ["a", "b"],
        ["A", "b"],
        ["b", "a"],
        ["b", "A"],
    )
