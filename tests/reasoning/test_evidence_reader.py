"""The reader of a memory's evidence: what it finds, what turns it off, other text encoders, threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from graphmem.core.errors import WeightsMismatch
from graphmem.core.times import to_micros
from graphmem.encoding.evidence_encoder import EvidenceNetwork, Reading, save_evidence_encoder
from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_reader import excluded, named_in_full, verdict_wanted, with_full_names
from graphmem.reasoning.weighing import Weighed
from graphmem.testing import HashEncoder

QUESTION = "Where does Ann Berg live?"


@dataclass
class Unhashable:
    """A text encoder that compares by value, and so cannot be hashed."""

    dim: int = 16
    fingerprint: str = "unhashable"
    words: HashEncoder = field(default_factory=lambda: HashEncoder(16))

    def encode(self, texts: Any) -> Any:
        return self.words.encode(texts)


@pytest.fixture
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        yield opened


def read(memory: GraphMemory, question: str, as_of: str | None = None) -> Weighed:
    reader = memory.evidence_reader
    assert reader is not None
    return reader.read(memory.retrieve(question, as_of=as_of), None if as_of is None else to_micros(as_of))


def test_a_fact_in_the_words_of_the_question_is_the_answer(memory: GraphMemory) -> None:
    memory.add_many([("Ann Berg", "lives in", "Oslo"), ("Ann Berg", "likes", "tea"), ("Olav", "lives in", "Rome")])
    weighed = read(memory, QUESTION)
    assert weighed.answers[0].text == "Oslo" and weighed.asks_verdict < 0.5
    (fact,) = weighed.answers[0].support[0].unit.facts
    assert fact == memory.facts("Ann Berg", "lives in")[0]
    assert weighed.answers[0].node == memory.store.find("Oslo").id
    assert read(memory, "Does Ann Berg live in Oslo?").asks_verdict > 0.5


def test_a_passage_answers_with_words_of_its_own(memory: GraphMemory) -> None:
    memory.add_passages([("Vik", "The lighthouse of Vik was built by Per Dahl in 1871. It is white.")])
    for answer in read(memory, "Who built the lighthouse of Vik?").answers:
        for support in answer.support:
            passage = support.unit.passage
            assert passage is not None and passage.text[slice(*support.span)] == support.text


def test_only_facts_of_the_time_asked_for_are_read(memory: GraphMemory) -> None:
    memory.add("Ann Berg", "lives in", "Rome", valid_from="1990", valid_to="2000")
    memory.add("Ann Berg", "lives in", "Oslo", valid_from="2000")
    then = read(memory, QUESTION, "1995")
    assert {answer.text for answer in then.answers} & {"Rome", "Oslo"} == {"Rome"}
    assert {"Rome", "Oslo"} <= {answer.text for answer in read(memory, QUESTION).answers}


@pytest.fixture
def moved(memory: GraphMemory) -> GraphMemory:
    """A memory of three places one after the other."""
    memory.add("Ann Berg", "lives in", "Rome", valid_from="1990", valid_to="1999")
    memory.add("Ann Berg", "lives in", "Malmö", valid_from="2000", valid_to="2009")
    memory.add("Ann Berg", "lives in", "Oslo", valid_from="2010")
    memory.add("Ann Berg", "likes", "tea")
    return memory


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where did Ann Berg live in 1995?", "Rome"), ("Where did Ann Berg live before Malmö?", "Rome"),
        ("where was ann berg living at the end of May 2004", "Malmö"), ("Where did Ann Berg live after Malmö?", "Oslo"),
        ("Where does Ann Berg live?", "Oslo"), ("Where did Ann Berg live until 2009?", "Malmö"),
        ("Where did Ann Berg live before?", "Malmö"),
        ("How long did Ann Berg live in Malmö?", "9 years (2000 to 2009)"),
    ],
)  # fmt: skip
def test_the_value_of_the_time_asked_about_answers(moved: GraphMemory, question: str, answer: str) -> None:
    assert read(moved, question).answers[0].text == answer


def test_since_when_is_answered_by_the_date(moved: GraphMemory) -> None:
    best = read(moved, "Since when has Ann Berg lived in Oslo?").answers[0]
    assert best.support[0].field == "dates" and "2010" in best.text


def test_the_present_value_never_answers_for_another_time(moved: GraphMemory) -> None:
    weighed = read(moved, "Where did Ann Berg live in 1970?")
    assert weighed.answers == () and [fact.object for fact in weighed.other_times] == ["Rome", "Malmö", "Oslo"]


def test_now_is_the_moment_of_asking(moved: GraphMemory) -> None:
    reader, question = moved.evidence_reader, "Where does Ann Berg live now?"
    assert reader is not None
    for day, place in (("1995", "Rome"), ("2005", "Malmö"), (None, "Oslo")):
        assert reader.read(moved.retrieve(question), at=to_micros(day)).answers[0].text == place
    long = reader.read(moved.retrieve("How long has Ann Berg lived in Oslo?"), at=to_micros("2030-06-01"))
    assert long.answers[0].text == "20 years (since 2010)"


def test_a_date_that_is_a_value_rules_nothing_out(memory: GraphMemory) -> None:
    memory.add_many([("Ann Berg", "hired in", "1995"), ("Olav Vik", "hired in", "2005")])
    assert read(memory, "Who was hired in 1995?").answers[0].text == "Ann Berg"


def test_facts_are_read_with_full_names_and_texts_with_those_as_asked(memory: GraphMemory) -> None:
    memory.add_many(
        [
            ("Tobias Renn", "occupation", "baker"),
            ("Ann Berg", "sister of", "Tobias Renn"),
            ("Ann Field", "likes", "tea"),
        ]
    )
    memory.add_alias("Tobias Renn", "Toby")
    full = lambda question: with_full_names(memory.retrieve(question))
    assert full("What is Toby's job?") == "What is Tobias Renn's job?"
    assert full("Is Toby, that is Tobias Renn, older?") == "Is Tobias Renn, that is Tobias Renn, older?"
    assert full("What is Tobias Renn's job?") == "What is Tobias Renn's job?"
    for question in ("Who is Ann?", "What is the weather?", "", "Toby " * 30_000):
        found = full(question)
        assert "Ann Berg" not in found, "an unclear name stays as it is"
        assert found.replace("Tobias Renn", "Toby") == memory.retrieve(question).query


def test_what_the_question_names_is_excluded_unless_it_names_several_things(memory: GraphMemory) -> None:
    memory.add_many([("Ann Berg", "lives in", "Oslo"), ("Olav Moe", "lives in", "Rome")])
    nodes = lambda question: set(memory.store.names(sorted(excluded(memory.retrieve(question)))))
    assert nodes("Where does Ann Berg live?") == {"Ann Berg"}
    assert nodes("Who lives in Rome, Ann Berg or Olav Moe?") == set() == nodes("Who is it?")


def test_nothing_is_read_in_an_empty_memory(memory: GraphMemory) -> None:
    assert read(memory, QUESTION) == Weighed()


def test_the_reader_is_made_once_and_can_be_turned_off(encoder: Any, memory: GraphMemory) -> None:
    assert memory.evidence_reader is memory.evidence_reader
    with GraphMemory.open(":memory:", encoder=encoder, evidence=False) as plain:
        assert plain.evidence_reader is None


@pytest.mark.parametrize("other", [HashEncoder(16), Unhashable()], ids=["hash", "unhashable"])
def test_a_memory_with_another_text_encoder_is_read(other: Any) -> None:
    with GraphMemory.open(":memory:", encoder=other) as memory, pytest.warns(UserWarning, match="untrained ranker"):
        memory.add("Ann Berg", "lives in", "Oslo")
        weighed = read(memory, QUESTION)
        assert weighed.answers[0].text == "Oslo" and 0 <= weighed.asks_verdict <= 1


def test_weights_of_ones_own(encoder: Any, tmp_path: Path) -> None:
    network = EvidenceNetwork.of(encoder.transformer)
    fits = save_evidence_encoder(tmp_path / "own.safetensors", network, encoder.fingerprint)
    with GraphMemory.open(":memory:", encoder=encoder, evidence=fits) as memory:
        memory.add("Ann Berg", "lives in", "Oslo")
        assert {support.text for answer in read(memory, QUESTION).answers for support in answer.support} <= {"Oslo"}
    strange = save_evidence_encoder(tmp_path / "strange.safetensors", network, "another")
    for path, words in ((strange, "text encoder another"), (tmp_path / "none", "cannot read")):
        with GraphMemory.open(":memory:", encoder=encoder, evidence=path) as memory:
            with pytest.raises(WeightsMismatch, match=words):
                memory.evidence_reader  # noqa: B018


def test_several_threads_read_the_same(memory: GraphMemory) -> None:
    memory.add_many([(f"Person {n}", "lives in", f"Town {n}") for n in range(12)])
    questions = [f"Where does Person {n} live?" for n in range(12)]
    alone = [read(memory, question).answers[0] for question in questions]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda question: read(memory, question).answers[0], questions))
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.weight for answer in together] == pytest.approx([answer.weight for answer in alone], abs=0.2)


def test_a_name_that_is_held_as_a_fact_stands_for_its_owner(memory: GraphMemory) -> None:
    memory.add_many([("Ann Berg", "also known as", "Annie"), ("Ann Berg", "lives in", "Oslo")])
    assert with_full_names(memory.retrieve("Where does Annie live?")) == "Where does Ann Berg live?"
    assert read(memory, "Where does Annie live?").answers[0].text == "Oslo"


@pytest.mark.parametrize("held_as_fact", [True, False])
def test_another_name_is_read_as_a_fact(memory: GraphMemory, held_as_fact: bool) -> None:
    memory.add_many([("Ann Berg", "lives in", "Oslo"), ("Olav", "lives in", "Rome")])
    if held_as_fact:
        memory.add("Ann Berg", "also known as", "Skipper")
    else:
        memory.add_alias("Ann Berg", "Skipper")
    owner = read(memory, "Who is also known as Skipper?").answers[0]
    (fact,) = owner.support[0].unit.facts
    assert (owner.text, fact.relation, fact.object) == ("Ann Berg", "also known as", "Skipper")
    assert owner.node == memory.store.find("Ann Berg").id
    other = read(memory, "What is Ann Berg also known as?").answers[0]
    assert other.text == "Skipper" and other.support[0].unit.facts[0].object == "Skipper"
    assert read(memory, "Where does Skipper live?").answers[0].text == "Oslo"
    named = named_in_full(memory.retrieve("Where does Skipper live?"))
    assert memory.store.find("Ann Berg").id not in named if not held_as_fact else named


def test_yes_or_no_is_asked_for_where_question_and_readings_agree() -> None:
    said = lambda *logits: [Reading(0.0, (), 0.0, (1.0, 0.0, 0.0), logit) for logit in logits]
    assert verdict_wanted(0.97, said(-4.0, 3.0)) > 0.9  # the surest reading counts
    assert verdict_wanted(0.46, said(3.0)) > 0.5
    assert verdict_wanted(0.87, said(-0.8, -2.0)) < 0.5 and verdict_wanted(0.14, said(2.5)) < 0.5
    assert verdict_wanted(0.0, said(-800.0)) == 0.0
