"""Examples from tables: a cell is asked for by its row and column, or the row by its cell."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.splits import held
from graphmem.training.evidence.table_examples import table_rows, tables

ROWS = 64


def test_the_column_that_names_the_rows_is_found(data: Path) -> None:
    found = dict(table_rows(data))
    assert set(found) == {f"csv/{n}.csv" for n in range(ROWS)}
    head, key, body = found["csv/7.csv"]
    assert (head, key, body[1]) == (["Name", "Town", "Year"], 0, ["Row1 of 7", "Place1 of 7", "1901"])


def test_cells_are_asked_for_in_both_directions(data: Path, checked: Any) -> None:
    made = [example for seed in range(3) for example in tables(data, Random(seed))]
    checked(made)
    seen, fields = set(), set()
    for example in made:
        seen |= {int(n) for unit in example.units for n in re.findall(r" of (\d+)", unit.text)}
        for unit in example.units:
            fields |= {("subject", "object")[a > 0] for a, _ in unit.spans}
            if unit.relevant:
                (span,), (subject, _, object) = unit.spans, unit.text.split(" | ")
                answer, given = unit.text[slice(*span)], object if span[0] == 0 else subject
                assert answer == (subject if span[0] == 0 else object) and given.lower() in example.question.lower()
    assert seen == {n for n in range(ROWS) if not held(f"csv/{n}.csv")} and fields == {"subject", "object"}
    unanswered = sum(not any(unit.relevant for unit in example.units) for example in made) / len(made)
    assert 0.18 < unanswered < 0.38
