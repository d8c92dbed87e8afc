"""Examples of chains: the whole chain answers, its parts do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.core.splits import data_split, held
from graphmem.training.evidence.chain_examples import (
    arcs_of,
    chain_example,
    chains_along,
    end_of,
    metaqa,
    musique,
    over_worlds,
    path_to,
    random_walk,
    two_wiki,
    vquanda_chains,
)
from graphmem.training.evidence.examples import Example

ROWS = 64
BIRTHS, BURIED = ("father", "spouse"), "where was the {} of person{} born or buried?".format
FACTS = [
    ("Ann", "works at", "Acme"), ("Acme", "seat", "Bergen"), ("Olav", "works at", "Acme"), ("Ann", "likes", "tea"),
    ("Acme", "leader", "Per"), ("Bergen", "country", "Norway"), ("Ann", "knows", "Olav"),
]  # fmt: skip


def answers(example: Example) -> list[str]:
    return [unit.text[a:b] for unit in example.units for a, b in unit.spans]


def test_chains_follow_relations_in_both_directions_and_never_back() -> None:
    arcs = arcs_of(FACTS)
    ends = lambda *path: [end_of(chain[-1]) for chain in chains_along(arcs, "Ann", path)]
    assert ends(("works at", 0), ("seat", 0)) == ["Bergen"]
    assert ends(("works at", 0), ("works at", 1)) == ["Olav"], "not back to Ann"
    assert ends(("no such", 0)) == []
    assert path_to(arcs, "Ann", {"Bergen"}, 2) == [("works at", 0), ("seat", 0)]
    assert path_to(arcs, "Ann", {"Bergen", "tea"}, 2) is None
    for seed in range(20):
        walk = random_walk(arcs, "Ann", 3, Random(seed))
        facts = [fact for fact, _ in walk]
        assert walk and len(set(facts)) == len(facts)
    assert random_walk(arcs, "nobody", 3, Random(0)) == []


def test_a_whole_chain_answers_and_its_parts_do_not() -> None:
    arcs, path = arcs_of(FACTS), (("works at", 0), ("seat", 0))
    right = chains_along(arcs, "Ann", path)
    for seed in range(30):
        made = chain_example("Where is Ann's firm?", "Ann", right, {"Bergen"}, arcs, Random(seed), "made")
        assert made is not None and set(answers(made)) <= {"Bergen"}
        for unit in made.units:
            assert unit.relevant == (unit.text == "Ann | works at | Acme ; Acme | seat | Bergen")
            assert unit.relevant or not unit.text.endswith("Bergen")
    assert chain_example("Where?", "Ann", [], {"Bergen"}, arcs, Random(0), "made") is None


def test_questions_over_made_worlds(checked: Any) -> None:
    made = list(over_worlds(Random(0), worlds=1, each=40))
    checked(made)
    hops = {unit.text.count(" ; ") + 1 for example in made for unit in example.units if unit.relevant}
    assert len(made) > 20 and hops == {1, 2, 3}
    assert 0.05 < sum(not answers(example) for example in made) / len(made) < 0.4


@pytest.mark.parametrize(("make", "kept", "names"), [
    (metaqa, lambda n: data_split(f"Film{n}") == "train", ("Sequel", "Genre")),
    (two_wiki, lambda n: n % 8 != 3 and not held(BURIED(BIRTHS[n % 2], n)), ("Town",)),
    (musique, lambda n: not held(f"in which land is the town of person{n}?"), ("Land",)),
    (vquanda_chains, lambda n: n % 6 == 2 and not held(f"In which land was Person {n} born?"), ("Land",)),
])  # fmt: skip
def test_sets_of_chains(
    data: Path, checked: Any, make: Callable[[Path, Random], Any], kept: Callable[[int], bool], names: tuple[str, ...]
) -> None:
    made = [example for seed in range(4) for example in make(data, Random(seed))]
    assert checked(made) == {n for n in range(ROWS) if kept(n)}
    for example in made:
        (n,) = checked([example])
        assert {name for name in answers(example)} <= {f"{name}{n}" for name in names}
        assert all(" ; " in unit.text for unit in example.units if unit.relevant)
        assert any(" ; " not in unit.text for unit in example.units), "beginnings of the chain are among the units"
    assert {bool(answers(example)) for example in made} == {True, False}
    assert list(make(data, Random(0))) == list(make(data, Random(0))), "the seed fixes the examples"
