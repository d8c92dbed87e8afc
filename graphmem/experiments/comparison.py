"""Experiments that compare methods: every method on every fact set, then tables, plots and a JSON file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graphmem.experiments.harness.runs import Part, Parts, Run, parse, parser
from graphmem.experiments.panel import METHODS, Panel
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet

Write = Callable[[Any, FactSet], float | None]
"""Writes facts of a set into a memory; returns seconds where they are a figure of the experiment."""


def write_all(memory: Any, facts: FactSet) -> None:
    """Write the facts of both stages. Writes."""
    memory.add_many(facts.all_facts)


def write_first_stage(memory: Any, facts: FactSet) -> None:
    """Write the facts of the first stage. Writes."""
    memory.add_many(facts.facts[0])


@dataclass(frozen=True)
class Comparison:
    """An experiment that asks every method about the same facts.

    Attributes:
        name: of the experiment.
        text: for ``--help``.
        fact_sets: the data sets of a run.
        measure: rows of one method on a fact set, from ``(panel, facts, name, *retrievers)``.
        notes: sentences below the tables.
        plots: measures to draw together, by the plot's name.
        memories: what writes each memory of a fact set; ``measure`` gets a retriever for each.
        extra: adds parts beyond those of the methods.
        methods: to compare where the run names none.
    """

    name: str
    text: str | None
    fact_sets: Callable[[Run], Sequence[FactSet]]
    measure: Callable[..., Part]
    notes: Sequence[str]
    plots: Mapping[str, Sequence[str]]
    memories: Sequence[Write] = (write_all,)
    extra: Callable[[Panel, Parts], None] = lambda panel, parts: None
    methods: Sequence[str] = METHODS

    def main(self, arguments: Sequence[str] | None) -> list[Path]:
        """Parse the options, run every part, print and write the result; returns the files."""
        run = parse(parser(self.name, self.text), self.name, arguments)
        panel, parts = Panel(run, self.methods), Parts(run)
        for facts in self.fact_sets(run):
            self._compare(panel, parts, facts)
        self.extra(panel, parts)
        result = parts.result(self.notes, baseline_steps=panel.steps, max_facts=run.max_facts)
        print(result.markdown())
        files = result.save(run.out, plots=self.plots)
        print(*files, sep="\n")
        return files

    def _compare(self, panel: Panel, parts: Parts, facts: FactSet) -> None:
        from graphmem.memory import GraphMemory

        with ExitStack() as stack:
            retrievers = []
            for write in self.memories:
                memory = stack.enter_context(GraphMemory.open(":memory:"))
                seconds = write(memory, facts)
                retrievers.append(CachedRetriever(memory, max_facts=panel.run.max_facts, write_seconds=seconds))
            key = facts.fingerprint()
            for name in panel.names:
                measure = partial(self.measure, panel, facts, name, *retrievers)
                parts.do(f"{facts.name}, {name}", measure, facts=key, **panel.dependencies(name))
