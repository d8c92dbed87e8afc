"""Examples whose evidence is text: parts of passages around the answer, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.core.splits import held
from graphmem.training.evidence.passage_examples import (
    LONGEST,
    drop,
    fairytales,
    friends,
    multihop,
    part_of,
    qamr,
    qed,
    squad,
    text_unit,
)

ROWS = 64
WHERE = "Where was Person{}, of whom it tells, born?".format


@given(
    st.lists(st.sampled_from(["One is so.", "Dr. Ø. Berg went!", "日本語。", "\n", "no end"]), min_size=1, max_size=60),
    st.data(),
)
def test_a_part_keeps_the_span_that_it_was_cut_around(parts: list[str], draw: st.DataObject) -> None:
    text = " ".join(parts)
    words = [k for k, letter in enumerate(text) if not letter.isspace()]
    if not words:
        return
    at = draw.draw(st.sampled_from(words))
    part, spans = part_of(text, [(at, at + 1)], Random(draw.draw(st.integers(0, 99))))
    assert part in text and len(part) <= LONGEST
    assert spans == () or [part[a:b] for a, b in spans] == [text[at]]
    assert spans, "the span's own sentence is always in it"


def test_a_unit_of_text_is_relevant_by_its_answer_or_verdict() -> None:
    text = "Ann was born. " * 50 + "Per Dahl built it."
    at = text.index("Per Dahl")
    for seed in range(20):
        unit = text_unit("Vik", text, [(at, at + 8)], Random(seed))
        assert (
            unit.relevant and [unit.text[a:b] for a, b in unit.spans] == ["Per Dahl"] and unit.text.startswith("Vik | ")
        )
        other = text_unit("", text, (), Random(seed), most=260)
        assert not other.relevant and len(other.text) <= 260
    assert text_unit("Vik", text, (), Random(0), verdict=2).relevant


@pytest.mark.parametrize(("make", "kept", "answer"), [
    (squad, lambda n: not held(f"Article_{n // 4}"), "Town{}"),
    (drop, lambda n: n % 5 and not held(WHERE(n)), "Town{}"),
    (multihop, lambda n: not held(WHERE(n).lower()), "Town{}"),
    (fairytales, lambda n: n < 8, "Town{}"),
    (qed, lambda n: not held(WHERE(n)), "Town{}"),
    (qamr, lambda n: n % 7 and not held(f"Wiki:{n}"), "Old Town{}"),
])  # fmt: skip
def test_sets_of_passages(
    data: Path, checked: Any, make: Callable[[Path, Random], Any], kept: Callable[[int], bool], answer: str
) -> None:
    made = list(make(data, Random(0)))
    assert checked(made) == {n for n in range(ROWS) if kept(n)}
    for example in made:
        (n,) = checked([example])
        found = [unit.text[a:b] for unit in example.units for a, b in unit.spans]
        assert set(found) <= {answer.format(n)}, "other passages do not answer"
    assert sum(any(unit.relevant for unit in example.units) for example in made) > 0.6 * len(made)
    assert list(make(data, Random(0))) == made, "the seed fixes the examples"


def test_questions_of_the_measured_set_are_left_out(data: Path, checked: Any) -> None:
    made = [example for example in multihop(data, Random(0)) if example.source in ("hotpotqa", "2wiki")]
    assert {example.source for example in made} == {"hotpotqa", "2wiki"}
    assert checked(made) == {n for n in range(ROWS) if n % 8 != 3 and not held(WHERE(n).lower())}


def test_some_questions_on_articles_stand_beside_other_passages_alone(data: Path) -> None:
    made = [example for seed in range(6) for example in squad(data, Random(seed))]
    unanswered = sum(not any(unit.relevant for unit in example.units) for example in made) / len(made)
    assert 0.05 < unanswered < 0.35 and {len(example.units) for example in made} == {1, 2, 3}


def test_answers_on_dialogue_are_words_of_a_turn_or_its_speaker(data: Path, checked: Any) -> None:
    made = list(friends(data, Random(0)))
    assert checked(made) == {n for n in range(ROWS) if not held(WHERE(n))}
    for example in made:
        (n,), (unit,) = checked([example]), example.units
        assert [unit.text[a:b] for a, b in unit.spans] == ([f"Town{n}"] if n % 2 else ["Ann"])
        assert f"Ann: I was born in Town{n}, you know" in unit.text
