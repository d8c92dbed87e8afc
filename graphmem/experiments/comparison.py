"""Experiments that compare methods: every method on every fact set, then tables, plots and a JSON file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graphmem.experiments.harness.runs import Part, Parts, Run, parse
from graphmem.experiments.harness.scoring import cost_part
from graphmem.experiments.methods.base import Cost
from graphmem.experiments.panel import METHODS, Panel
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet
from graphmem.memory import GraphMemory

Write = Callable[[Any, FactSet], float | None]
"""Writes facts of a set into a memory; returns seconds where they are a figure of the experiment."""


def write_all(memory: Any, facts: FactSet) -> None:
    """Write the facts of both stages. Writes."""
    memory.add_many(facts.all_facts)


@dataclass(frozen=True)
class Comparison:
    """An experiment that asks every method about the same facts.

    Attributes:
        name: of the experiment.
        text: for ``--help``.
        fact_sets: the data sets of a run.
        measure: rows and training cost of one method on a fact set, from ``(panel, facts, method, *retrievers)``.
        notes: sentences below the tables.
        plots: measures to draw together, by the plot's name.
        memories: what writes each memory of a fact set; ``measure`` gets a retriever for each.
        extra: adds parts beyond those of the methods.
        methods: to compare where the run names none.
    """

    name: str
    text: str
    fact_sets: Callable[[Run], Sequence[FactSet]]
    measure: Callable[..., tuple[Part, Cost]]
    notes: Sequence[str]
    plots: Mapping[str, Sequence[str]]
    memories: Sequence[Write] = (write_all,)
    extra: Callable[[Panel, Parts], None] = lambda panel, parts: None
    methods: Sequence[str] = METHODS

    def main(self, arguments: Sequence[str] | None = None) -> list[Path]:
        """Parse the options, run every part, print and write the result; returns the files."""
        run = parse(self.name, self.text, arguments)
        panel, parts = Panel(run, self.methods), Parts(run)
        for facts in self.fact_sets(run):
            with ExitStack() as stack:
                retrievers = []
                for write in self.memories:
                    memory = stack.enter_context(GraphMemory.open(":memory:"))
                    seconds = write(memory, facts)
                    retrievers.append(CachedRetriever(memory, max_facts=run.max_facts, write_seconds=seconds))
                for name in panel.names:
                    settings = {"facts": facts.fingerprint(), **panel.dependencies(name)}
                    parts.do(f"{facts.name}, {name}", partial(self._part, panel, facts, name, retrievers), **settings)
        self.extra(panel, parts)
        return parts.finish(self.notes, self.plots, baseline_steps=panel.steps, max_facts=run.max_facts)

    def _part(self, panel: Panel, facts: FactSet, name: str, retrievers: Sequence[CachedRetriever]) -> Part:
        with panel.method(name, facts, retrievers[-1].memory) as (method, cost):
            part, training = self.measure(panel, facts, method, *retrievers)
            return part + cost_part(facts.name, method.name, training if training.steps else cost)
