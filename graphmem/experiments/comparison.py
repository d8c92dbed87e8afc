"""One course for all experiments that compare methods: each fact set, each method a part, then table, plot and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from graphmem.experiments.harness.runs import Part, Parts, Run, parse, parser
from graphmem.experiments.panel import METHODS, Panel
from graphmem.experiments.tasks.fact_set import FactSet, LookUp, fingerprint_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

One = Callable[[str], Part]
"""Asks the method of that name."""


AskOne = Callable[[Panel, FactSet, LookUp, str], Part]
"""Asks the method of that name about facts that are looked up in one memory."""


def in_one_memory(ask: AskOne) -> Callable[[Panel, FactSet], AbstractContextManager[One]]:
    """``opened`` of an experiment whose fact sets are held by one memory each."""

    @contextmanager
    def opened(panel: Panel, facts: FactSet) -> Iterator[One]:
        from graphmem.memory import GraphMemory

        with GraphMemory.open(":memory:") as memory:
            memory.add_many(facts.all_facts)
            yield partial(ask, panel, facts, LookUp(memory, most=panel.run.most_facts))

    return opened


@dataclass(frozen=True)
class Comparison:
    """An experiment that asks every method about the same facts.

    Attributes:
        name: of the experiment.
        text: what it does, for ``--help``.
        fact_sets: the data sets of a run.
        opened: opens the memories of a fact set; inside the block, its value asks one method.
        notes: what a reader of the tables must know.
        plots: measures to draw together, by the plot's name.
        extra: parts beside the methods' own.
        methods: who takes part where the user names nobody.
    """

    name: str
    text: str | None
    fact_sets: Callable[[Run], Sequence[FactSet]]
    opened: Callable[[Panel, FactSet], AbstractContextManager[One]]
    notes: Sequence[str]
    plots: Mapping[str, Sequence[str]]
    extra: Callable[[Panel, Parts], None] = lambda panel, parts: None
    methods: Sequence[str] = METHODS

    def main(self, arguments: Sequence[str] | None) -> list[Path]:
        """Read the options, ask everybody, print and write the result; the files written."""
        run = parse(parser(self.name, self.text), self.name, arguments)
        panel, parts = Panel(run, self.methods), Parts(run)
        for facts in self.fact_sets(run):
            self._ask(panel, parts, facts)
        self.extra(panel, parts)
        result = parts.result(self.notes, rival_steps=panel.steps, most_facts=run.most_facts)
        result.print()
        files = result.save(run.out, plots=self.plots)
        print(*files, sep="\n")
        return files

    def _ask(self, panel: Panel, parts: Parts, facts: FactSet) -> None:
        with self.opened(panel, facts) as one:
            key = fingerprint_of(facts)
            for name in panel.names:
                parts.do(f"{facts.name}, {name}", partial(one, name), facts=key, **panel.made_of(name))
