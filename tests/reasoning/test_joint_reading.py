"""Joint reading: lines of units, what the reading changes, and what it leaves."""

from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.types import Edge, Fact, Node
from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.encoding.evidence_text import LINE, fact_text, passage_text
from graphmem.reasoning.joint_reading import ANSWERS, BOUND, LONGEST, SHARE, line_of, read_jointly
from graphmem.reasoning.weighing import Support
from graphmem.retrieval.evidence import EvidenceUnit

READ = Reading(0.0, (), 0.0, (1.0, 0.0, 0.0), -3.0)


def support(subject: str, relation: str, object: str, weight: float, field: str = "object") -> Support:
    fact = Fact(subject, relation, object, id=1), Edge(1, 1, relation, 2)
    unit = EvidenceUnit(fact_text(subject, relation, object), (fact[0],), (fact[1],))
    return Support(unit, READ, object if field == "object" else subject, 2, weight, field)


def spoken(text: str, answer: str, weight: float) -> Support:
    unit = EvidenceUnit(passage_text("", text), passage=Node(9, "passage:9", "passage", text))
    at = text.index(answer)
    return Support(unit, READ, answer, -1, weight, "span", (at, at + len(answer)))


class Reader:
    """A reader that finds given words in a joint text, with given scores above "not here"."""

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores, self.texts, self.joint = scores, [], self  # type: ignore[var-annotated]

    def read(self, question: str, units: list[str], *, max_spans: int) -> list[Reading]:
        (text,) = units
        self.texts.append(text)
        spans = [
            Span(text.index(word), text.index(word) + len(word), 1.0 + score) for word, score in self.scores.items()
        ]
        return [Reading(0.0, tuple(sorted(spans, key=lambda span: -span.score)), 1.0, (1.0, 0.0, 0.0), -3.0)]


def test_the_reading_of_all_moves_the_weights_of_each() -> None:
    near, right = support("Rosa", "drives", "Truck 22", 0.5), spoken("Truck 22 is a Volvo.", "Volvo", 0.0)
    reader = Reader({"Volvo": 3.0, "Truck 22 is": -5.0, "drives | Truck 22": -2.0})
    moved = read_jointly(reader, "What make does Rosa drive?", [near, right])  # type: ignore[arg-type]
    assert reader.texts == [f"Rosa | drives | Truck 22{LINE}Truck 22 is a Volvo."], "the surest first"
    assert [one.weight for one in moved] == pytest.approx([0.5 - 2 * SHARE, 3 * SHARE])
    assert [one.text for one in moved] == ["Truck 22", "Volvo"]


def test_answers_that_are_not_read_gain_no_more_than_the_least_of_those_that_are() -> None:
    supports = [spoken(f"She saw film {n}.", f"film {n}", -float(n)) for n in range(ANSWERS + 2)]
    scores = {f"film {n}": 4.0 - n for n in range(ANSWERS)}
    moved = read_jointly(Reader(scores), "What did Rosa see?", supports)  # type: ignore[arg-type]
    gained = [(one.weight - before.weight) / SHARE for one, before in zip(moved, supports, strict=True)]
    assert gained == pytest.approx([4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0])
    far = read_jointly(Reader({"film 0": 90.0, "film 1": -90.0}), "?", supports[:2])  # type: ignore[arg-type]
    assert [one.weight for one in far] == pytest.approx([SHARE * BOUND, -1.0 - SHARE * BOUND])
    assert read_jointly(Reader({}), "?", []) == []  # type: ignore[arg-type]


def test_answers_of_one_set_do_not_compete_and_facts_alone_are_left_as_they_are() -> None:
    films, aida = [support("Rosa", "saw", f"film {n}", 0.0) for n in range(2)], spoken("She saw Aida.", "Aida", 0.0)
    reader = Reader({"film 0": 5.0, "film 1": -4.0, "Aida": 1.0})
    moved = read_jointly(reader, "What did Rosa see?", [*films, aida])  # type: ignore[arg-type]
    assert [one.weight / SHARE for one in moved] == pytest.approx([5.0, 5.0, 1.0])
    assert read_jointly(reader, "What did Rosa see?", films) == films and len(reader.texts) == 1  # type: ignore[arg-type]


def test_of_a_long_passage_the_title_and_the_sentence_of_the_answer_are_read() -> None:
    text = "The boiler was mended. " * 12 + "Ann Berg sold it to Acme in May. It rained."
    passage = Node(9, "passage:9", "passage", text, date="2024-03-06")
    unit = EvidenceUnit(passage_text("Notes", text, "2024-03-06"), passage=passage)
    at = text.index("Acme")
    line, (first, last) = line_of(Support(unit, READ, "Acme", -1, 0.0, "span", (at, at + 4)))
    assert len(unit.text) > LONGEST and line == "Notes (6 March 2024) | Ann Berg sold it to Acme in May."
    assert line[first:last] == "Acme"


@pytest.mark.parametrize(("field", "at"), [("object", (13, 17)), ("subject", (0, 4))])
def test_the_place_of_an_answer_in_a_fact(field: str, at: tuple[int, int]) -> None:
    one: Any = support("Rosa", "met", "Rosa", 0.0, field)
    assert line_of(one) == ("Rosa | met | Rosa", at)
