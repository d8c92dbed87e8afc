"""Editing: facts change, and are asked in the first words, in others, and through a second fact."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from graphmem.evaluation_answers import is_right
from graphmem.experiments.common import everyday, plain_texts
from graphmem.experiments.decoding import Cost, Said
from graphmem.experiments.filed_facts import counterfactuals, found_in
from graphmem.experiments.film_facts import NAME as FILMS
from graphmem.experiments.film_facts import film_edits
from graphmem.experiments.integrate import fingerprint_of, pairs_of
from graphmem.experiments.invented_facts import NAME as INVENTED
from graphmem.experiments.invented_facts import edit_world
from graphmem.experiments.items import FactSet, Item, LookUp
from graphmem.experiments.panel import Panel, cost_rows
from graphmem.experiments.result import Row, row_of
from graphmem.experiments.runs import Part, Parts, Run, parse, parser
from graphmem.experiments.scoring import answer_rows, ask, locality

PLOTS = {"answers": ("right",), "old": ("old answer",), "words": ("right", "right, other words")}
NOTES = (
    "right: the first thing said is the new answer; old answer: the first thing said is the one from before the edit.",
    "Every method that reads gets the same facts: at most 50 that the edited memory found (seconds included).",
    "LoRA is first trained on the facts as they were, then, with as many steps, on the changed ones alone.",
    "unedited facts lost: share right before the edits less share right after them, over the same questions.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Change facts and ask for them, with every rival beside graphmem."""
    run = parse(parser("edit", main.__doc__), "edit", arguments)
    panel, parts = Panel(run), Parts(run)
    for facts in fact_sets(run):
        edit_all(panel, parts, facts)
    result = parts.result(NOTES, budget_steps=panel.steps)
    result.print()
    for path in result.save(run.out, plots=PLOTS):
        print(path)


def fact_sets(run: Run) -> list[FactSet]:
    """Data sets of a run: an invented world and WikiMovies always, AKEW where the user has it."""
    n = run.n or (20 if run.quick else 300)
    wanted = lambda name: not run.datasets or name in run.datasets
    sets = [edit_world(n, 3 * n if n > 60 else 150, run.seed)] if wanted(INVENTED) else []
    sets += [film_edits(n, seed=run.seed)] if wanted(FILMS) else []
    if wanted("AKEW") and found_in(run.data, ["AKEW"]):
        assert run.data is not None
        sets.append(counterfactuals(run.data, n, seed=run.seed))
    return sets


def edit_all(panel: Panel, parts: Parts, facts: FactSet) -> None:
    """Every method on one fact set, each a part of the run."""
    from graphmem.memory import GraphMemory

    with GraphMemory.open(":memory:") as before, GraphMemory.open(":memory:") as after:
        before.add_many(facts.all_facts)
        after.add_many(facts.all_facts)
        seconds, looks = apply_changes(after, facts), (LookUp(before), LookUp(after))
        key = fingerprint_of(facts)
        for name in panel.names:
            make = partial(_one, panel, name, facts, looks, seconds)
            parts.do(f"{facts.name}, {name}", make, facts=key, **panel.made_of(name))


def apply_changes(memory: Any, facts: FactSet) -> float:
    """Write every change in one transaction; the seconds it took, finding the old facts included."""
    from graphmem.graph import AddEdge, SupersedeEdge

    edits: list[Any] = []
    began = time.perf_counter()
    for old, new in facts.changes:
        held = memory.facts(*old)
        edits += [SupersedeEdge(f.id, AddEdge(*new, source="edit")) for f in held] or [AddEdge(*new, source="edit")]
    if edits:
        memory.apply(edits)
    return time.perf_counter() - began


def _one(panel: Panel, name: str, facts: FactSet, looks: tuple[LookUp, LookUp], seconds: float) -> Part:
    before, after = looks
    run, kept = panel.run, [item for item in facts.items if item.kind == "unedited fact"]
    with panel.method(name, facts, after.memory) as (method, cost):
        one = method.learn(pairs_of(facts, _held_before(facts)))
        then = ask(method, kept, before)
        two = method.learn(pairs_of(facts, [new for _, new in facts.changes]))
        said = ask(method, facts.items, after)
        made = answer_rows(facts.name, method.name, facts.items, said, seed=run.seed)
        rows = made.rows + _other_words(
            facts, method.name, said, lambda p: ask(method, facts.items, after, phrasing=p), run
        )
        now = [s for item, s in zip(facts.items, said, strict=True) if item.kind == "unedited fact"]
        rows += _lost(facts.name, method.name, kept, then, now, run)
        count = 10 if run.quick else 40
        rows += locality(
            facts.name, method, panel.base, panel.language, after, plain_texts(count, run.seed),
            everyday(2 * count, run.seed), seed=run.seed,
        )  # fmt: skip
        learnt = Cost(one.steps + two.steps, one.tokens + two.tokens, one.seconds + two.seconds)
        rows += cost_rows(f"{facts.name}, cost", method.name, learnt if learnt.steps else cost)
        spent = two.seconds if two.steps else None if name in ("closed", "gold", "distractors") else seconds
        rows.append(Row(f"{facts.name}, cost", method.name, "s to apply the edits", spent, len(facts.changes)))
    return Part(rows, made.details)


def _held_before(facts: FactSet) -> list[Any]:
    """Facts that LoRA knows before the edits: all, or those chosen, with the old value of what changes."""
    if facts.learnt is None:
        return list(facts.all_facts)
    new = {after: before for before, after in facts.changes}
    return [new.get(fact, fact) for fact in facts.learnt]


def _other_words(facts: FactSet, method: str, first: Sequence[Said], again: Any, run: Run) -> list[Row]:
    """The second phrasing, and any of all phrasings, of questions that have more than one."""
    most = max((len(item.paraphrases) for item in facts.items), default=0)
    spoken = [list(first), *(again(phrasing) for phrasing in range(1, most + 1))]
    rows: list[Row] = []
    for kind in dict.fromkeys(item.kind for item in facts.items if item.paraphrases):
        at = [i for i, item in enumerate(facts.items) if item.kind == kind]
        right = [[float(is_right(said[i].text, facts.items[i].answers)) for i in at] for said in spoken]
        where = f"{facts.name}, {kind}"
        rows.append(row_of(where, method, "right, other words", right[1], seed=run.seed))
        if most > 1:
            anyhow = [max(each) for each in zip(*right, strict=True)]
            rows.append(row_of(where, method, "right in any words", anyhow, seed=run.seed))
    return rows


def _lost(
    name: str, method: str, kept: Sequence[Item], then: Sequence[Said], now: Sequence[Said], run: Run
) -> list[Row]:
    if not kept:
        return []
    before = [float(is_right(s.text, i.answers)) for i, s in zip(kept, then, strict=True)]
    after = [float(is_right(s.text, i.answers)) for i, s in zip(kept, now, strict=True)]
    lost = [b - a for b, a in zip(before, after, strict=True)]
    where = f"{name}, unedited fact"
    return [row_of(where, method, "unedited facts lost", lost, seed=run.seed)]
