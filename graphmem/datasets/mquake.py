"""MQuAKE-CF in AKEW's form: edited facts with questions over several hops (Zhong et al. 2023, Wu et al. 2024)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.paths import DATA
from graphmem.core.types import Triple
from graphmem.datasets.files import read_json, read_rows
from graphmem.datasets.wikimovies import Question

FILE = "mquake/akew_dev.jsonl"  # where the cases lie in the folder of the data


@dataclass(frozen=True, slots=True)
class EditedFact:
    """A fact to be changed: the new triple, the old object, a passage that states it, and a question for its object."""

    fact: Triple
    old: str
    passage: str
    question: str = ""


@dataclass(frozen=True, slots=True)
class EditQuestion:
    """A question with its right answers; ``edited`` marks a single question about an edited fact."""

    question: str
    answers: tuple[str, ...]
    edited: bool = False


@dataclass(frozen=True, slots=True)
class EditCase:
    """Facts to change, and questions over them.

    Attributes:
        chain: the facts that answer the question over several hops after the edits.
        before: the same before the edits.
        singles: one for each hop of ``chain``.
        multi: the question over all hops, in three phrasings.
        old_answers: what was right before the edits.
    """

    edits: tuple[EditedFact, ...]
    chain: tuple[Triple, ...]
    before: tuple[Triple, ...]
    singles: tuple[EditQuestion, ...]
    multi: tuple[EditQuestion, ...]
    old_answers: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[Triple, ...]:
        """The facts of the chain that no edit touches."""
        edited = {edit.fact for edit in self.edits}
        return tuple(fact for fact in self.chain if fact not in edited)

    @property
    def claims(self) -> dict[tuple[str, str], str]:
        """The object of each (subject, relation) of the case, all names normalised."""
        facts = [*self.others, *(edit.fact for edit in self.edits)]
        return {(normalise(s), normalise(r)): normalise(o) for s, r, o in facts}


def edit_cases(path: Path, count: int | None = None, seed: int = 0) -> list[EditCase]:
    """Return the cases of an AKEW file; ``count`` of them drawn by ``seed``, all when None."""
    rows = read_rows(path)
    if count is not None and count < len(rows):
        rows = Random(seed).sample(rows, count)
    return [_case(row) for row in rows]


def _case(row: dict[str, Any]) -> EditCase:
    chain = tuple(tuple(triple) for triple in row["orig"]["new_triples_labeled"])
    edits = tuple(_edited_fact(edit, chain) for edit in row["requested_rewrite"])
    edited = {edit.fact for edit in edits}
    singles = tuple(
        EditQuestion(hop["question"], (hop["answer"], *hop["answer_alias"]), fact in edited)
        for hop, fact in zip(row["new_single_hops"], chain, strict=True)
    )
    answers = (row["new_answer"], *row["new_answer_alias"])
    return EditCase(
        edits, chain, tuple(tuple(triple) for triple in row["orig"]["triples_labeled"]), singles,
        tuple(EditQuestion(question, answers) for question in row["questions"]),
        (row["answer"], *row["answer_alias"]),
    )  # fmt: skip


def _edited_fact(edit: dict[str, Any], chain: Iterable[Any]) -> EditedFact:
    subject, new = edit["subject"], edit["target_new"]["str"]
    fact = next((t for t in chain if t[0] == subject and t[2] == new), (subject, edit["prompt"], new))
    return EditedFact(fact, edit["target_true"]["str"], edit["fact_new_uns"], edit["question"])


def consistent_groups(cases: Iterable[EditCase]) -> list[list[EditCase]]:
    """Return groups of cases that do not contradict each other, each case in the first group that it fits."""
    found: list[tuple[dict[tuple[str, str], str], list[EditCase]]] = []
    for case in cases:
        fits = (g for g in found if all(g[0].get(key, value) == value for key, value in case.claims.items()))
        group = next(fits, None)
        if group is None:
            found.append(group := ({}, []))
        group[0].update(case.claims)
        group[1].append(case)
    return [group for _, group in found]


def cloze_graph(folder: Path) -> tuple[list[Triple], list[Question]]:
    """Return the facts of all cases before their edits, and the questions over them, from MQuAKE's folder.

    Facts are cut from the cloze of each single hop by ``cloze_templates.json``; relations are Wikidata's English
    labels. Cases with a hop that fits no template are left out.
    """
    labels = read_json(DATA / "wikidata_labels.json")
    forms = [
        (labels[key], re.compile(re.escape(text.removesuffix("__").strip()).replace(r"\[X\]", "(.+)")))
        for key, text in sorted(cloze_templates(folder).items(), key=lambda item: -len(item[1]))  # the longest first
    ]
    facts: dict[Triple, None] = {}
    questions = []
    for row in read_rows(folder / "akew_dev.jsonl"):
        chain = [fact for hop in row["single_hops"] if (fact := _cloze_fact(forms, hop))]
        if len(chain) == len(row["single_hops"]):
            facts.update(dict.fromkeys(chain))
            right = (row["answer"], *row["answer_alias"])
            questions += [Question(text, chain[0][0], right, len(chain)) for text in row["questions"]]
    return list(facts), questions


def cloze_templates(folder: Path) -> dict[str, str]:
    """Return the cloze sentence of each Wikidata property, with ``[X]`` for the subject and ``__`` for the object."""
    return read_json(folder / "cloze_templates.json")


def _cloze_fact(forms: Iterable[tuple[str, re.Pattern[str]]], hop: dict[str, Any]) -> Triple | None:
    matches = ((label, form.fullmatch(hop["cloze"].strip())) for label, form in forms)
    return next(((match[1], label, hop["answer"]) for label, match in matches if match), None)
