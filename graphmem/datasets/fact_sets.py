"""Fact sets with questions: PathQuestion, AKEW, PopQA, zsRE and paraphrases, as stores to fill and questions to ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets import path_question as pathquestion
from graphmem.datasets.files import data_folder, read_rows
from graphmem.datasets.mquake import FILE, cloze_templates, consistent_groups, edit_cases
from graphmem.text.answer_matching import contains

SINGLE_FACTS = {name: f"{name}/dev.jsonl" for name in ("popqa", "zsre", "trex")}
"""Where the sets of single facts lie in the folder of the data."""
SETS = ("pathquestion", "akew", "popqa", "zsre", "paraphrase")


@dataclass(frozen=True, slots=True)
class FactQuestion:
    """A question with every right answer.

    Attributes:
        hops: number of facts that lead to the answer.
        phrasing: number of the phrasing, from 0.
        case: questions of one case have the same meaning.
        old: answers that an edit has made wrong.
        fact: the single fact behind it, where there is one.
    """

    question: str
    answers: tuple[str, ...]
    hops: int = 1
    phrasing: int = 0
    case: int = 0
    old: tuple[str, ...] = ()
    fact: Triple | None = None


@dataclass(frozen=True, slots=True)
class FactStore:
    """Facts to write into one memory, edits to apply after them (subject, relation, new object), and questions."""

    facts: tuple[Triple, ...]
    edits: tuple[Triple, ...]
    questions: tuple[FactQuestion, ...]


@dataclass(frozen=True, slots=True)
class SingleFact:
    """A fact, its questions (none in T-REx), and the accepted names of its object."""

    fact: Triple
    questions: tuple[str, ...]
    answers: tuple[str, ...]


def load_single_facts(folder: Path, dataset: str) -> list[SingleFact]:
    """Return the facts of ``popqa``, ``zsre`` or ``trex`` below ``folder``, in the file's order."""
    found = []
    for row in read_rows(folder / SINGLE_FACTS[dataset]):
        fact = row["subject"], row["relation"], row["object"]
        questions = row.get("questions") or ([row["question"]] if row.get("question") else ())
        found.append(SingleFact(fact, tuple(questions), tuple(row["answers"])))
    return found


def load_facts_and_questions(dataset: str, folder: str | Path | None, n: int, seed: int = 0) -> list[FactStore]:
    """Return a set's stores, with about ``n`` cases drawn by ``seed``; every fact of the set is written, drawn or not.

    ``dataset`` is one of ``SETS``; ``folder`` holds the data, that of the environment variable GRAPHMEM_DATA when None.

    Raises:
        InvalidValue: no such set, no folder, or a file is missing; the message names it.
    """
    if dataset not in SETS:
        raise InvalidValue(f"no set {dataset!r}; choose one of {', '.join(SETS)}")
    return _LOADERS[dataset](data_folder(folder), n, Random(seed))


def _draw(rng: Random, items: Sequence[Any], n: int) -> list[Any]:
    return rng.sample(list(items), min(n, len(items)))


def _path_question(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """PathQuestion, two hops: the whole graph, questions as written."""
    facts = pathquestion.load_graph(folder / "pathquestion")
    drawn = _draw(rng, pathquestion.load_questions(folder / "pathquestion"), n)
    questions = tuple(FactQuestion(q.question, q.answers, 2, case=case) for case, q in enumerate(drawn))
    return [FactStore(tuple(facts), (), questions)]


def _akew(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """AKEW's MQuAKE-CF cases: old facts, then edits; contradicting cases go into different stores."""
    stores = []
    for group in consistent_groups(_draw(rng, edit_cases(folder / FILE), n)):
        new = {key for case in group for key in case.claims}
        kept = {fact for case in group for fact in case.others}
        before = {(e.fact[0], e.fact[1], e.old) for case in group for e in case.edits}
        edits = [edit.fact for case in group for edit in case.edits]
        questions = [
            FactQuestion(q.question, q.answers, len(case.singles), phrasing, number, case.old_answers)
            for number, case in enumerate(group)
            for phrasing, q in enumerate(case.multi)
        ]
        facts = kept | {t for t in before if (normalise(t[0]), normalise(t[1])) in new}
        stores.append(FactStore(tuple(sorted(facts)), tuple(dict.fromkeys(edits)), tuple(questions)))
    return stores


def _single_facts(dataset: str, folder: Path, n: int, rng: Random) -> list[FactStore]:
    """Questions of PopQA or zsRE, one fact each; the facts of PopQA, zsRE and T-REx are all written."""
    rows = {name: load_single_facts(folder, name) for name in SINGLE_FACTS}
    facts = {row.fact for group in rows.values() for row in group}
    questions = []
    for case, row in enumerate(_draw(rng, [row for row in rows[dataset] if row.questions], n)):
        others = sorted(o for s, r, o in facts if (s, r) == row.fact[:2])  # further values of the same relation
        right = tuple(dict.fromkeys([row.fact[2], *row.answers, *others]))
        questions.append(FactQuestion(row.questions[0], right, case=case, fact=row.fact))
    return [FactStore(tuple(sorted(facts)), (), tuple(questions))]


def _paraphrase(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """MQuAKE's edit sentences, each cut by its template into a fact, and four questions that it answers.

    A few questions hold the answer that the set gives them ("Which play was written by George Bernard Shaw?" with his
    own name): they ask for the subject instead, and are left out.
    """
    folder = folder / "mquake"
    forms = set(cloze_templates(folder).values())
    for row in read_rows(folder / "akew_dev.jsonl"):
        forms |= {edit["prompt"].replace("{}", "[X]") + " __" for edit in row["requested_rewrite"]}
    named = lambda form: re.escape(form).replace(re.escape("[X]"), "(?P<x>.+?)").replace("__", "(?P<o>.+)")
    patterns = [(re.compile(named(f)), _relation(f)) for f in sorted(forms, key=len, reverse=True)]
    rows = read_rows(folder / "edits_with_paraphrases.jsonl")
    facts: dict[tuple[str, str], str] = {}
    questions: list[FactQuestion] = []
    for r in _draw(rng, rows, len(rows)):
        fact = next(((m["x"], rel, m["o"]) for p, rel in patterns if (m := p.fullmatch(r["edit"].strip(" .")))), None)
        if fact is None or facts.setdefault(fact[:2], fact[2]) != fact[2]:
            continue  # another edit of the same fact came first
        if len({q.case for q in questions}) < n:
            questions += [
                FactQuestion(q, (fact[2],), 1, phrasing, len(facts), fact=fact)
                for phrasing, q in enumerate(r["questions"])
                if not contains(q, [fact[2]])
            ]
    return [FactStore(tuple((s, r, o) for (s, r), o in facts.items()), (), tuple(questions))]


def _relation(form: str) -> str:
    """Return the relation of a template: "author of" of "The author of [X] is __", "is" of "The [X] is __"."""
    words = form.replace("__", "").replace("[X]'s", "").replace("[X]", "").split()
    if words and words[0] == "The":
        words = words[1:-1] if words[-1] == "is" else words[1:]
    return " ".join(words) or "is"


_LOADERS: dict[str, Callable[[Path, int, Random], list[FactStore]]] = {
    "pathquestion": _path_question, "akew": _akew, "paraphrase": _paraphrase,
    **{name: partial(_single_facts, name) for name in ("popqa", "zsre")},
}  # fmt: skip
