"""Explanations of answers: operation, time, members and what was considered; through ``ask`` and by their parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.core.times import to_micros
from graphmem.fusion.config import FusionConfig
from graphmem.generation.explanation import MAX_CONSIDERED, explain_result, present, time_words
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.questions.time_scope import TimeScope
from graphmem.reasoning.sets.results import Member, Result
from graphmem.testing import byte_tokenizer, tiny_model

FACTS = [
    ("Maeve", "mother", "Gisela"), ("Conor", "mother", "Gisela"), ("Ruth", "mother", "Gisela"),
    ("Maeve", "height", "1.68 m"), ("Conor", "height", "193 cm"), ("Gisela", "lives in", "Kendal"),
    ("Kendal", "county", "Cumbria"),
]  # fmt: skip


@pytest.fixture(scope="module")
def model(encoder: Any) -> Iterator[GraphMemoryModel]:
    """A tiny random base with a memory of a family."""
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(FACTS)
        memory.add("Ann Field", "employer", "Acme", valid_from="2001", valid_to="2004")
        memory.add("Ann Field", "employer", "Globex", valid_from="2005")
        yield attach(
            tiny_model("Llama"), byte_tokenizer("<|im_start|>", "<|im_end|>"), memory, FusionConfig(match_width=32)
        )


def asked(model: GraphMemoryModel, question: str, **options: Any) -> Any:
    return model.ask(question, max_new_tokens=6, **options).explanation


def test_a_count_names_its_members_with_their_facts(model: GraphMemoryModel) -> None:
    found = asked(model, "How many people have Gisela as their mother?")
    assert (found.operation, found.steps, found.count) == ("count", ("? | mother | Gisela",), 3) and found.complete
    assert {item.text: str(item.evidence[0]) for item in found.members} == {
        name: f"{name} | mother | Gisela" for name in ("Maeve", "Conor", "Ruth")
    }
    assert str(found) == "count: ? | mother | Gisela"


def test_a_comparison_keeps_the_values_of_what_was_not_chosen(model: GraphMemoryModel) -> None:
    found = asked(model, "Who is taller, Maeve or Conor?")
    assert found.operation == "superlative" and "largest height of 2" in found.steps
    assert [(item.text, item.value) for item in found.members] == [("Conor", "193 cm")]
    assert [(item.text, item.value) for item in found.considered] == [("Maeve", "1.68 m")]


def test_a_lookup_has_the_chain_of_the_answer(model: GraphMemoryModel) -> None:
    found = asked(model, "In which county is the town where Gisela lives?", when_unknown="answer")
    assert found.operation == "lookup" and found.members[0].text == "Cumbria"
    assert [str(fact) for fact in found.members[0].evidence][-1] == "Kendal | county | Cumbria"
    assert found.time.startswith("now, ")


def test_a_verdict_says_yes_with_its_fact(model: GraphMemoryModel) -> None:
    found = asked(model, "Does Gisela live in Kendal?", when_unknown="answer")
    assert found.operation == "verify" and found.members[0].text in ("yes", "no")
    assert str(found.members[0].evidence[0]) == "Gisela | lives in | Kendal"


def test_the_time_that_was_asked_about_is_said(model: GraphMemoryModel) -> None:
    then = asked(model, "Who was the employer of Ann Field in 2003?", when_unknown="answer")
    assert then.time == "in 2003 (from 1 January 2003 until 31 December 2003)"
    assert then.members[0].text == "Acme"
    other = asked(model, "Who was the employer of Ann Field in 1980?")
    assert not other.members and {item.text for item in other.considered} == {"Acme", "Globex"}
    assert asked(model, "How many people have Gisela as their mother?", as_of="2010").time == "as of 1 January 2010"


def test_what_is_not_known_shows_what_is_nearest(model: GraphMemoryModel) -> None:
    found = asked(model, "Where does Gisela live?", min_confidence=1.0)
    assert found.members == () and found.considered[0].text == "Kendal"


def test_a_description_rests_on_its_facts(model: GraphMemoryModel) -> None:
    found = asked(model, "Tell me about Kendal.")
    assert found.operation == "describe" and "Kendal | county | Cumbria" in map(str, found.members[0].evidence)


def test_a_set_is_bounded_and_says_so() -> None:
    members = tuple(Member(f"P{at}", at, ()) for at in range(300))
    found = explain_result(Result("superlative", members[:1], members, 1, complete=False))
    assert len(found.considered) == MAX_CONSIDERED and not found.complete and found.count == 1
    assert members[0].text not in {item.text for item in found.considered}
    many = explain_result(Result("count", members, count=100_000))
    assert many.count == 100_000 and len(many.members) == 300
    stated = explain_result(Result("count", members[:1], count=12, stated=True), to_micros("1999-12-31"))
    assert stated.count == 1 and stated.time == "as of 31 December 1999"


def test_times_in_words() -> None:
    at, first, after = (to_micros(day) or 0 for day in ("2024-03-06", "2010-05-01", "2010-05-02"))
    assert present(at=at) == "now, 6 March 2024"
    query = "Who led it on 1 May 2010?"
    day = TimeScope(at, "at", first, after, phrase=(11, 24))
    assert time_words(day, query, None) == "on 1 May 2010 (1 May 2010)"
    before = TimeScope(at, "before", phrase=(11, 17))
    assert time_words(before, "Who led it before?", None) == "before (before now, 6 March 2024)"
