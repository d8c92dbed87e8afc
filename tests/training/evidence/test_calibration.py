"""Calibration: memories that answer half of their questions, a regression that finds its own weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from graphmem.core.splits import held, use_of
from graphmem.reasoning.calibration import load_calibration, probability
from graphmem.reasoning.weighing import Weighed
from graphmem.training.evidence import calibration
from graphmem.training.evidence.calibration import (
    LOST,
    Asked,
    Case,
    Point,
    articles,
    fit,
    graphs,
    least_confidence,
    mixed,
    point,
    read_cases,
    tables,
    verdicts,
    worlds,
)


def held_numbers(text: str) -> set[int]:
    return {int(number) for number in "".join(c if c.isdigit() else " " for c in text).split()}


def asked_of(cases: list[Case]) -> list[Asked]:
    return [one for case in cases for one in case.asked]


def test_tables_hold_the_answers_or_nothing_asked_for(data: Path) -> None:
    cases = list(tables(data, Random(0), 5))
    for case in cases:
        assert not case.passages and len(case.facts) >= 4
        (number,) = {int(subject.split()[-1]) for subject, _, _ in case.facts}
        assert use_of(f"csv/{number}.csv") == "calibration"
        for one in case.asked:
            assert set(one.answers) <= {object for _, _, object in case.facts} and not one.verdict
    assert {bool(one.answers) for one in asked_of(cases)} == {True, False}


def test_graphs_lose_the_fact_of_half_of_their_questions(data: Path) -> None:
    cases = list(graphs(data, Random(0), 20))
    for case in cases:
        ends = {(s, o) for s, _, o in case.facts}
        for one in case.asked:
            topic = {s for s, _ in ends if s in one.question} or {o for _, o in ends if o in one.question}
            assert all(any((t, a) in ends or (a, t) in ends for t in topic) for a in one.answers if topic)
    share = np.mean([bool(one.answers) for one in asked_of(cases)])
    assert 0.35 < share < 0.65


def test_articles_are_held_out_and_half_of_their_passages_is_missing(data: Path) -> None:
    cases = list(articles(data, Random(0), 8))
    for case in cases:
        assert all(use_of(title.replace(" ", "_")) == "calibration" for title, _ in case.passages) and not case.facts
        texts = " ".join(text for _, text in case.passages)
        for one in case.asked:
            (number,) = held_numbers(one.question)
            assert bool(one.answers) == (f"Person{number} " in texts) and all(answer in texts for answer in one.answers)
    assert {bool(one.answers) for one in asked_of(cases)} == {True, False}


def test_verdicts_are_held_out_and_half_of_their_passages_is_missing(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "held", lambda key: held(key, 2))  # twelve rows of a small set
    for case in verdicts(data, Random(0), 5):
        titles = {title.lower() for title, _ in case.passages}
        for one in case.asked:
            assert (
                one.verdict and bool(one.answers) == (one.question.split()[1] in titles) and held(one.question[:-1], 2)
            )


@pytest.mark.parametrize("make", [tables, graphs, articles])
def test_the_seed_fixes_the_cases(data: Path, make: Callable[..., Any]) -> None:
    assert list(make(data, Random(0), 3)) == list(make(data, Random(0), 3))


def test_a_regression_finds_the_weights_of_its_points() -> None:
    rng, weights = np.random.default_rng(0), [-0.5, 1.5, 1.0]
    x = rng.normal(size=(6000, 2))
    rows = [Point((float(a), float(b)), bool(rng.random() < probability(weights, (a, b))), True, False) for a, b in x]
    found = fit(rows)
    assert found == pytest.approx(weights, abs=0.15)
    against = fit([row._replace(features=(row.features[0], -row.features[1])) for row in rows])
    assert against[2] == 0 and against[1] > 1, "no weight is negative"
    least = least_confidence(rows, found)
    right = [probability(found, row.features) for row in rows if row.right]
    assert np.mean([known < least for known in right]) == pytest.approx(LOST, abs=0.01)
    assert all(np.isfinite(fit(rows[:2]))) and all(np.isfinite(fit([row._replace(right=True) for row in rows[:50]])))


def test_points_are_made_by_reading_memories(encoder: Any) -> None:
    case = Case(
        [("Ann Berg", "lives in", "Oslo"), ("Ann Berg", "likes", "tea")], [("Vik", "Vik lies by the sea.")],
        [Asked("Where does Ann Berg live?", ("Oslo",)), Asked("Where was Olav born?", ()),
         Asked("Is Vik by the sea?", ("yes",), True)],
    )  # fmt: skip
    read = list(read_cases([case], True, encoder))
    known, unknown, verdict = (point(weighed, one) for one, weighed in read)
    assert (known.right, known.answerable, known.verdict) == (True, True, False)
    assert (unknown.right, unknown.answerable) == (False, False)
    assert verdict.verdict and verdict.answerable and len(verdict.features) == 2
    assert (
        not point(Weighed(), Asked("Is it?", ("yes",), True)).right
        and not point(Weighed(), Asked("Who?", ("Ann",))).right
    )


def test_half_of_the_memories_hold_facts_beside_passages() -> None:
    facts = [("Ann", "likes", "tea")]
    cases = [Case(facts, [], []) for _ in range(20)] + [Case([], [("Vik", "By the sea.")], []) for _ in range(20)]
    both = [case for case in mixed(cases, Random(0)) if case.facts and case.passages]
    assert 3 < len(both) < 20 and all(case.facts == facts for case in both)
    made = list(worlds(Random(0), 2))
    assert all(case.facts and 2 < len(case.asked) <= 10 for case in made)
    claims = [(one, set(case.facts)) for case in made for one in case.asked if one.verdict]
    assert len(claims) == 8 and {answer for one, _ in claims for answer in one.answers} <= {"yes", "no"}
    for one, facts in claims:
        held_names = [s for s, _, o in facts if s.lower() in one.question.lower() and o.lower() in one.question.lower()]
        assert held_names or one.answers != ("yes",)


def test_the_command_writes_weights_that_can_be_read(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration, "held", lambda key: held(key, 2))
    out = tmp_path / "calibration.json"
    calibration.main(["--data", str(data), "--out", str(out), "--cases", "2"])
    found = load_calibration(out)
    assert {name: len(found[name]) for name in found} == {"least": 2, "answer": 4, "verdict": 3}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [line["kind"] for line in lines] == ["answer", "verdict"] and all(line["n"] > 5 for line in lines)
