"""Invented names: distinct, visible, the same for the same seed."""

from __future__ import annotations

from random import Random

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.synthetic.names import KINDS, NameGenerator


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_invented_names_are_distinct_and_visible(kind: str) -> None:
    names = NameGenerator(Random(1)).names(kind, 12)
    assert len(names) >= 10 and len({normalise(n) for n in names}) == len(names)
    assert all(name == name.strip() and name for name in names)
    assert names == NameGenerator(Random(1)).names(kind, 12)


def test_unknown_types_are_refused() -> None:
    with pytest.raises(InvalidValue, match="wizardry"):
        NameGenerator(Random(1)).names("wizardry", 2)
