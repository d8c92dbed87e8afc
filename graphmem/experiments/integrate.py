"""Knowledge integration: new facts are written, then asked, in two lessons, by every method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from graphmem.experiments.common import everyday, plain_texts
from graphmem.experiments.costs import edit_costs, tuning_costs
from graphmem.experiments.decoding import Cost, Method
from graphmem.experiments.filed_facts import found_in, single_facts
from graphmem.experiments.invented_facts import NAME, integrate_world
from graphmem.experiments.items import FactSet, LookUp, Pair, Triple
from graphmem.experiments.panel import Panel, cost_rows
from graphmem.experiments.result import Row
from graphmem.experiments.runs import Part, Parts, Run, parse, parser
from graphmem.experiments.scoring import answer_rows, ask, free_text, locality, measure, modelling

PLOTS = {
    "answers": ("right", "right, other words"),
    "left-alone": ("KL on plain text (nats/token)",),
    "modelling": ("nats/name token", "nats/token"),
    "seconds": ("s/answer",),
}
NOTES = (
    "right: the first thing said is a right answer; contains: a right answer stands anywhere in what is said.",
    "Every method that reads gets the same facts: at most 50 that the memory found (seconds included).",
    "The facts come in two lessons. LoRA takes the given steps for each, without rehearsal; soft prompt and "
    "key/value memory are trained once, on the training split, with as many steps; graphmem reads with its weights.",
    "Questions asked and questions trained on share no phrasing. All relations of the invented world are unseen.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write new facts and ask for them, with every rival beside graphmem."""
    run = parse(parser("integrate", main.__doc__), "integrate", arguments)
    panel, parts = Panel(run), Parts(run)
    for facts in fact_sets(run):
        ask_all(panel, parts, facts)
    parts.do("costs of edits", lambda: edit_costs((1, 100) if run.quick else (1, 100, 10_000)))
    if "lora" in panel.names:
        sizes = (1,) if run.quick else (1, 100)
        parts.do("costs of LoRA", lambda: tuning_costs(panel, sizes), steps=panel.steps)
    result = parts.result(NOTES, budget_steps=panel.steps)
    result.print()
    for path in result.save(run.out, plots=PLOTS):
        print(path)


def fact_sets(run: Run) -> list[FactSet]:
    """The data sets of a run: invented ones always, others where the user has them."""
    n = run.n or (24 if run.quick else 300)
    wanted = lambda name: not run.datasets or name in run.datasets
    sets = [integrate_world(n, 3 * n if n > 60 else 150, run.seed)] if wanted(NAME) else []
    for name in found_in(run.data, [name for name in ("PopQA", "zsRE") if wanted(name)]):
        assert run.data is not None
        sets.append(single_facts(run.data, name, n, among=120 if run.quick else 500, seed=run.seed))
    return sets


def ask_all(panel: Panel, parts: Parts, facts: FactSet) -> None:
    """Every method on one fact set, each a part of the run."""
    from graphmem.memory import GraphMemory

    with ExitStack() as stack:
        early = stack.enter_context(GraphMemory.open(":memory:"))
        whole = stack.enter_context(GraphMemory.open(":memory:"))
        early.add_many(facts.facts[0])
        whole.add_many(facts.all_facts)
        looks = LookUp(early), LookUp(whole)
        for name in panel.names:
            key = fingerprint_of(facts)
            make = partial(_one, panel, name, facts, looks)
            parts.do(f"{facts.name}, {name}", make, facts=key, **panel.made_of(name))


def fingerprint_of(facts: FactSet) -> str:
    """A hash of what is written and asked, so that parts made of other data are made anew."""
    from hashlib import blake2b

    text = json.dumps([facts.facts, facts.changes, [(i.question, i.answers) for i in facts.items]])
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _one(panel: Panel, name: str, facts: FactSet, looks: tuple[LookUp, LookUp]) -> Part:
    early, whole = looks
    run, count = panel.run, 10 if panel.run.quick else 40
    with panel.method(name, facts, whole.memory) as (method, cost):
        learnt, lessons = learn_and_ask(method, facts, early, whole, run.seed)
        made = answer_rows(facts.name, method.name, facts.items, ask(method, facts.items, whole), seed=run.seed)
        rows = made.rows + lessons
        again = ask(method, facts.items, whole, phrasing=1)
        rows += measure(facts.name, method.name, "right, other words", facts.items, again, run.seed)
        rows += locality(
            facts.name, method, panel.base, panel.language, whole, plain_texts(count, run.seed),
            everyday(2 * count, run.seed), seed=run.seed,
        )  # fmt: skip
        told = Part([])
        if facts.names:
            told = free_text(facts, method, whole, count, seed=run.seed)
            rows += told.rows + modelling(facts, method, panel.language, whole, seed=run.seed)
        rows += cost_rows(f"{facts.name}, cost", method.name, learnt if learnt.steps else cost)
    return Part(rows, made.details + told.details)


def learn_and_ask(method: Method, facts: FactSet, early: LookUp, whole: LookUp, seed: int) -> tuple[Cost, list[Row]]:
    """Two lessons; the first one's facts are asked before and after the second."""
    first = [item for item in facts.items if item.stage == 0]
    one = method.learn(pairs_of(facts, facts.facts[0]))
    before = ask(method, first, early)
    two = method.learn(pairs_of(facts, facts.facts[1]))
    after = ask(method, first, whole)
    rows = measure(facts.name, method.name, "first facts, before the second", first, before, seed)
    rows += measure(facts.name, method.name, "first facts, after the second", first, after, seed)
    return Cost(one.steps + two.steps, one.tokens + two.tokens, one.seconds + two.seconds), rows


def pairs_of(facts: FactSet, triples: Sequence[Triple]) -> list[Pair]:
    """Texts by which these facts may be learnt."""
    return [pair for triple in triples for pair in facts.pairs(triple)]
