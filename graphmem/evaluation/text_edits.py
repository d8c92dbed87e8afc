"""Edits given as free text, read into the graph, then asked: AKEW's form of MQuAKE-CF.

Every case comes with a passage for each edited fact, single questions about each hop and three wordings of a question
over all hops. The passages are read by the shipped reader into a memory that holds the cases' other facts; the same
edits given as triples are the ceiling. Cases that contradict each other go to different memories.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets.mquake import EditCase, consistent_groups
from graphmem.text.answer_matching import is_right

Answerer = Callable[[str], str]


def fill(memory: Any, cases: Sequence[EditCase], *, old: bool) -> None:
    """Write the facts that no edit touches, and what the edited ones were before when ``old``."""
    facts = {triple for case in cases for triple in case.others}
    if old:
        new = {key: value for case in cases for key, value in case.claims.items()}
        facts |= {(e.fact[0], e.fact[1], e.old) for case in cases for e in case.edits}
        facts = {t for t in facts if not (t in _olds(cases) and new.get((normalise(t[0]), normalise(t[1]))) is None)}
    if facts:
        memory.add_many(sorted(facts))


def _olds(cases: Sequence[EditCase]) -> set[Triple]:
    return {(e.fact[0], e.fact[1], e.old) for case in cases for e in case.edits}


@dataclass(slots=True)
class EditScores:
    """Shares right, with how many were asked."""

    single: list[bool] = field(default_factory=list)
    untouched: list[bool] = field(default_factory=list)
    multi: list[bool] = field(default_factory=list)
    any_of_three: list[bool] = field(default_factory=list)

    def ask(self, case: EditCase, answer: Answerer) -> None:
        """Ask all of one case's questions."""
        for asking in case.singles:
            (self.single if asking.edited else self.untouched).append(is_right(answer(asking.question), asking.answers))
        right = [is_right(answer(asking.question), asking.answers) for asking in case.multi]
        self.multi += right
        self.any_of_three.append(any(right))

    def row(self) -> dict[str, Any]:
        """Share and n of each."""
        names = ("single", "untouched", "multi", "any_of_three")
        return {name: _share(getattr(self, name)) for name in names}


def _share(right: Sequence[bool]) -> dict[str, float]:
    return {"right": round(sum(right) / max(1, len(right)), 4), "n": len(right)}


def write_gold(model: Any, cases: Sequence[EditCase]) -> dict[str, int]:
    """Write every edit as its triple, over the old fact where there is one: the ceiling."""
    from graphmem.core.edits import AddEdge, SupersedeEdge

    for edit in (edit for case in cases for edit in case.edits):
        subject, relation, value = edit.fact
        held = [f for f in model.memory.facts(subject=subject) if f.relation == relation and f.object == edit.old]
        new = AddEdge(subject, relation, value)
        model.memory.apply([SupersedeEdge(held[0].id, new)] if held else [new])
    return {}


def write_read(model: Any, cases: Sequence[EditCase]) -> dict[str, int]:
    """Read every edit's passage into the memory; counts what of the edits arrived as it was meant."""
    passages = {edit.passage: edit for case in cases for edit in case.edits}
    counts = {"passages": len(passages), "facts": 0, "edit's pair read": 0, "edit's triple read": 0,
              "written": 0, "edit's pair written": 0}  # fmt: skip
    for number, (passage, edit) in enumerate(passages.items()):
        plan = model.read(passage, apply=True, source=f"passage {number}")
        subject, relation, value = map(normalise, edit.fact)
        said = {_plain(fact) for fact in plan.facts}
        kept = {_plain(d.fact) for d in plan.decisions if d.action in ("add", "update")}
        counts["facts"] += len(said)
        counts["written"] += len(kept)
        counts["edit's pair read"] += any({s, o} == {subject, value} for s, _, o in said)
        counts["edit's pair written"] += any({s, o} == {subject, value} for s, _, o in kept)
        counts["edit's triple read"] += (subject, relation, value) in said
    return counts


def _plain(fact: Any) -> Triple:
    return normalise(fact.subject), normalise(fact.relation), normalise(fact.object)


WRITERS = {"gold triples": write_gold, "read from text": write_read}


def evaluate_edits(
    model_of: Callable[[Any], Any], cases: Sequence[EditCase], *, old: bool, spoken: bool, log: Any = print
) -> list[dict[str, Any]]:
    """One row a way of writing (``WRITERS``) and of answering.

    Args:
        model_of: attaches the model to a memory.
        cases: what to write and ask.
        old: the memory holds the old facts before the edits.
        spoken: let the model speak too; else only the retriever's best node is scored.
    """
    from graphmem.memory import GraphMemory

    rows = []
    for name, write in WRITERS.items():
        scores = {"best node": EditScores()} | ({"spoken": EditScores()} if spoken else {})
        counts: dict[str, int] = {}
        began = time.monotonic()
        for group in consistent_groups(cases):
            memory = GraphMemory.open(":memory:")
            fill(memory, group, old=old)
            model = model_of(memory)
            for key, value in write(model, group).items():
                counts[key] = counts.get(key, 0) + value
            for case in group:
                scores["best node"].ask(case, partial(best_node, memory))
                if spoken:
                    scores["spoken"].ask(case, partial(say, model))
            model.detach()
        for how, score in scores.items():
            rows.append({"edits": name, "answer": how, "old facts held": old, **score.row(), **counts,
                         "seconds": round(time.monotonic() - began, 1)})  # fmt: skip
            log(json.dumps(rows[-1]), flush=True)
    return rows


def best_node(memory: Any, question: str) -> str:
    """Name of the best node that the retriever finds."""
    nodes = memory.retrieve(question, top_k=1).nodes
    return str(nodes[0].name) if nodes else ""


def say(model: Any, question: str) -> str:
    """What the model says."""
    return str(model.ask(question, max_new_tokens=24).text)
