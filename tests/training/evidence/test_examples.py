"""Examples and their variations: spans stay right, and the words of a question stay those of its answer."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from graphmem.encoding.evidence_text import fact_text
from graphmem.text.name_tagging import capitalised
from graphmem.training.evidence.examples import (
    YES,
    Example,
    Strangers,
    Unit,
    answer_unit,
    occurrences,
    other_unit,
    reworded,
    sample,
    shuffled,
    with_part_of_name,
    with_wrong_chains,
)

GOLD, OTHER = Unit("Ann | lives in | Oslo", ((17, 21),), True), Unit("Ann | likes | tea")
STORY = "Vik | " + "The lighthouse of Vik was built by Per Dahl. It is white, and very old by now. " * 3


@pytest.mark.parametrize(
    ("field", "answers"), [("subject", ["Ann"]), ("object", ["Oslo"]), ("dates", ["6 March 2019", "2021"])]
)
def test_a_field_is_the_answer(field: str, answers: list[str]) -> None:
    unit = answer_unit(fact_text("Ann", "lives in", "Oslo", "2019-03-06", "2021"), field)
    assert unit.relevant and [unit.text[a:b] for a, b in unit.spans] == answers


def test_occurrences_are_whole_words_whatever_they_hold() -> None:
    text = "Ann (b. 1990) met ANN and Joanna; Ann's (b. 1990) too."
    assert [text[a:b] for a, b in occurrences(text, " ann ")] == ["Ann", "ANN", "Ann"]
    assert [text[a:b] for a, b in occurrences(text, "(b. 1990)", 5)] == ["(b. 1990)"]
    assert occurrences(text, "  ") == () == occurrences("", "Ann") and len(occurrences("a.c abc", "a.c")) == 1


def test_a_share_of_the_examples_loses_what_answers_them() -> None:
    rng, example = Random(0), Example("Where?", (GOLD, OTHER, OTHER), "made")
    made = [shuffled(example, rng, 0.7) for _ in range(2000)]
    kept = [any(unit.relevant for unit in one.units) for one in made]
    assert 0.65 < sum(kept) / len(kept) < 0.75
    assert all(set(one.units) <= {GOLD, OTHER} for one in made) and len({one.units for one in made}) > 3
    assert shuffled(Example("Where?", (GOLD,), "made"), rng, 0.0).units == (GOLD,), "an example keeps a unit"


def test_a_question_is_reworded_without_loss() -> None:
    rng, question = Random(0), "Where does Ann's sister live?"
    made = {reworded(question, rng) for _ in range(400)}
    assert len(made) > 20 and question in made
    for text in made:
        assert "where does ann" in text.lower() and "sister live" in text.lower() and "{" not in text


def test_a_part_stands_for_a_name_of_two_or_three_words() -> None:
    rng = Random(0)
    parts = lambda name: {with_part_of_name(f"Where is {name}?", name, rng, 0.5) for _ in range(100)}
    assert parts("Tobias Renn") == {"Where is Tobias Renn?", "Where is Tobias?", "Where is Renn?"}
    for whole in ("Acme", "the old mill", "A B C D", ""):
        assert parts(whole) == {f"Where is {whole}?"}


def test_other_units_answer_nothing_and_some_are_dated() -> None:
    made = [other_unit(("Ann", "likes", "tea"), Random(seed)) for seed in range(300)]
    assert not any(unit.relevant or unit.spans for unit in made)
    assert 0.1 < sum(unit.text != "Ann | likes | tea" for unit in made) / len(made) < 0.3


def test_strangers_are_of_the_other_kind_and_answer_nothing() -> None:
    facts, passages = (
        Example("Where does Ann live?", (GOLD, OTHER), "facts"),
        Example("Who built it?", (Unit(STORY, ((42, 50),), True),), "texts"),
    )
    strangers, rng = Strangers([facts, passages], capitalised), Random(0)
    for example, separators in ((facts, (0, 1)), (passages, (2, 3))):
        made = [strangers.beside(example, rng) for _ in range(200)]
        assert 0.3 < sum(one == example for one in made) / len(made) < 0.7
        for one in made:
            added = [unit for unit in one.units if unit not in example.units]
            assert len(one.units) == len(example.units) + len(added) and len(added) <= 3
            assert not any(unit.relevant or unit.spans or unit.verdict for unit in added)
            assert all(unit.text.count(" | ") in separators for unit in added)
    assert Strangers([facts], capitalised).beside(facts, rng) == facts, "without passages there are none"


def test_wrong_chains_stand_beside_single_facts_and_answer_nothing() -> None:
    example, rng = Example("Where does Ann live?", (GOLD, OTHER, Unit("Olav | lives in | Rome")), "facts"), Random(0)
    made = [with_wrong_chains(example, rng) for _ in range(300)]
    assert 0.5 < sum(one != example for one in made) / len(made) < 0.8
    added = [[unit for unit in one.units if unit not in example.units] for one in made]
    assert max(map(len, added)) <= 4 and not any(u.relevant or u.spans or u.verdict for units in added for u in units)
    texts = {unit.text for units in added for unit in units}
    assert "Ann | lives in | Oslo ; Olav | lives in | Oslo" in texts and "Ann | also known as | Ann" in texts
    assert all(set(example.units) <= set(one.units) for one in made)
    chain = Unit("Ann | likes | tea ; tea | from | Assam")
    for kept in (Example("Q", (Unit(STORY),), "text"), Example("Q", (GOLD, chain), "chains")):
        assert all(with_wrong_chains(kept, Random(seed)) == kept for seed in range(20))
    for seed in range(20):
        assert GOLD in with_wrong_chains(Example("Q", (GOLD,), "alone"), Random(seed)).units


def test_wrong_chains_do_not_end_in_a_right_name() -> None:
    asked = Unit("Ann | lives in | Oslo", ((0, 3),), True)
    backward = Example("Who lives in Oslo?", (asked, OTHER, Unit("Olav | lives in | Rome")), "facts")
    texts = {unit.text for seed in range(200) for unit in with_wrong_chains(backward, Random(seed)).units}
    assert "Ann | lives in | Oslo ; Olav | lives in | Oslo" not in texts
    assert "Ann | lives in | Oslo ; Ann | likes | tea" in texts
    two = replace(backward, units=(asked, Unit("Ole | lives in | Oslo", ((0, 3),), True)))
    verdict = Example("Does Ann live in Oslo?", (replace(asked, spans=(), verdict=YES), OTHER), "facts", True)
    for kept in (two, verdict):
        assert all(with_wrong_chains(kept, Random(seed)) == kept for seed in range(30))


def test_a_sample_is_bounded() -> None:
    rows = [Example(str(n), (OTHER,), "made") for n in range(10)]
    assert sample(rows, 10, Random(0)) == rows == sample(rows, 99, Random(0))
    drawn = sample(rows, 4, Random(0))
    assert len(set(drawn)) == 4 and set(drawn) <= set(rows)
