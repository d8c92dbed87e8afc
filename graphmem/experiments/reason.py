"""Reasoning: questions of one to three hops over a graph that was not trained on, by every method."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from graphmem.experiments.filed_facts import found_in, path_questions
from graphmem.experiments.film_facts import LEARNT, NAME, among, film_questions
from graphmem.experiments.integrate import fingerprint_of, pairs_of
from graphmem.experiments.items import FactSet, LookUp
from graphmem.experiments.panel import Panel, cost_rows
from graphmem.experiments.runs import Part, Parts, Run, parse, parser
from graphmem.experiments.scoring import answer_rows, ask

PLOTS = {"answers": ("right",), "contains": ("contains",), "seconds": ("s/answer",)}
NOTES = (
    "right: the first thing said is a right answer; contains: a right answer stands anywhere in what is said.",
    "Every method that reads gets the same facts: at most 50 that the memory found (seconds included).",
    f"LoRA is trained on the facts behind the questions among others, {LEARNT} in all, not on the questions.",
    "WikiMovies names no path: gold is a shortest chain from the topic to one answer, of at most so many hops.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask questions of one to three hops, with every rival beside graphmem."""
    run = parse(parser("reason", main.__doc__), "reason", arguments)
    panel, parts = Panel(run), Parts(run)
    for facts in fact_sets(run):
        reason_all(panel, parts, facts)
    result = parts.result(NOTES, budget_steps=panel.steps)
    result.print()
    for path in result.save(run.out, plots=PLOTS):
        print(path)


def fact_sets(run: Run) -> list[FactSet]:
    """WikiMovies always (quick: the part of the graph around the questions), PathQuestion where the user has it."""
    n = run.n or (16 if run.quick else 300)
    wanted = lambda name: not run.datasets or name in run.datasets
    sets = [film_questions(n, whole=not run.quick, seed=run.seed)] if wanted(NAME) else []
    if wanted("PathQuestion") and found_in(run.data, ["PathQuestion"]):
        assert run.data is not None
        sets.append(path_questions(run.data, n, seed=run.seed))
    return sets


def reason_all(panel: Panel, parts: Parts, facts: FactSet) -> None:
    """Every method on one fact set, each a part of the run."""
    from graphmem.memory import GraphMemory

    with GraphMemory.open(":memory:") as memory:
        memory.add_many(facts.all_facts)
        look_up, key = LookUp(memory), fingerprint_of(facts)
        for name in panel.names:
            make = partial(_one, panel, name, facts, look_up)
            parts.do(f"{facts.name}, {name}", make, facts=key, **panel.made_of(name))


def _one(panel: Panel, name: str, facts: FactSet, look_up: LookUp) -> Part:
    from random import Random

    with panel.method(name, facts, look_up.memory) as (method, cost):
        gold = [fact for item in facts.items for fact in item.gold]
        known = facts.learnt or among(Random(panel.run.seed), gold, facts.all_facts)
        learnt = method.learn(pairs_of(facts, known))
        said = ask(method, facts.items, look_up)
        made = answer_rows(facts.name, method.name, facts.items, said, seed=panel.run.seed)
        rows = made.rows + cost_rows(f"{facts.name}, cost", method.name, learnt if learnt.steps else cost)
    return Part(rows, made.details)
