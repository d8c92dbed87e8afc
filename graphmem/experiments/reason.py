"""Reasoning: questions of one to three hops over a graph that was not trained on, by every method."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from graphmem.experiments.comparison import Comparison, in_one_memory
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.harness.scoring import answer_rows, ask
from graphmem.experiments.panel import Panel, cost_part
from graphmem.experiments.tasks.benchmark_facts import found_in, path_questions
from graphmem.experiments.tasks.fact_set import FactSet, LookUp, pairs_of
from graphmem.experiments.tasks.film_facts import LEARNT, NAME, among, film_questions

PLOTS = {"answers": ("right",), "contains": ("contains",), "seconds": ("s/answer",)}
NOTES = (
    "right: the first thing said is a right answer; contains: a right answer stands anywhere in what is said.",
    "Every method that reads gets the same facts: the best that the memory found (seconds included).",
    f"LoRA is trained on the facts behind the questions among others, {LEARNT} in all, not on the questions.",
    "WikiMovies names no path: gold is a shortest chain from the topic to one answer, of at most so many hops.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask questions of one to three hops, with every rival beside graphmem."""
    Comparison("reason", main.__doc__, fact_sets, in_one_memory(_one), NOTES, PLOTS).main(arguments)


def fact_sets(run: Run) -> list[FactSet]:
    """WikiMovies (quick: the part of the graph around the questions), and PathQuestion where the user has it."""
    n = run.n or (8 if run.quick else 300)
    sets = [film_questions(n, whole=not run.quick, seed=run.seed)] if run.wants(NAME) else []
    if run.wants("PathQuestion", quick=False) and found_in(run.data, ["PathQuestion"]):
        assert run.data is not None
        sets.append(path_questions(run.data, n, seed=run.seed))
    return sets


def _one(panel: Panel, facts: FactSet, look_up: LookUp, name: str) -> Part:
    seed = panel.run.seed
    with panel.method(name, facts, look_up.memory) as (method, cost):
        gold = [fact for item in facts.items for fact in item.gold]
        known = facts.learnt or among(Random(seed), gold, facts.all_facts)
        learnt = method.learn(pairs_of(facts, known))
        said = ask(method, facts.items, look_up)
        made = answer_rows(facts.name, method.name, facts.items, said, seed=seed)
        return made + cost_part(facts.name, method.name, learnt if learnt.steps else cost)
