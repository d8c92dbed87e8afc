"""Fact sets: questions that their facts answer, edits that change them."""

from __future__ import annotations

from graphmem.core.splits import data_split
from graphmem.experiments.tasks.film_facts import links, shortest
from graphmem.experiments.tasks.synthetic_facts import edit_world, integrate_world


def test_every_question_of_an_invented_world_has_its_fact_in_its_lesson() -> None:
    facts = integrate_world(12, 80, 1)
    assert len(facts.items) == 12 and {item.stage for item in facts.items} == {0, 1}
    for item in facts.items:
        assert item.gold[0] in facts.facts[item.stage] and item.gold[0][2] == item.answers[0]
        asked = {item.question, *item.paraphrases}
        assert not asked & {question for question, _ in facts.pairs(item.gold[0])}
    assert not set(facts.facts[0]) & set(facts.facts[1])
    assert all(data_split(relation) == "test" for _, relation, _ in facts.all_facts)
    assert facts.passages and facts == facts


def test_edits_change_the_answer_and_two_hops_run_over_them() -> None:
    facts = edit_world(10, 80, 2)
    new = {after for _, after in facts.changes}
    assert len(new) == 10 and not new & set(facts.all_facts)
    kinds = {item.kind for item in facts.items}
    assert {"edited fact", "unedited fact"} <= kinds
    for item in facts.items:
        if item.kind != "unedited fact":
            assert new & set(item.gold) and not set(item.old) & set(item.answers)


def test_the_shortest_chain_is_bounded() -> None:
    facts = [("a", "r", "b"), ("b", "r", "c"), ("c", "r", "d")]
    assert shortest(links(facts), "a", {"c"}, 2) == (("a", "r", "b"), ("b", "r", "c"))
    assert shortest(links(facts), "a", {"d"}, 2) == ()
