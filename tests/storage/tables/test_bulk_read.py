"""Names of a load: those in plain ASCII are normalised together, and give what each gives alone."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from graphmem.core.errors import InvalidName
from graphmem.core.names import MAX_NAME, normalise, normalise_lines
from graphmem.storage.tables import bulk_read
from graphmem.storage.tables.bulk_read import Names, read

PLAIN = [f"Person {number}" for number in range(40)]
ODD = [
    "Ærø",
    " padded ",
    "two  spaces",
    "tab\there",
    "line\nbreak",
    "PERSON 3",
    "Person 5",
    "`quoted`",
    "'quoted'",
    "É",
    "x",
]


def one_by_one(names: Sequence[str]) -> tuple[list[int], Names]:
    known = Names("name")
    return [known.add(name) for name in names], known


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
@pytest.mark.parametrize("seed", range(4))
def test_names_together_are_what_they_are_one_by_one(monkeypatch: pytest.MonkeyPatch, chunk: int, seed: int) -> None:
    monkeypatch.setattr(bulk_read, "CHUNK", chunk)
    names = random.Random(seed).sample(PLAIN + ODD * (seed > 0), 30) + PLAIN[: 5 * seed]
    together = Names("name")
    positions = together.add_all(names).tolist()
    alone, known = one_by_one(names)
    assert positions == alone
    assert (together.shown, together.known, together.by_norm) == (known.shown, known.known, known.by_norm)


@pytest.mark.parametrize("bad", ["", " ", "\n", "x" * (MAX_NAME + 1), None, 7, "a\x00b", "\u200b"])
def test_a_name_that_cannot_be_stored_is_named_among_good_ones(bad: object) -> None:
    with pytest.raises(InvalidName, match=r"names\[20\]"):
        read([*PLAIN[:20], bad, *PLAIN[20:]], [])  # type: ignore[list-item]


@pytest.mark.parametrize("name", [*PLAIN[:3], *ODD, "A`B", "MiXeD", "a-b_c", "\x7f", "\x1f"])
def test_lines_have_the_normal_forms_of_names_or_none(name: str) -> None:
    found = normalise_lines(name)
    assert found is None or found == [normalise(line) for line in name.split("\n")]
    assert normalise_lines("Plain One\nO`Neil") == ["plain one", "o'neil"]
