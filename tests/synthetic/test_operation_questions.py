"""Questions from templates: each wants its operation, and says which end of a scale where it compares."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest

from graphmem.core.splits import held
from graphmem.questions.operation import OPERATIONS
from graphmem.synthetic.operation_questions import HELD_PARTS, OperationQuestions
from graphmem.synthetic.templates import load

LISTS = load("operations")


@pytest.fixture(scope="module")
def maker() -> OperationQuestions:
    return OperationQuestions(Random(0), size=60)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_slot_is_filled(maker: OperationQuestions, operation: str) -> None:
    made = [maker.make(operation) for _ in range(300)]
    assert {one.operation for one in made} == {operation}
    assert not [one.question for one in made if re.search(r"[{}]|  |^ | $", one.question)]
    assert len({one.question for one in made}) > 200
    assert all(one.question[0] == one.question[0].upper() for one in made)


def test_comparisons_carry_the_directions_of_their_words(maker: OperationQuestions) -> None:
    ends = Counter()
    for _ in range(3000):
        made = maker.make("superlative")
        for word, larger, later in (("cheapest", 0, None), ("heavier", 1, None), ("eldest", 1, 0), ("newest", 0, 1)):
            if re.search(rf"\b{word}\b", made.question) and made.larger is not None:
                ends[word, made.larger == larger and made.later == later] += 1
        assert made.larger is not None or made.later is not None
    assert {word for word, _ in ends} == {"cheapest", "heavier", "eldest", "newest"}
    assert all(right for _, right in ends)


def test_other_operations_have_no_end_unless_they_compare(maker: OperationQuestions) -> None:
    for operation in ("count", "intersect"):
        assert all(one.larger is one.later is None for one in (maker.make(operation) for _ in range(100)))
    compared = [one for one in (maker.make("verify") for _ in range(300)) if one.larger is not None]
    assert 20 < len(compared) < 250 and any(" than " in one.question for one in compared)


def test_what_is_held_out_is_marked(maker: OperationQuestions) -> None:
    marks = Counter(maker.make("superlative").unseen for _ in range(1000))
    assert set(marks) == {"", "frame", "adjective", "both"} and marks[""] > 200
    frames = LISTS["frames"]["superlative"]
    assert 0.2 < sum(held(frame, HELD_PARTS) for frame in frames) / len(frames) < 0.5


def test_the_same_seed_makes_the_same_questions() -> None:
    first, second, third = (OperationQuestions(Random(seed), size=30) for seed in (1, 1, 2))
    one, two, three = ([maker.make("list").question for _ in range(20)] for maker in (first, second, third))
    assert one == two != three


def test_the_template_file_is_whole() -> None:
    assert set(LISTS["frames"]) == set(OPERATIONS)
    assert len(LISTS["adjectives"]) >= 100 and sum(map(len, LISTS["frames"].values())) > 300
    kinds = set(LISTS["classes"])
    for base, comparative, superlative, larger, later, of in LISTS["adjectives"]:
        assert base and comparative != superlative and {larger, later} <= {0, 1, None} != {larger, later, 2}
        assert not (larger is None and later is None) and set(of) - {"*"} <= kinds
    assert kinds == set(LISTS["relations"]) == set(LISTS["predicates"]) == set(LISTS["names"]) == set(LISTS["pronouns"])
    for predicates in LISTS["predicates"].values():
        for form, *words in predicates:
            needed = {int(n) for n in re.findall(r"\{(\d)\}", str(LISTS["auxiliaries"][form]))}
            assert max(needed) == len(words) + 1
