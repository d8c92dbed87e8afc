"""Examples of joint texts: units as lines, spans in their places, long passages cut to sentences."""

from __future__ import annotations

from random import Random

from graphmem.encoding.evidence_text import LINE
from graphmem.training.evidence.examples import Example, Unit
from graphmem.training.evidence.joint_examples import LONGEST, MOST, joined, part_of

FACTS = tuple(Unit(f"Ann | likes | thing {n}") for n in range(9))
GOLD = Unit("Ann | lives in | Oslo", ((17, 21),), True)


def test_the_units_are_lines_and_the_span_is_where_the_answer_stands() -> None:
    examples = [Example("Where does Ann live?", (GOLD, *FACTS), "made") for _ in range(30)]
    made = list(joined(examples, Random(0)))
    assert len(made) == 30 and all(len(one.units) == 1 and one.units[0].relevant for one in made)
    for one in made:
        (unit,) = one.units
        assert [unit.text[a:b] for a, b in unit.spans] == ["Oslo"] and len(unit.text.split(LINE)) == MOST
    assert len({one.units[0].text.split(LINE).index(GOLD.text) for one in made}) > 3, "in random order"


def test_what_has_no_answer_has_no_span_and_verdicts_are_left_out() -> None:
    (none,) = joined([Example("Where does Ann live?", FACTS[:3], "made")], Random(0))
    assert none.units[0].spans == () and not none.units[0].relevant
    assert list(joined([Example("Is it so?", (GOLD, *FACTS), "made", True)], Random(0))) == []


def test_a_long_passage_is_cut_to_its_title_and_the_sentence_that_answers() -> None:
    text = "Notes | " + "The boiler was mended. " * 12 + "Ann sold it to Acme. It rained."
    at = text.index("Acme")
    part = part_of(Unit(text, ((at, at + 4),), True), Random(0))
    assert part.text == "Notes | Ann sold it to Acme." and [part.text[a:b] for a, b in part.spans] == ["Acme"]
    other = part_of(Unit(text), Random(1))
    assert len(other.text) < LONGEST < len(text) and other.text.startswith("Notes | ") and not other.relevant
    assert part_of(GOLD, Random(0)) == GOLD
