"""Operations on sets over a small memory: counts, lists, intersections, differences and comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.questions.operation import OPERATIONS, QuestionForm
from graphmem.reasoning import member_sets
from graphmem.reasoning.evidence_reader import with_full_names
from graphmem.reasoning.operations import SetOperations
from graphmem.reasoning.sets.results import Result

FACTS = [
    ("Rex", "species", "dog"), ("Bella", "species", "dog"), ("Milo", "species", "dog"), ("Tom", "species", "cat"),
    ("Rex", "treated by", "Ann Berg"), ("Bella", "treated by", "Ann Berg"), ("Tom", "treated by", "Ann Berg"),
    ("Milo", "treated by", "Per Dahl"), ("Rex", "weight", "31.5 kg"), ("Bella", "weight", "900 g"),
    ("Milo", "weight", "12 kg"), ("Ann Berg", "speaks", "German"), ("Per Dahl", "speaks", "German"),
    ("Per Dahl", "speaks", "Norwegian"), ("Ann Berg", "joined in", "2011"), ("Per Dahl", "joined in", "2020"),
    ("Oslo depot", "number of dock doors", "12"), ("Bergen depot", "number of dock doors", "8"),
]  # fmt: skip


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many(FACTS)
        yield opened


def form(operation: str, larger: float = 1.0, later: float = 1.0) -> QuestionForm:
    chances = tuple(float(name == operation) for name in OPERATIONS)
    return QuestionForm(operation, chances, larger, later)


def run(memory: GraphMemory, question: str, wanted: QuestionForm) -> Result:
    retrieval = memory.retrieve(question)
    result = SetOperations(memory.evidence_reader, retrieval, with_full_names(retrieval)).run(wanted)
    assert result is not None
    return result


def names(result: Result) -> set[str]:
    return {member.text for member in result.members}


def test_a_list_holds_every_member_next_to_all_topics(memory: GraphMemory) -> None:
    result = run(memory, "Which dogs does Ann Berg treat?", form("list"))
    assert names(result) == {"Rex", "Bella"} and result.complete
    assert {str(fact) for fact in result.facts} >= {"Rex | treated by | Ann Berg", "Rex | species | dog"}


def test_a_count_counts_members_and_a_number_that_a_fact_states_is_the_count(memory: GraphMemory) -> None:
    assert run(memory, "How many dogs are there?", form("count")).count == 3
    stated = run(memory, "How many dock doors does Oslo depot have?", form("count"))
    assert stated.count == 12 and [member.text for member in stated.members] == ["12"]


def test_an_intersection_has_support_from_each_topic(memory: GraphMemory) -> None:
    assert names(run(memory, "Who speaks German as well as Norwegian?", form("intersect"))) == {"Per Dahl"}


def test_a_difference_leaves_out_the_members_of_the_last_topic(memory: GraphMemory) -> None:
    result = run(memory, "Which patients of Ann Berg are not a dog?", form("except"))
    assert names(result) == {"Tom"} and "without" in result.explanation


def test_units_are_converted_before_values_are_compared(memory: GraphMemory) -> None:
    heaviest = run(memory, "Which dog has the largest weight?", form("superlative"))
    assert names(heaviest) == {"Rex"} and len(heaviest.compared) == 3 and "weight" in heaviest.explanation
    lightest = run(memory, "Which dog has the smallest weight?", form("superlative", larger=0.0))
    assert names(lightest) == {"Bella"} and lightest.members[0].value is not None
    assert lightest.members[0].value.text == "900 g"


def test_named_alternatives_are_compared_by_what_both_have(memory: GraphMemory) -> None:
    question = "Who joined first, Ann Berg or Per Dahl?"
    assert names(run(memory, question, form("superlative", later=0.0))) == {"Ann Berg"}
    assert names(run(memory, question, form("superlative", later=1.0))) == {"Per Dahl"}


def test_a_constant_is_a_condition(memory: GraphMemory) -> None:
    result = run(memory, "Name the dogs that have a weight of more than 10 kg.", form("list"))
    assert names(result) == {"Rex", "Milo"} and "> 10 kg" in result.explanation


def test_a_question_without_topics_and_constants_has_no_list(memory: GraphMemory) -> None:
    retrieval = memory.retrieve("Which of them?")
    assert SetOperations(memory.evidence_reader, retrieval, "Which of them?").run(form("list")) is None


def test_a_question_that_names_twenty_things_is_bounded(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([(f"Person{at:02d}", "lives in", "Oslo") for at in range(20)])
        question = "Where do " + " and ".join(f"Person{at:02d}" for at in range(20)) + " live?"
        result = run(opened, question, form("intersect"))
        assert names(result) == {"Oslo"}
        assert "14 of 20 things that are named were set aside" in result.explanation and not result.complete


def test_a_set_that_is_cut_says_so(encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_sets, "MAX_MEMBERS", 30)
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([(f"Person{at:02d}", "lives in", "Oslo") for at in range(40)])
        result = run(opened, "How many people live in Oslo?", form("count"))
        assert result.count == 30 and not result.complete


def test_of_twenty_alternatives_each_is_compared(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([(f"Tower{at:02d}", "height", f"{50 + (7 * at) % 20} m") for at in range(20)])
        question = "Which is tallest: " + ", ".join(f"Tower{at:02d}" for at in range(20)) + "?"
        result = run(opened, question, form("superlative"))
        assert names(result) == {"Tower17"} and len(result.compared) == 20


def test_a_lookup_of_several_conditions_is_their_intersection(memory: GraphMemory) -> None:
    assert names(run(memory, "What dog does Per Dahl treat?", form("lookup"))) == {"Milo"}
    retrieval = memory.retrieve("Who treats Milo?")
    assert SetOperations(memory.evidence_reader, retrieval, "Who treats Milo?").run(form("lookup")) is None


def test_a_lookup_is_narrowed_by_a_constant(encoder: Any) -> None:
    films = [("Red Dawn", "1999"), ("Blue Dusk", "2004"), ("Grey Noon", "2001"), ("Old Eve", "1999")]
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([(film, "release year", year) for film, year in films])
        opened.add_many([(film, "directed by", "Ann Berg") for film, _ in films[:3]])
        result = run(opened, "What film did Ann Berg direct in 1999?", form("lookup"))
        assert names(result) == {"Red Dawn"} and "release year = 1999" in result.explanation


def test_members_with_contradicting_values_are_set_aside_and_it_is_said(encoder: Any) -> None:
    years = [1990, 1995, 2000, 2005, 2010]
    facts = [(f"Film {year}", "release year", str(year)) for year in years]
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([*facts, *((film, "directed by", "Ann Berg") for film, _, _ in facts)])
        opened.add("Film 1990", "release year", "2015")
        result = run(opened, "What is the latest film that Ann Berg directed?", form("superlative"))
        assert names(result) == {"Film 2010"} and "1 with several values, set aside" in result.explanation


def test_what_takes_a_topic_away_may_follow_it(memory: GraphMemory) -> None:
    result = run(memory, "Which animals does Ann Berg treat that are not a dog?", form("except"))
    assert names(result) == {"Tom"}


def test_a_name_that_begins_with_an_ordinal_is_a_topic(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([("7th Cavalry", "starred", "Mia Lund"), ("Tall T", "starred", "Mia Lund")])
        opened.add_many([("7th Cavalry", "starred", "Kai Moe"), ("Tall T", "starred", "Ola Ness")])
        result = run(opened, "Who starred in both 7th Cavalry and Tall T?", form("intersect"))
        assert names(result) == {"Mia Lund"}


def test_alternatives_that_are_listed_are_chosen_by_what_they_lead_to(encoder: Any) -> None:
    films = [
        ("Alpha Run", "director", "Ada Moss"), ("Beta Walk", "director", "Bo Lind"),
        ("Ada Moss", "date of birth", "3 May 1950"), ("Bo Lind", "date of birth", "7 June 1931"),
    ]  # fmt: skip
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many(films)
        asked = form("superlative", later=0.0)
        result = run(opened, "Which film has the director who was born first, Alpha Run or Beta Walk?", asked)
        assert names(result) == {"Beta Walk"} and {one.text for one in result.compared} == {"Alpha Run", "Beta Walk"}
        assert {str(fact) for fact in result.members[0].facts} >= {"Beta Walk | director | Bo Lind"}
        person = run(opened, "Who was born first, the director of Alpha Run or the director of Beta Walk?", asked)
        assert names(person) == {"Bo Lind"}


def test_a_value_that_the_question_names_is_a_condition_and_no_answer(encoder: Any) -> None:
    films = [("Red Dawn", "1999"), ("Blue Dusk", "2004"), ("Grey Noon", "2001")]
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many([(film, "release year", year) for film, year in films])
        opened.add_many([(film, "directed by", "Ann Berg") for film, _ in films])
        question = "Ann Berg directed a film released in 2004; what is its name?"
        retrieval = opened.retrieve(question)
        operations = SetOperations(opened.evidence_reader, retrieval, question)
        leads = [operations.words(pattern) for own in operations.patterns for pattern in own]
        assert leads and not any("release year | ?" in lead for lead in leads)
        assert names(run(opened, question, form("lookup"))) == {"Blue Dusk"}


def test_a_list_does_not_leave_out_a_condition_to_hold_several(memory: GraphMemory) -> None:
    result = run(memory, "Ann Berg treats which cats?", form("list"))
    assert names(result) == {"Tom"} and len(result.steps) == 2


def test_a_plural_is_the_set_of_all_of_its_nodes(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        holidays = [
            ("family holiday 2008", "Lofoten"),
            ("family holiday 2014", "Mull"),
            ("family holiday 2019", "Garda"),
        ]
        opened.add_many([(name, "destination", place) for name, place in holidays])
        opened.add_many([(name, "cost", f"£{900 + 10 * at}") for at, (name, _) in enumerate(holidays)])
        cheapest = run(opened, "Which of the family holidays had the lowest cost?", form("superlative", larger=0.0))
        assert names(cheapest) == {"family holiday 2008"} and len(cheapest.compared) == 3


def test_a_place_on_a_scale_counts_from_the_end_that_is_asked_for(memory: GraphMemory) -> None:
    question = "Which dog has the second largest weight?"
    assert names(run(memory, question, form("superlative"))) == {"Milo"}
    last = SetOperations(memory.evidence_reader, memory.retrieve("Which is the fifth heaviest dog?"), "")
    few = last.run(form("superlative"))
    assert few is not None and few.members == () and len(few.compared) == 3
