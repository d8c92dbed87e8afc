"""Editing: facts change, and are asked about in the first words, in others, and through a second fact."""

from __future__ import annotations

import time
from typing import Any

from graphmem.core.edits import AddEdge, SupersedeEdge
from graphmem.experiments.comparison import Comparison, write_all
from graphmem.experiments.harness.report import Row
from graphmem.experiments.harness.runs import Part, Run
from graphmem.experiments.harness.scoring import answer_items, answer_rows, paraphrase_rows, right_rows
from graphmem.experiments.methods.base import Cost, Method
from graphmem.experiments.panel import Panel
from graphmem.experiments.tasks.benchmark_facts import counterfactuals, folder_with
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


def fact_sets(run: Run) -> list[FactSet]:
    """An invented world and WikiMovies, and AKEW where its file is there; quick: the invented world, unless named."""
    n = run.n or (10 if run.quick else 300)
    sets = [edit_world(n, 3 * n if n > 60 else 150, run.seed)] if run.wants(INVENTED) else []
    sets += [film_edits(n, seed=run.seed)] if run.wants(FILMS, quick=False) else []
    if folder := folder_with(run, "AKEW"):
        sets.append(counterfactuals(folder, n, seed=run.seed))
    return sets


def write_edited(memory: Any, facts: FactSet) -> float:
    """Write the facts, then every change in one transaction; the seconds of the changes, lookups included. Writes."""
    memory.add_many(facts.all_facts)
    edits: list[Any] = []
    started = time.perf_counter()
    for old, new in facts.changes:
        held = memory.facts(*old)
        edits += [SupersedeEdge(f.id, AddEdge(*new, source="edit")) for f in held] or [AddEdge(*new, source="edit")]
    if edits:
        memory.apply(edits)
    return time.perf_counter() - started


def measure(
    panel: Panel, facts: FactSet, method: Method, before: CachedRetriever, after: CachedRetriever
) -> tuple[Part, Cost]:
    """Rows of one method; ``before`` and ``after`` search the memory without and with the edits."""
    seed, unedited = panel.run.seed, [item for item in facts.items if item.kind == UNEDITED]
    previous = {new: old for old, new in facts.changes}
    trained = facts.all_facts if facts.training_facts is None else facts.training_facts
    first = method.learn(facts.training_pairs([previous.get(fact, fact) for fact in trained]))
    then = answer_items(method, unedited, before)
    second = method.learn(facts.training_pairs(list(previous)))
    answers = answer_items(method, facts.items, after)
    part = answer_rows(facts.name, method.name, facts.items, answers, seed=seed)
    part += Part(paraphrase_rows(facts, method, answers, after, seed))
    now = [a for item, a in zip(facts.items, answers, strict=True) if item.kind == UNEDITED]
    lost = right_rows(facts.name, method.name, "unedited facts lost", unedited, then, minus=now, seed=seed)
    part += Part(lost + panel.locality(facts, method, after))
    seconds = second.seconds if second.steps else after.write_seconds if method.reads_retrieval else None
    row = Row(f"{facts.name}, cost", method.name, "s to apply the edits", seconds, len(facts.changes))
    return part + Part([row]), first + second


main = Comparison(
    "edit", "Change facts and ask about them, with every baseline.", fact_sets, measure, NOTES, PLOTS,
    (write_all, write_edited),
).main  # fmt: skip
