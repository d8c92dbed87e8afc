"""Knowledge integration: new facts are written in two stages and asked about, by every method."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from graphmem.core.edits import AddEdge, SupersedeEdge
from graphmem.experiments.comparison import Comparison, write_all
from graphmem.experiments.harness.report import Row
from graphmem.experiments.harness.runs import Part, Parts, Run
from graphmem.experiments.harness.scoring import (
    answer_items,
    answer_rows,
    free_text_rows,
    likelihood_rows,
    paraphrase_rows,
    right_rows,
)
from graphmem.experiments.methods.base import Cost, Language, Method
from graphmem.experiments.methods.lora import Lora
from graphmem.experiments.panel import Panel
from graphmem.experiments.tasks.benchmark_facts import folder_with, single_facts
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet, Query
from graphmem.experiments.tasks.synthetic_facts import NAME, integrate_world
from graphmem.memory import GraphMemory
from graphmem.text.answer_matching import is_right

PLOTS = {
    "answers": ("right", "contains"),
    "words": ("right", "right, paraphrased"),
    "locality": ("KL on plain text (nats/token)",),
    "modelling": ("nats/name token", "nats/token"),
    "seconds": ("s/answer",),
}
NOTES = (
    "right: the first answer is right; contains: a right answer occurs anywhere in the text.",
    "Every method with retrieval gets the same facts: the best that the memory finds (seconds included).",
    "The facts come in two stages. LoRA takes the given steps for each, without rehearsal, on the facts that are asked "
    "about alone (all of them would cost that many times as much); soft prompt and key/value memory are trained once, "
    "on the training split, with as many steps; graphmem uses its shipped weights, whose training was far longer. The "
    "budgets of the trained baselines are not equal to graphmem's.",
    "forgotten: share of the first stage's questions right after it, minus the share right after the second.",
    "Questions asked and questions trained on share no phrasing. All relations of the invented world are unseen.",
)


COSTS = "cost of facts"
TARGET = 0.9
"""Share of the facts that LoRA must answer rightly in ``tuning_costs``."""


def fact_sets(run: Run) -> list[FactSet]:
    """The invented world, and PopQA and zsRE where their files are there."""
    n = run.n or (16 if run.quick else 300)
    sets = [integrate_world(n, 3 * n if n > 60 else 150, run.seed)] if run.wants(NAME) else []
    for name in ("PopQA", "zsRE"):
        if folder := folder_with(run, name):
            sets.append(single_facts(folder, name, n, among=120 if run.quick else 500, seed=run.seed))
    return sets


def write_first_stage(memory: Any, facts: FactSet) -> None:
    """Write the facts of the first stage. Writes."""
    memory.add_many(facts.facts[0])


def costs(panel: Panel, parts: Parts) -> None:
    """Costs of adding and changing facts."""
    run = panel.run
    if not run.methods or "graphmem" in run.methods:
        parts.do("costs of edits", lambda: edit_costs((1, 100, 10_000)))
    if "lora" in panel.names:
        sizes = (1,) if run.quick else (1, 100)
        parts.do("costs of LoRA", lambda: tuning_costs(panel.copy_base, sizes, seed=run.seed), steps=panel.steps)


def edit_costs(sizes: Sequence[int]) -> list[Row]:
    """Seconds to add so many facts, and to change each of them, in one transaction each.

    Wall-clock and processor seconds, which differ on a shared machine. Encoding of new names is left out: it happens at
    the next search.
    """
    rows = []
    for size in sizes:
        with GraphMemory.open(":memory:") as memory:
            facts = [(f"subject {i}", "is kept in", f"place {i % 97}") for i in range(size)]
            added = _seconds(lambda: memory.add_many(facts))  # noqa: B023
            changes = [SupersedeEdge(f.id, AddEdge(f.subject, f.relation, "elsewhere")) for f in memory.facts() if f.id]
            changed = _seconds(lambda: memory.apply(changes))  # noqa: B023
        for what, seconds in (("add", added), ("change", changed)):
            for unit, value in zip(("s", "CPU s"), seconds, strict=True):
                rows.append(Row(COSTS, "graphmem", f"{unit} to {what} {size:,}", value, size))
    return rows


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def tuning_costs(
    copy_base: Callable[[], Language], sizes: Sequence[int], *, every: int = 10, max_steps: int = 400, seed: int = 0
) -> list[Row]:
    """Steps and seconds until LoRA answers 90 % of so many facts in the words that it was trained on.

    A note says where it does not within ``max_steps``. The cost of 10,000 facts is extrapolated from the largest size
    at equal passes over each fact.
    """
    rows: list[Row] = []
    for size in sizes:
        facts = [(f"Where is item {i * 7919 % 10007} kept?", f"room {i * 104729 % 997}") for i in range(size)]
        lora = Lora(copy_base(), every, rate=1e-3, seed=seed)
        steps, seconds, share = 0, 0.0, 0.0
        while share < TARGET and steps < max_steps:
            cost = lora.learn(list(facts), steps=every)
            steps, seconds = steps + cost.steps, seconds + cost.seconds
            answers = lora.generate([Query(question) for question, _ in facts], 8)
            share = sum(is_right(a.text, [right]) for a, (_, right) in zip(answers, facts, strict=True)) / size
        note = "" if share >= TARGET else f"stopped at {share:.2f} right"
        rows += [Row(COSTS, Lora.name, f"s to add {size:,}", seconds, size, note=note)]
        rows += [Row(COSTS, Lora.name, f"steps to add {size:,}", float(steps), size, note=note)]
        if size == max(sizes):
            note = f"extrapolated from {size} facts at equal passes over each, not run"
            rows.append(Row(COSTS, Lora.name, "s to add 10,000", seconds * 10_000 / size, 10_000, note=note))
    return rows


def measure(
    panel: Panel, facts: FactSet, method: Method, early: CachedRetriever, whole: CachedRetriever
) -> tuple[Part, Cost]:
    """Rows of one method; ``early`` and ``whole`` search the memory of the first stage and of both."""
    seed, first = panel.run.seed, [item for item in facts.items if item.stage == 0]
    training = method.learn(facts.training_pairs(facts.training_facts_of(0)))
    before = answer_items(method, first, early)
    training += method.learn(facts.training_pairs(facts.training_facts_of(1)))
    answers = answer_items(method, facts.items, whole)
    part = answer_rows(facts.name, method.name, facts.items, answers, seed=seed)
    after = [answer for item, answer in zip(facts.items, answers, strict=True) if item.stage == 0]
    for label, shown, minus in (
        ("first facts, before the second", before, None), ("first facts, after the second", after, None),
        ("forgotten", before, after),
    ):  # fmt: skip
        part += Part(right_rows(facts.name, method.name, label, first, shown, minus=minus, seed=seed))
    part += Part(paraphrase_rows(facts, method, answers, whole, seed))
    part += Part(panel.locality(facts, method, whole))
    if facts.names:
        part += free_text_rows(facts, method, whole, panel.n_locality, seed=seed)
        part += Part(likelihood_rows(facts, method, panel.language, whole, seed=seed))
    return part, training


main = Comparison(
    "integrate", "Write new facts and ask about them, with every baseline.", fact_sets, measure, NOTES, PLOTS,
    (write_first_stage, write_all), costs,
).main  # fmt: skip
