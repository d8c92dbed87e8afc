"""AKEW (MQuAKE-CF): cases of edited facts with questions over several hops."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.types import Triple


@dataclass(frozen=True, slots=True)
class EditedFact:
    """One fact to be changed: as a triple, and the passage that says it."""

    fact: Triple
    old: str
    passage: str


@dataclass(frozen=True, slots=True)
class Asking:
    """A question with its right answers; ``edited`` tells a single question about an edited fact."""

    question: str
    answers: tuple[str, ...]
    edited: bool = False


@dataclass(frozen=True, slots=True)
class EditCase:
    """One case: edits, the facts of its chain that no edit touches, single questions, and one asked in three ways."""

    edits: tuple[EditedFact, ...]
    others: tuple[Triple, ...]
    singles: tuple[Asking, ...]
    multi: tuple[Asking, ...]

    @property
    def claims(self) -> dict[tuple[str, str], str]:
        """What the case says each (subject, relation) to be."""
        facts = [*self.others, *(edit.fact for edit in self.edits)]
        return {(normalise(s), normalise(r)): normalise(o) for s, r, o in facts}


def edit_cases(path: Path, count: int | None = None, seed: int = 0) -> list[EditCase]:
    """Cases of an AKEW file; ``count`` of them drawn by ``seed``, all when None."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if count is not None and count < len(rows):
        rows = Random(seed).sample(rows, count)
    return [_case(row) for row in rows]


def _case(row: dict[str, Any]) -> EditCase:
    chain = [tuple(triple) for triple in row["orig"]["new_triples_labeled"]]
    edits, edited = [], set()
    for edit in row["requested_rewrite"]:
        new = edit["target_new"]["str"]
        fact = next((t for t in chain if t[0] == edit["subject"] and t[2] == new), None)
        edits.append(EditedFact(fact or (edit["subject"], edit["prompt"], new), edit["target_true"]["str"],
                                edit["fact_new_uns"]))  # fmt: skip
        edited.add(fact)
    singles = tuple(
        Asking(hop["question"], (hop["answer"], *hop["answer_alias"]), triple in edited)
        for hop, triple in zip(row["new_single_hops"], chain, strict=True)
    )
    answers = (row["new_answer"], *row["new_answer_alias"])
    multi = tuple(Asking(question, answers) for question in row["questions"])
    return EditCase(tuple(edits), tuple(t for t in chain if t not in edited), singles, multi)


def pools(cases: Iterable[EditCase]) -> list[list[EditCase]]:
    """Groups of cases that do not contradict each other, each as large as it gets."""
    found: list[tuple[dict[tuple[str, str], str], list[EditCase]]] = []
    for case in cases:
        fits = (pool for pool in found if all(pool[0].get(key, value) == value for key, value in case.claims.items()))
        pool = next(fits, None)
        if pool is None:
            pool = ({}, [])
            found.append(pool)
        pool[0].update(case.claims)
        pool[1].append(case)
    return [group for _, group in found]
