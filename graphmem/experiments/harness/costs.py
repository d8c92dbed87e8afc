"""Costs of adding and changing facts: edits of a memory, and gradient steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from graphmem.experiments.harness.report import Row
from graphmem.experiments.methods.base import Language
from graphmem.experiments.tasks.fact_set import Query
from graphmem.text.answer_matching import is_right

NAME = "cost of facts"
TARGET = 0.9
"""Share of the facts that LoRA must answer rightly."""


def edit_costs(sizes: Sequence[int]) -> list[Row]:
    """Seconds to add so many facts, and to change each of them, in one transaction each.

    Wall-clock and processor seconds, which differ on a shared machine. Encoding of new names is left out: it happens at
    the next search.
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
        for what, seconds in (("add", added), ("change", changed)):
            for unit, value in zip(("s", "CPU s"), seconds, strict=True):
                rows.append(Row(NAME, "graphmem", f"{unit} to {what} {size:,}", value, size))
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
    from graphmem.experiments.methods.lora import Lora

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
        rows += [Row(NAME, Lora.name, f"s to add {size:,}", seconds, size, note=note)]
        rows += [Row(NAME, Lora.name, f"steps to add {size:,}", float(steps), size, note=note)]
        if size == max(sizes):
            note = f"extrapolated from {size} facts at equal passes over each, not run"
            rows.append(Row(NAME, Lora.name, "s to add 10,000", seconds * 10_000 / size, 10_000, note=note))
    return rows
