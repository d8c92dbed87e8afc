"""Former turns as evidence: what they state, what a correction withdraws, and what the memory holds beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_reader import EvidenceReader
from graphmem.reasoning.turn_evidence import Statement, joined, read_turns
from graphmem.reasoning.weighing import Weighed


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add("Ann Berg", "lives in", "Rome")
        yield opened


@pytest.fixture(scope="module")
def reader(memory: GraphMemory) -> EvidenceReader:
    found = memory.evidence_reader
    assert found is not None
    return found


def test_a_statement_answers_with_its_own_words(reader: EvidenceReader) -> None:
    turns = [Statement("Omar Said lives in Turin."), Statement("He bought a red bus for 300 euros.")]
    weighed = read_turns(reader, "Where does Omar Said live?", turns)
    best = weighed.answers[0].support[0]
    assert "Turin" in best.text and best.unit.passage is not None
    assert best.unit.passage.text[slice(*best.span)] == best.text and best.unit.passage.id < 0
    assert "300" in read_turns(reader, "How much did the red bus cost?", turns).answers[0].text


def test_a_correction_takes_the_place_of_what_it_corrects(reader: EvidenceReader) -> None:
    turns = [Statement("Omar Said lives in Turin."), Statement("Sorry, not Turin, Genoa.", corrects=True)]
    answers = [answer.text for answer in read_turns(reader, "Where does Omar Said live?", turns).answers]
    assert "Genoa" in answers[0]
    plain = [turns[0], turns[1]._replace(corrects=False)]
    assert "Turin" in read_turns(reader, "Where does Omar Said live?", plain).answers[0].text
    assert not any("Turin" in answer for answer in answers)


def test_a_correction_of_something_else_withdraws_nothing(reader: EvidenceReader) -> None:
    turns = [
        Statement("Omar Said lives in Turin and pays 300 euros."), Statement("No, I meant 320 euros.", corrects=True)
    ]  # fmt: skip
    assert "Turin" in read_turns(reader, "Where does Omar Said live?", turns).answers[0].text
    assert "320" in read_turns(reader, "How much does Omar Said pay?", turns).answers[0].text


def test_a_part_of_a_value_is_not_what_a_correction_withdraws(reader: EvidenceReader) -> None:
    turns = [Statement("Zoe Lund was born on April 3."), Statement("No, I meant April 13.", corrects=True)]
    assert "13" in read_turns(reader, "When was Zoe Lund born?", turns).answers[0].text


def test_memory_and_turns_are_weighed_together(memory: GraphMemory, reader: EvidenceReader) -> None:
    question = "Where does Ann Berg live?"
    held = reader.read(memory.retrieve(question))
    said = read_turns(reader, question, [Statement("Ann Berg lives in Oslo now.")])
    both = joined(held, said)
    assert {"Rome", "Oslo"} <= {answer.text for answer in both.answers}
    assert both.relevance == max(held.relevance, said.relevance) and both.asks_verdict == held.asks_verdict
    assert joined(held, Weighed()) is held and read_turns(reader, question, []) == Weighed()


def test_turns_give_verdicts(memory: GraphMemory, reader: EvidenceReader) -> None:
    question = "Does Omar Said live in Turin?"
    both = joined(Weighed(), read_turns(reader, question, [Statement("Omar Said lives in Turin.")]))
    assert both.verdict[0] == "yes" and both.verdict_unit is not None
