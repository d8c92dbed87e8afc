"""Evaluation of edits given as free text: AKEW's form of MQuAKE-CF.

Every case has a passage for each edited fact, single questions about each hop and three wordings of a question over all
hops. The passages are read by the shipped extractor into a memory with the cases' other facts; the same edits as
triples are the upper bound. Cases that contradict each other go to different memories.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from graphmem.core.edits import AddEdge, SupersedeEdge
from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets.mquake import EditCase, consistent_groups
from graphmem.memory import GraphMemory
from graphmem.text.answer_matching import is_right

Answerer = Callable[[str], str]


def fill(memory: Any, cases: Sequence[EditCase], *, old: bool) -> None:
    """Write the facts that no edit touches, and with ``old`` the edited ones as they were before."""
    facts = {triple for case in cases for triple in case.others}
    if old:
        facts |= {(e.fact[0], e.fact[1], e.old) for case in cases for e in case.edits}
    if facts:
        memory.add_many(sorted(facts))


class EditScores:
    """Right answers of each kind of question."""

    def __init__(self) -> None:
        self.right: dict[str, list[bool]] = {kind: [] for kind in ("single", "untouched", "multi", "any_of_three")}

    def ask(self, case: EditCase, answer: Answerer) -> None:
        """Answer and score all questions of a case."""
        for question in case.singles:
            scores = self.right["single" if question.edited else "untouched"]
            scores.append(is_right(answer(question.question), question.answers))
        right = [is_right(answer(question.question), question.answers) for question in case.multi]
        self.right["multi"] += right
        self.right["any_of_three"].append(any(right))

    def row(self) -> dict[str, Any]:
        """Share and n of each."""
        return {k: {"right": round(sum(v) / max(1, len(v)), 4), "n": len(v)} for k, v in self.right.items()}


def write_gold(model: Any, cases: Sequence[EditCase]) -> dict[str, int]:
    """Write every edit as its triple, superseding the old fact where there is one: the upper bound."""
    for edit in (edit for case in cases for edit in case.edits):
        subject, relation, value = edit.fact
        held = [f for f in model.memory.facts(subject=subject) if f.relation == relation and f.object == edit.old]
        new = AddEdge(subject, relation, value)
        model.memory.apply([SupersedeEdge(held[0].id, new)] if held else [new])
    return {}


def write_read(model: Any, cases: Sequence[EditCase]) -> dict[str, int]:
    """Read every edit's passage into the memory; counts of the edits' pairs and triples that were found."""
    passages = {edit.passage: edit for case in cases for edit in case.edits}
    counts = {"passages": len(passages), "facts": 0, "edit's pair read": 0, "edit's triple read": 0,
              "written": 0, "edit's pair written": 0}  # fmt: skip
    for number, (passage, edit) in enumerate(passages.items()):
        plan = model.read(passage, apply=True, source=f"passage {number}", keep=False)
        subject, relation, value = map(normalise, edit.fact)
        found = {_plain(fact) for fact in plan.facts}
        kept = {_plain(d.fact) for d in plan.decisions if d.action in ("add", "update")}
        counts["facts"] += len(found)
        counts["written"] += len(kept)
        counts["edit's pair read"] += any({s, o} == {subject, value} for s, _, o in found)
        counts["edit's pair written"] += any({s, o} == {subject, value} for s, _, o in kept)
        counts["edit's triple read"] += (subject, relation, value) in found
    return counts


def _plain(fact: Any) -> Triple:
    return normalise(fact.subject), normalise(fact.relation), normalise(fact.object)


WRITERS = {"gold triples": write_gold, "read from text": write_read}


def evaluate_edits(
    model_of: Callable[[Any], Any], cases: Sequence[EditCase], *, old: bool, generate: bool, log: Any = print
) -> list[dict[str, Any]]:
    """One row a way of writing (``WRITERS``) and of answering; ``model_of`` attaches the model to a memory.

    With ``old`` the memory holds the old facts before the edits; ``generate`` scores the model's answers too.
    """
    rows = []
    for name, write in WRITERS.items():
        scores = {method: EditScores() for method in ("top-1 retrieval", "generated")[: 1 + generate]}
        counts = Counter[str]()
        start = time.monotonic()
        for group in consistent_groups(cases):
            memory = GraphMemory.open(":memory:")
            fill(memory, group, old=old)
            model = model_of(memory)
            answerers = partial(top_node, memory), partial(generated, model)
            counts.update(write(model, group))
            for case in group:
                for score, answer in zip(scores.values(), answerers, strict=False):
                    score.ask(case, answer)
            model.detach()
        for method, score in scores.items():
            rows.append({"edits": name, "answer": method, "old facts held": old, **score.row(), **counts,
                         "seconds": round(time.monotonic() - start, 1)})  # fmt: skip
            log(json.dumps(rows[-1]), flush=True)
    return rows


def top_node(memory: Any, question: str) -> str:
    """Name of the highest-ranked node."""
    nodes = memory.retrieve(question, top_k=1).nodes
    return str(nodes[0].name) if nodes else ""


def generated(model: Any, question: str) -> str:
    """The model's answer."""
    return str(model.ask(question, max_new_tokens=24).text)
