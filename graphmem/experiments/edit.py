"""Editing: facts change, and are asked about in the first words, in others, and through a second fact."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from graphmem.core.types import Triple
from graphmem.experiments.comparison import Comparison, write_all
from graphmem.experiments.harness.report import Row
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.harness.scoring import answer_items, answer_rows, cost_part, paraphrase_rows, right_rows
from graphmem.experiments.panel import WITHOUT_RETRIEVAL, Panel
from graphmem.experiments.tasks.benchmark_facts import counterfactuals, found_in
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet
from graphmem.experiments.tasks.film_facts import NAME as FILMS
from graphmem.experiments.tasks.film_facts import film_edits
from graphmem.experiments.tasks.synthetic_facts import NAME as INVENTED
from graphmem.experiments.tasks.synthetic_facts import edit_world

PLOTS = {"answers": ("right",), "old": ("old answer",), "words": ("right", "right, paraphrased")}
NOTES = (
    "right: the first answer is the new one; old answer: the first answer is the one from before the edit.",
    "Every method with retrieval gets the same facts: the best that the edited memory finds (seconds included).",
    "LoRA is first trained on the old facts asked about, then, with as many steps, on the changed ones alone.",
    "unedited facts lost: share right before the edits minus share right after them, over the same questions.",
)
UNEDITED = "unedited fact"


def main(arguments: Sequence[str] | None = None) -> None:
    """Change facts and ask about them, with every baseline."""
    memories = (write_all, write_edited)
    Comparison("edit", main.__doc__, fact_sets, measure, NOTES, PLOTS, memories).main(arguments)


def fact_sets(run: Run) -> list[FactSet]:
    """An invented world and WikiMovies, and AKEW where its file is there; quick: the invented world, unless named."""
    n = run.n or (10 if run.quick else 300)
    sets = [edit_world(n, 3 * n if n > 60 else 150, run.seed)] if run.wants(INVENTED) else []
    sets += [film_edits(n, seed=run.seed)] if run.wants(FILMS, quick=False) else []
    if run.wants("AKEW", quick=False) and found_in(run.data, ["AKEW"]):
        assert run.data is not None
        sets.append(counterfactuals(run.data, n, seed=run.seed))
    return sets


def write_edited(memory: Any, facts: FactSet) -> float:
    """Write the facts, then every change in one transaction; the seconds of the changes, lookups included. Writes."""
    from graphmem.core.edits import AddEdge, SupersedeEdge

    memory.add_many(facts.all_facts)
    edits: list[Any] = []
    started = time.perf_counter()
    for old, new in facts.changes:
        held = memory.facts(*old)
        edits += [SupersedeEdge(f.id, AddEdge(*new, source="edit")) for f in held] or [AddEdge(*new, source="edit")]
    if edits:
        memory.apply(edits)
    return time.perf_counter() - started


def measure(panel: Panel, facts: FactSet, name: str, before: CachedRetriever, after: CachedRetriever) -> Part:
    """Rows of one method; ``before`` and ``after`` search the memory without and with the edits."""
    seed, unedited = panel.run.seed, [item for item in facts.items if item.kind == UNEDITED]
    with panel.method(name, facts, after.memory) as (method, cost):
        first = method.learn(facts.training_pairs(_old_facts(facts)))
        then = answer_items(method, unedited, before)
        second = method.learn(facts.training_pairs([new for _, new in facts.changes]))
        answers = answer_items(method, facts.items, after)
        part = answer_rows(facts.name, method.name, facts.items, answers, seed=seed)
        part += Part(paraphrase_rows(facts, method, answers, after, seed))
        now = [a for item, a in zip(facts.items, answers, strict=True) if item.kind == UNEDITED]
        lost = right_rows(facts.name, method.name, "unedited facts lost", unedited, then, minus=now, seed=seed)
        part += Part(lost + panel.locality(facts, method, after))
        part += cost_part(facts.name, method.name, first + second if second.steps else cost)
        seconds = second.seconds if second.steps else None if name in WITHOUT_RETRIEVAL else after.write_seconds
        row = Row(f"{facts.name}, cost", method.name, "s to apply the edits", seconds, len(facts.changes))
        return part + Part([row])


def _old_facts(facts: FactSet) -> list[Triple]:
    """Training facts before the edits: all, or those chosen, with the old value of what changes."""
    if facts.training_facts is None:
        return list(facts.all_facts)
    old = {after: before for before, after in facts.changes}
    return [old.get(fact, fact) for fact in facts.training_facts]
