"""Editing: facts change, and are asked in the first words, in others, and through a second fact."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from graphmem.core.types import Triple
from graphmem.experiments.comparison import Comparison, One
from graphmem.experiments.harness.report import Row
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.harness.scoring import answer_rows, ask, left_alone, measure, other_words
from graphmem.experiments.panel import UNREAD, Panel, cost_part
from graphmem.experiments.tasks.benchmark_facts import counterfactuals, found_in
from graphmem.experiments.tasks.fact_set import FactSet, LookUp, pairs_of
from graphmem.experiments.tasks.film_facts import NAME as FILMS
from graphmem.experiments.tasks.film_facts import film_edits
from graphmem.experiments.tasks.synthetic_facts import NAME as INVENTED
from graphmem.experiments.tasks.synthetic_facts import edit_world

PLOTS = {"answers": ("right",), "old": ("old answer",), "words": ("right", "right, other words")}
NOTES = (
    "right: the first thing said is the new answer; old answer: the first thing said is the one from before the edit.",
    "Every method that reads gets the same facts: the best that the edited memory found (seconds included).",
    "LoRA is first trained on the facts asked about as they were, then, with as many steps, on the changed ones alone.",
    "unedited facts lost: share right before the edits less share right after them, over the same questions.",
)
KEPT = "unedited fact"


def main(arguments: Sequence[str] | None = None) -> None:
    """Change facts and ask for them, with every rival beside graphmem."""
    Comparison("edit", main.__doc__, fact_sets, opened, NOTES, PLOTS).main(arguments)


def fact_sets(run: Run) -> list[FactSet]:
    """An invented world and WikiMovies, and AKEW where the user has it; quick: the invented world, unless named."""
    n = run.n or (10 if run.quick else 300)
    sets = [edit_world(n, 3 * n if n > 60 else 150, run.seed)] if run.wants(INVENTED) else []
    sets += [film_edits(n, seed=run.seed)] if run.wants(FILMS, quick=False) else []
    if run.wants("AKEW", quick=False) and found_in(run.data, ["AKEW"]):
        assert run.data is not None
        sets.append(counterfactuals(run.data, n, seed=run.seed))
    return sets


@contextmanager
def opened(panel: Panel, facts: FactSet) -> Iterator[One]:
    """Two memories: as the facts were, and after the edits."""
    from graphmem.memory import GraphMemory

    with ExitStack() as stack:
        before = stack.enter_context(GraphMemory.open(":memory:"))
        after = stack.enter_context(GraphMemory.open(":memory:"))
        before.add_many(facts.all_facts)
        after.add_many(facts.all_facts)
        seconds, most = apply_changes(after, facts), panel.run.most_facts
        yield partial(_one, panel, facts, LookUp(before, most=most), LookUp(after, most=most), seconds)


def apply_changes(memory: Any, facts: FactSet) -> float:
    """Write every change in one transaction; the seconds it took, finding the old facts included."""
    from graphmem.core.edits import AddEdge, SupersedeEdge

    edits: list[Any] = []
    began = time.perf_counter()
    for old, new in facts.changes:
        held = memory.facts(*old)
        edits += [SupersedeEdge(f.id, AddEdge(*new, source="edit")) for f in held] or [AddEdge(*new, source="edit")]
    if edits:
        memory.apply(edits)
    return time.perf_counter() - began


def _one(panel: Panel, facts: FactSet, before: LookUp, after: LookUp, seconds: float, name: str) -> Part:
    seed, kept = panel.run.seed, [item for item in facts.items if item.kind == KEPT]
    with panel.method(name, facts, after.memory) as (method, cost):
        one = method.learn(pairs_of(facts, _held_before(facts)))
        then = ask(method, kept, before)
        two = method.learn(pairs_of(facts, [new for _, new in facts.changes]))
        said = ask(method, facts.items, after)
        made = answer_rows(facts.name, method.name, facts.items, said, seed=seed)
        made += Part(other_words(facts, method, said, after, seed))
        now = [s for item, s in zip(facts.items, said, strict=True) if item.kind == KEPT]
        made += Part(measure(facts.name, method.name, "unedited facts lost", kept, then, less=now, seed=seed))
        made += Part(left_alone(panel, facts.name, method, after))
        made += cost_part(facts.name, method.name, one + two if two.steps else cost)
        spent = two.seconds if two.steps else None if name in UNREAD else seconds
        return made + Part([Row(f"{facts.name}, cost", method.name, "s to apply the edits", spent, len(facts.changes))])


def _held_before(facts: FactSet) -> list[Triple]:
    """Facts that LoRA knows before the edits: all, or those chosen, with the old value of what changes."""
    if facts.learnt is None:
        return list(facts.all_facts)
    new = {after: before for before, after in facts.changes}
    return [new.get(fact, fact) for fact in facts.learnt]
