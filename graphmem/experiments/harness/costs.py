"""What it costs to add or change facts: edits of a memory against gradient steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from graphmem.experiments.harness.report import Row
from graphmem.experiments.tasks.fact_set import Asked
from graphmem.text.answer_matching import is_right

if TYPE_CHECKING:
    from graphmem.experiments.panel import Panel

WHERE = "cost of facts"
ENOUGH = 0.9
"""Share of the facts that must be answered rightly for LoRA to be done."""


def edit_costs(sizes: Sequence[int]) -> list[Row]:
    """Seconds to add so many facts, and to change each of them, in a memory of their own, in one transaction each.

    By the clock and of the processor, which differ where others use the machine. Vectors of new names are not in it:
    they are made at the next search.
    """
    from graphmem.core.edits import AddEdge, SupersedeEdge
    from graphmem.memory import GraphMemory

    rows = []
    for size in sizes:
        with GraphMemory.open(":memory:") as memory:
            facts = [(f"subject {i}", "is kept in", f"place {i % 97}") for i in range(size)]
            added = _seconds(lambda: memory.add_many(facts))  # noqa: B023
            changes = [SupersedeEdge(f.id, AddEdge(f.subject, f.relation, "elsewhere")) for f in memory.facts() if f.id]
            changed = _seconds(lambda: memory.apply(changes))  # noqa: B023
        for what, (clock, processor) in (("add", added), ("change", changed)):
            rows.append(Row(WHERE, "graphmem", f"s to {what} {size:,}", clock, size))
            rows.append(Row(WHERE, "graphmem", f"CPU s to {what} {size:,}", processor, size))
    return rows


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def tuning_costs(panel: Panel, sizes: Sequence[int], *, every: int = 10, most: int = 400) -> list[Row]:
    """Steps and seconds until LoRA answers 90 % of so many facts in the words that it was trained on.

    Where it does not within ``most`` steps, the row says so; 10,000 facts are not tried, but reckoned from the largest
    number that was, at equal passes over each fact.
    """
    from graphmem.experiments.methods.lora import Lora

    rows: list[Row] = []
    for size in sizes:
        facts = [(f"Where is item {i * 7919 % 10007} kept?", f"room {i * 104729 % 997}") for i in range(size)]
        lora = Lora(panel.copy(), every, rate=1e-3, seed=panel.run.seed)
        steps, seconds, share = 0, 0.0, 0.0
        while share < ENOUGH and steps < most:
            cost = lora.learn(list(facts), steps=every)
            steps, seconds = steps + cost.steps, seconds + cost.seconds
            said = lora.say([Asked(question) for question, _ in facts], 8)
            share = sum(is_right(s.text, [a]) for s, (_, a) in zip(said, facts, strict=True)) / size
        note = "" if share >= ENOUGH else f"stopped at {share:.2f} right"
        rows += [Row(WHERE, Lora.name, f"s to add {size:,}", seconds, size, note=note)]
        rows += [Row(WHERE, Lora.name, f"steps to add {size:,}", float(steps), size, note=note)]
        if size == max(sizes):
            note = f"reckoned from {size} facts at equal passes over each, not run"
            rows.append(Row(WHERE, Lora.name, "s to add 10,000", seconds * 10_000 / size, 10_000, note=note))
    return rows
