"""Examples that ask for a verdict: what the evidence says is the label, held-out claims never occur."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.core.splits import held
from graphmem.training.evidence.claim_examples import boolq, creak, fever
from graphmem.training.evidence.examples import NO, NO_VERDICT, YES

ROWS = 64


@pytest.mark.parametrize(("make", "kept", "own"), [
    (boolq, lambda n: not held(f"was person{n} born by the sea"), "Person{} "),
    (fever, lambda n: n % 9 and not held(f"Person{n} was born in Town{n}."), "Evidence{} "),
    (creak, lambda n: n % 9 and not held(f"Person{n} was born in Town{n}."), "Explanation{} "),
])  # fmt: skip
def test_sets_of_claims(
    data: Path, checked: Any, make: Callable[[Path, Random], Any], kept: Callable[[int], bool], own: str
) -> None:
    made = list(make(data, Random(0)))
    assert checked(made) == {n for n in range(ROWS) if kept(n)}
    assert all(example.asks_verdict for example in made)
    verdicts = set()
    for example in made:
        (n,) = checked([example])
        for unit in example.units:
            label = (NO if n % 2 else YES) if own.format(n) in unit.text else NO_VERDICT
            assert unit.verdict == label, (example.question, unit.text)
            verdicts.add(label)
    assert verdicts == {NO, YES, NO_VERDICT}
