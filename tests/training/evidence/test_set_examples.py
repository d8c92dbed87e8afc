"""Examples whose answers are sets: every fact that an answer is computed from is relevant, and its member the span."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.core.splits import held
from graphmem.training.evidence.examples import Example
from graphmem.training.evidence.set_examples import all_sets, compared, table_questions, vquanda_sets

ROWS = 64


def members(example: Example) -> set[str]:
    return {unit.text[a:b] for unit in example.units for a, b in unit.spans}


def test_counts_and_two_topics_have_their_members(data: Path, checked: Any) -> None:
    made = [example for seed in range(5) for example in vquanda_sets(data, Random(seed))]
    checked(made)
    both = [example for example in made if "from both" in example.question.lower()]
    counts = [example for example in made if "how many" in example.question.lower()]
    assert counts and both and len(counts) + len(both) == len(made)
    assert {len(members(example)) for example in counts} >= {0, 1, 2, 3}, "some without any"
    for example in both:
        if any("Twin" in name for name in members(example)):
            twin = next(name for name in members(example) if "Twin" in name)
            facts = [unit.text.split(" | ") for unit in example.units if unit.relevant and unit.text.startswith(twin)]
            assert {fact[1] for fact in facts} == {"birth place", "country"}


def test_both_sides_of_a_comparison_bear_on_it(data: Path, checked: Any) -> None:
    made = [example for seed in range(3) for example in compared(data, Random(seed))]
    checked(made)
    kept = [example for example in made if members(example)]
    assert 0.8 < len(kept) / len(made) < 1
    for example in kept:
        assert len(members(example)) == 2 and all(name.lower() in example.question.lower() for name in members(example))
        assert len({unit.text.split(" | ")[1] for unit in example.units if unit.relevant}) == 1


@pytest.mark.parametrize(("start", "wanted"), [(0, ["Place2 of {}"]), (1, ["Row3 of {}"]), (2, None)])
def test_questions_on_tables_have_the_cells_that_answer(
    data: Path, checked: Any, start: int, wanted: list[str] | None
) -> None:
    made = list(table_questions(data, Random(0)))
    checked(made)
    seen = 0
    for n in range(start, ROWS, 3):
        found = [e for e in made if f" of {n}" in " ".join(unit.text for unit in e.units) + " "]
        found = [e for e in found if {unit.text.split(" of ")[1].split(" |")[0] for unit in e.units} == {str(n)}]
        assert bool(found) == (not held(f"csv/{n}.csv"))
        for example in found:
            names = members(example)
            seen += bool(names)
            if wanted is not None:
                assert names <= {name.format(n) for name in wanted}
            else:  # the last year: the years of all rows bear on it
                assert all(unit.text.split(" | ")[1] == "year" for unit in example.units if unit.relevant)
    assert seen > 10


def test_all_sets_are_made(data: Path) -> None:
    assert {examples[0].source for examples in all_sets(data, Random(0))} == {
        "vquanda sets", "2wiki comparisons", "table questions",
    }  # fmt: skip
