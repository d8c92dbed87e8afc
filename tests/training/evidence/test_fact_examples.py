"""Examples whose evidence is facts: the right field is the answer, held-out rows never occur."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.core.splits import data_split, held
from graphmem.datasets.files import read_json
from graphmem.training.evidence.examples import Example
from graphmem.training.evidence.fact_examples import (
    Graph,
    musique_steps,
    over_simple_questions,
    popqa,
    simple_questions,
    vquanda,
    wikimovies,
)

ROWS = 64
KINDS = ("occupation", "place of birth", "genre", "father", "capital", "sport")


def asked_of(data: Path) -> dict[str, int]:
    rows = [
        row["Query"]
        for name in ("test", "valid")
        for row in read_json(data / "simplequestions" / f"{name}.json.gz")["Questions"]
    ]
    return {
        query: next(n for n in range(ROWS) if f"Person{n}" in query.replace("?", " ").replace(",", " ").split())
        for query in rows
    }


def answers(examples: list[Example]) -> list[str]:
    return [unit.text[a:b] for example in examples for unit in example.units for a, b in unit.spans]


def test_held_out_questions_are_those_that_training_never_sees(data: Path) -> None:
    train = simple_questions(data)
    test = [*simple_questions(data, "network"), *simple_questions(data, "calibration")]
    queries = asked_of(data)
    assert {one.question for one in test} == {query for query in queries if held(query)} and test
    assert {one.question for one in train} == {query for query in queries if not held(query)}
    for one in train:
        assert one.topic in one.question and one.topic.startswith("Town" if one.backward else "Person")
        assert one.key.startswith("/people/person/") and len(one.names) == 2


def test_simple_questions_over_a_graph_and_over_invented_facts(data: Path, checked: Any) -> None:
    graph = Graph(data)
    made = [e for seed in range(4) for e in over_simple_questions(data, graph, Random(seed))]
    rows = {n for n in checked(made) if n < 1000}
    kept = {n for query, n in asked_of(data).items() if not held(query)}
    assert rows and rows <= kept
    share = sum(any(unit.relevant for unit in e.units) for e in made) / len(made)
    assert 0.6 < share < 0.85, "in a share of the examples the fact that answers is missing"
    for example in made:
        for unit in example.units:
            subject, _, object = unit.text.split(" | ")[:3]
            topic_is_object = "who was born" in example.question.lower()
            if unit.relevant:
                ((a, b),) = unit.spans
                assert unit.text[a:b] == (subject if topic_is_object else object)


def test_a_graph_leaves_out_what_outside_checks_use(data: Path) -> None:
    graph = Graph(data)
    subjects = set(graph.by_subject)
    assert subjects == {f"Person{1000 + n}" for n in range(ROWS) if n not in (5, 6)}
    others = graph.others("Person1001", "/people/person/religion", 5, Random(0))
    assert sorted(relation.rsplit("/", 1)[-1] for relation, _ in others) == ["place_of_birth", "profession"]
    assert graph.others("nobody", "", 5, Random(0)) == []


def test_vquanda_asks_in_both_directions_and_for_a_verdict(data: Path, checked: Any) -> None:
    made = [e for seed in range(4) for e in vquanda(data, Random(seed))]
    rows = [row for name in ("train", "test") for row in read_json(data / "kgqa_vquanda" / f"{name}.json.gz")]
    assert checked(made) == {
        int(row["uid"]) for row in rows if not held(row["question"]) and int(row["uid"]) % 6 in (0, 1, 3)
    }
    assert {answer.rstrip("0123456789") for answer in answers(made)} == {"Town", "Child"}
    for example in made:
        for unit in example.units:
            if unit.verdict:
                assert (unit.verdict == 1) == unit.text.endswith(f" | Town{min(checked([example]))}")


@pytest.mark.parametrize(("make", "kept", "answer"), [
    (popqa, lambda n: not held(KINDS[n % 6], 2), "Thing"),
    (wikimovies, lambda n: data_split(f"Film{n}") == "train", "Person"),
    (musique_steps, lambda n: not held(f"in which land is the town of person{n}?"), "Town"),
])  # fmt: skip
def test_sets_of_lookups(
    data: Path, checked: Any, make: Callable[[Path, Random], Any], kept: Callable[[int], bool], answer: str
) -> None:
    made = [example for seed in range(4) for example in make(data, Random(seed))]
    assert checked(made) == {n for n in range(ROWS) if kept(n)}
    found = [(e, text) for e in made for text in answers([e])]
    assert found and all(text == f"{answer}{min(checked([e]))}" for e, text in found)
    assert any(not answers([e]) for e in made), "some have no answer"
    assert list(make(data, Random(0))) == list(make(data, Random(0))), "the seed fixes the examples"
