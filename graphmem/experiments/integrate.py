"""Knowledge integration: new facts are written, then asked, in two lessons, by every method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from graphmem.experiments.comparison import Comparison, One
from graphmem.experiments.harness.costs import edit_costs, tuning_costs
from graphmem.experiments.harness.likelihood import modelling
from graphmem.experiments.harness.report import Row
from graphmem.experiments.harness.runs import Part, Parts, Run
from graphmem.experiments.harness.scoring import answer_rows, ask, free_text, left_alone, measure, other_words
from graphmem.experiments.methods.base import Cost, Method, Said
from graphmem.experiments.panel import UNREAD, Panel, cost_part
from graphmem.experiments.tasks.benchmark_facts import found_in, single_facts
from graphmem.experiments.tasks.fact_set import FactSet, LookUp, pairs_of
from graphmem.experiments.tasks.synthetic_facts import NAME, integrate_world

PLOTS = {
    "answers": ("right", "contains"),
    "words": ("right", "right, other words"),
    "left-alone": ("KL on plain text (nats/token)",),
    "modelling": ("nats/name token", "nats/token"),
    "seconds": ("s/answer",),
}
NOTES = (
    "right: the first thing said is a right answer; contains: a right answer stands anywhere in what is said.",
    "Every method that reads gets the same facts: the best that the memory found (seconds included).",
    "The facts come in two lessons. LoRA takes the given steps for each, without rehearsal, and learns only those that "
    "are asked about (its cost for all of them would be that many times as much); soft prompt and "
    "key/value memory are trained once, on the training split, with as many steps; graphmem reads with its shipped "
    "weights, whose training was far longer. The trained rivals' budgets are not equal to graphmem's.",
    "forgotten: share of the first lesson's questions right after it, less the share right after the second.",
    "Questions asked and questions trained on share no phrasing. All relations of the invented world are unseen.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write new facts and ask for them, with every rival beside graphmem."""
    Comparison("integrate", main.__doc__, fact_sets, opened, NOTES, PLOTS, costs).main(arguments)


def fact_sets(run: Run) -> list[FactSet]:
    """The data sets of a run: the invented one, others where the user has them."""
    n = run.n or (16 if run.quick else 300)
    sets = [integrate_world(n, 3 * n if n > 60 else 150, run.seed)] if run.wants(NAME) else []
    for name in found_in(run.data, [name for name in ("PopQA", "zsRE") if run.wants(name, quick=False)]):
        assert run.data is not None
        sets.append(single_facts(run.data, name, n, among=120 if run.quick else 500, seed=run.seed))
    return sets


def costs(panel: Panel, parts: Parts) -> None:
    """What it takes to add and to change facts."""
    run = panel.run
    if not run.methods or "graphmem" in run.methods:
        parts.do("costs of edits", lambda: edit_costs((1, 100, 10_000)))
    if "lora" in panel.names:
        sizes = (1,) if run.quick else (1, 100)
        parts.do("costs of LoRA", lambda: tuning_costs(panel, sizes), steps=panel.steps)


@contextmanager
def opened(panel: Panel, facts: FactSet) -> Iterator[One]:
    """Two memories: with the facts of the first lesson, and with all."""
    from graphmem.memory import GraphMemory

    with ExitStack() as stack:
        early = stack.enter_context(GraphMemory.open(":memory:"))
        whole = stack.enter_context(GraphMemory.open(":memory:"))
        early.add_many(facts.facts[0])
        whole.add_many(facts.all_facts)
        most = panel.run.most_facts
        yield partial(_one, panel, facts, LookUp(early, most=most), LookUp(whole, most=most))


def _one(panel: Panel, facts: FactSet, early: LookUp, whole: LookUp, name: str) -> Part:
    seed = panel.run.seed
    with panel.method(name, facts, whole.memory) as (method, cost):
        learnt, before = _two_lessons(method, facts, early)
        said = ask(method, facts.items, whole)
        made = answer_rows(facts.name, method.name, facts.items, said, seed=seed)
        made += Part(_forgotten(facts, method.name, before, said, seed))
        made += Part(other_words(facts, method, said, whole, seed))
        made += Part(left_alone(panel, facts.name, method, whole))
        if facts.names:
            made += free_text(facts, method, whole, panel.aside, seed=seed)
            made += Part(modelling(facts, method, panel.language, whole, reads=name not in UNREAD, seed=seed))
        return made + cost_part(facts.name, method.name, learnt if learnt.steps else cost)


def _two_lessons(method: Method, facts: FactSet, early: LookUp) -> tuple[Cost, list[Said]]:
    """Learn both; what was answered between them to the questions about the first."""
    one = method.learn(pairs_of(facts, facts.taught(0)))
    between = ask(method, [item for item in facts.items if item.stage == 0], early)
    return one + method.learn(pairs_of(facts, facts.taught(1))), between


def _forgotten(facts: FactSet, method: str, before: Sequence[Said], after: Sequence[Said], seed: int) -> list[Row]:
    """What the second lesson did to the first one's facts."""
    first = [item for item in facts.items if item.stage == 0]
    now = [said for item, said in zip(facts.items, after, strict=True) if item.stage == 0]
    return [
        *measure(facts.name, method, "first facts, before the second", first, before, seed=seed),
        *measure(facts.name, method, "first facts, after the second", first, now, seed=seed),
        *measure(facts.name, method, "forgotten", first, before, less=now, seed=seed),
    ]
