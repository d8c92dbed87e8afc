"""Examples from the relation lexicon: dates, past values, both directions, yes and no."""

from __future__ import annotations

from random import Random
from typing import Any

from graphmem.training.evidence.lexicon_examples import lexicon


def test_every_kind_of_question_is_made(checked: Any) -> None:
    made = list(lexicon(Random(0), each=2))
    checked(made)
    lookups = [example for example in made if not example.asks_verdict]
    answered = [example for example in lookups if any(unit.relevant for unit in example.units)]
    assert 0.6 < len(answered) / len(lookups) < 0.85 and 0.1 < len(lookups) / len(made) < 0.95
    fields, verdicts = set(), {unit.verdict for example in made for unit in example.units}
    for example in answered:
        for unit in example.units:
            for a, b in unit.spans:
                before = unit.text[:a].count(" | ")
                fields.add(before)
                if before == 3:
                    assert unit.text[a:b].isdigit(), "an answer of dates is a date"
    assert fields >= {0, 2, 3} and verdicts == {0, 1, 2}


def test_the_seed_fixes_the_examples() -> None:
    assert list(lexicon(Random(1), each=1)) == list(lexicon(Random(1), each=1)) != list(lexicon(Random(2), each=1))
