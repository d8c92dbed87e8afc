"""Turns: the first person, the questions in a turn, and what a turn does."""

from __future__ import annotations

import pytest

from graphmem.generation.turns import (
    MAX_SENTENCES,
    Turn,
    asking,
    form_of,
    last_sentences,
    questions_of,
    resolve_first_person,
    statements,
    without_first_person,
)
from graphmem.questions.turn_form import TurnForm
from graphmem.reasoning.turn_evidence import Statement

STATES, ASKS = TurnForm(0.1, 0.1, 0.1, 0.0), TurnForm(0.8, 0.7, 0.0, 0.2)


@pytest.mark.parametrize(
    ("text", "forms", "stated", "questions"),
    [
        ("Where is Ada?", [STATES], False, ["Where is Ada?"]),
        ("I moved to Rome. Where do I live?", [STATES, ASKS], True, ["Where do I live?"]),
        ("where is ada", [ASKS], False, ["where is ada"]),
        ("where is ada", [ASKS], True, []),
        ("Ada moved.", [STATES], False, []),
        ("她在哪里？", [STATES], False, ["她在哪里？"]),
        ("Who is she? And where?", [ASKS, ASKS], False, ["Who is she?", "And where?"]),
    ],
)
def test_the_questions_of_a_turn(text: str, forms: list[TurnForm], stated: bool, questions: list[str]) -> None:
    found = questions_of(last_sentences(text), forms, stated=stated)
    assert [question.text for question in found] == questions
    assert all(question.refers in (form.refers for form in forms) for question in found)


def test_sentences_around_a_question_are_beside_it() -> None:
    (found,) = questions_of(["Hi.", "Where was she born?", "Ada, I mean."], [STATES, ASKS, STATES], stated=False)
    assert (found.beside, found.refers, found.lacks) == ("Hi. Ada, I mean.", ASKS.refers, ASKS.lacks)
    assert len(last_sentences("Yes. " * 1000)) == MAX_SENTENCES


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("I live in my house.", "Ada live in Ada's house."),
        ("Today I met Bob after World War I ended.", "Today Ada met Bob after World War I ended."),
        ("I'm tired", "Ada is tired"),
        ("Nothing of the kind", "Nothing of the kind"),
    ],
)
def test_the_first_person_is_the_speaker(text: str, resolved: str) -> None:
    assert resolve_first_person(text, "Ada") == resolved
    assert resolve_first_person(text, None) == text


def test_a_long_text_in_the_first_person_is_resolved_in_linear_work() -> None:
    assert resolve_first_person("I " * 100_000, "Ada") == "Ada " * 100_000
    assert resolve_first_person("World War " + " I" * 3, "Ada").endswith("Ada")


def test_sentences_in_the_first_person_are_left_out() -> None:
    assert without_first_person("I am tired. Ada moved to Rome.") == "Ada moved to Rome."
    assert without_first_person("Ada moved to Rome.") == "Ada moved to Rome."


@pytest.mark.parametrize(
    ("text", "forms", "stated", "form"),
    [
        ("Where is Ada?", [STATES], False, "asks"),
        ("where is ada", [ASKS], False, "states"),  # not clearly a question, so that it may be evidence
        ("where is ada", [ASKS._replace(asks=0.95)], False, "asks"),
        ("Never mind. Where is she?", [STATES, ASKS], False, "asks"),
        ("Ada moved. Where is she?", [STATES, ASKS], True, "states"),
        ("No, to Rome.", [STATES._replace(corrects=0.5)], False, "corrects"),
    ],
)
def test_the_form_of_a_turn(text: str, forms: list[TurnForm], stated: bool, form: str) -> None:
    assert form_of(last_sentences(text), forms, stated=stated) == form


def test_statements_are_the_sentences_that_ask_nothing() -> None:
    turns = [
        Turn("user", "Ada moved. Where is she?", "", "states", "I moved.\nI like it."),
        Turn("model", "Rome", "", stated="Rome"),
        Turn("user", "And Bob?", "", "asks", "Never mind."), Turn("user", "And Eve?", "", "states"),
        Turn("user", "No, to Turin. Bob moved.", "", "corrects", "No, to Turin.\nBob moved."),
    ]  # fmt: skip
    assert statements(turns) == [
        Statement("I moved."), Statement("I like it."), Statement("No, to Turin. Bob moved.", corrects=True)
    ]  # fmt: skip


def test_sentences_that_are_answered_are_questions() -> None:
    assert asking(["Where is Ada?", "where is ada", "Ada moved."], [STATES, ASKS, STATES], stated=False) == [
        True,
        True,
        False,
    ]
    assert asking(["where is ada"], [ASKS], stated=True) == [False]
