"""Fact sets with questions: PathQuestion, PopQA, zsRE, AKEW and paraphrases."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import NotFound
from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.text.answer_matching import contains

SETS = ("pathquestion", "akew", "popqa", "zsre", "paraphrase")


@dataclass(frozen=True, slots=True)
class FactQuestion:
    """One question.

    Attributes:
        question: as asked.
        answers: any of them is right.
        hops: how many facts lead to the answer.
        phrasing: which way of asking it is, from 0.
        case: questions of one case ask the same.
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
    """One memory's worth: facts to write, edits to apply after them (subject, relation, new object), questions."""

    facts: tuple[Triple, ...]
    edits: tuple[Triple, ...]
    questions: tuple[FactQuestion, ...]


def load_facts_and_questions(dataset: str, folder: str | Path | None, n: int, seed: int = 0) -> list[FactStore]:
    """A set's stores, with about ``n`` cases drawn by ``seed``; every fact of the set is written, drawn or not.

    Args:
        dataset: one of ``SETS``.
        folder: of the data; the environment variable ``GRAPHMEM_DATA`` when None.

    Raises:
        NotFound: no such set, no folder, or a file that is not there; the message names it.
    """
    if dataset not in SETS:
        raise NotFound(f"no set {dataset!r}; choose one of {', '.join(SETS)}")
    given = folder or os.environ.get("GRAPHMEM_DATA")
    if not given:
        raise NotFound("no folder of data: give --data FOLDER, or set GRAPHMEM_DATA")
    return _LOADERS[dataset](Path(given), n, Random(seed))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise NotFound(f"there is no {path}; --data must name the folder that holds {path.parent.name}/{path.name}")
    return path.read_text(encoding="utf-8").splitlines()


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in _lines(path)]


def _draw(rng: Random, items: Sequence[Any], n: int) -> list[Any]:
    return rng.sample(list(items), min(n, len(items)))


def _plain(name: str) -> str:
    return name.replace("_", " ").strip()


def path_question(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """PathQuestion, two hops: the whole graph, questions as written."""
    facts = [tuple(map(_plain, row.split("\t"))) for row in _lines(folder / "pathquestion/kb_2hop.tsv") if row]
    asked: list[FactQuestion] = []
    for row in _draw(rng, _lines(folder / "pathquestion/dev_2hop.tsv"), n):
        question, answers = row.split("\t")[:2]
        names = re.sub(r"\((.*)\)$", r"/\1", answers).split("/")
        right = tuple(dict.fromkeys(_plain(name) for name in names if name.strip()))
        asked.append(FactQuestion(_plain(question), right, 2, case=len(asked)))
    return [FactStore(tuple(facts), (), tuple(asked))]  # type: ignore[arg-type]


def akew(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """AKEW's MQuAKE-CF cases: the old facts are written, the edits applied; contradicting cases stand apart."""
    from graphmem.datasets.mquake import edit_cases, pools

    path = folder / "mquake/akew_dev.jsonl"
    _lines(path)
    cases = _draw(rng, edit_cases(path), n)
    olds = {row["questions"][0]: (row["answer"], *row["answer_alias"]) for row in _rows(path)}
    stores = []
    for group in pools(cases):
        new = {key for case in group for key in case.claims}
        kept = {fact for case in group for fact in case.others}
        before = {(e.fact[0], e.fact[1], e.old) for case in group for e in case.edits}
        edits = [edit.fact for case in group for edit in case.edits]
        asked = [
            FactQuestion(a.question, a.answers, len(case.singles), k, number, olds[case.multi[0].question])
            for number, case in enumerate(group)
            for k, a in enumerate(case.multi)
        ]
        facts = kept | {t for t in before if (normalise(t[0]), normalise(t[1])) in new}
        stores.append(FactStore(tuple(sorted(facts)), tuple(dict.fromkeys(edits)), tuple(asked)))
    return stores


def _single(folder: Path, n: int, rng: Random, asked_set: str) -> list[FactStore]:
    rows = {name: _rows(folder / f"{name}/dev.jsonl") for name in ("popqa", "zsre", "trex")}
    facts = {(r["subject"], r["relation"], r["object"]) for rs in rows.values() for r in rs}
    asked: list[FactQuestion] = []
    for r in _draw(rng, [r for r in rows[asked_set] if r.get("question") or r.get("questions")], n):
        forms = r.get("questions") or [r["question"]]
        fact = (r["subject"], r["relation"], r["object"])
        right = tuple(dict.fromkeys([r["object"], *r["answers"], *_also(facts, fact)]))
        asked += [FactQuestion(q, right, 1, k, len(asked), fact=fact) for k, q in enumerate(forms[:1])]
    return [FactStore(tuple(sorted(facts)), (), tuple(asked))]


def _also(facts: set[Triple], fact: Triple) -> list[str]:
    """Other values that the set itself holds for the same subject and relation."""
    return sorted(o for s, r, o in facts if s == fact[0] and r == fact[1])


def popqa(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """PopQA questions; the facts of PopQA, zsRE and T-REx are all written."""
    return _single(folder, n, rng, "popqa")


def zsre(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """zsRE questions; the facts of PopQA, zsRE and T-REx are all written."""
    return _single(folder, n, rng, "zsre")


def paraphrase(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """MQuAKE's edit sentences, each cut by its template into a fact, and four questions that it answers.

    A few of them hold the answer that the set gives them ("Which play was written by George Bernard Shaw?" with his own
    name): they ask for the subject instead, and are left out.
    """
    cloze = json.loads("\n".join(_lines(folder / "mquake/cloze_templates.json")))
    forms = {template for template in cloze.values()}
    forms |= {
        edit["prompt"].replace("{}", "[X]") + " __"
        for row in _rows(folder / "mquake/akew_dev.jsonl")
        for edit in row["requested_rewrite"]
    }
    patterns = [(_pattern(f), _relation(f)) for f in sorted(forms, key=len, reverse=True) if _relation(f)]
    rows = _rows(folder / "mquake/edits_with_paraphrases.jsonl")
    facts: dict[tuple[str, str], str] = {}
    asked: list[FactQuestion] = []
    for r in _draw(rng, rows, len(rows)):
        fact = next(((m["x"], rel, m["o"]) for p, rel in patterns if (m := p.fullmatch(r["edit"].strip(" .")))), None)
        if fact is None or facts.setdefault(fact[:2], fact[2]) != fact[2]:
            continue  # another edit of the same fact came first
        if len({q.case for q in asked}) < n:
            asked += [
                FactQuestion(q, (fact[2],), 1, k, len(facts), fact=fact)
                for k, q in enumerate(r["questions"])
                if not contains(q, [fact[2]])
            ]
    return [FactStore(tuple((s, r, o) for (s, r), o in facts.items()), (), tuple(asked))]


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(re.escape(form).replace(re.escape("[X]"), "(?P<x>.+?)").replace("__", "(?P<o>.+)"))


def _relation(form: str) -> str:
    """ "The author of [X] is __" -> "author of"; "[X] was born in the city of __" -> "was born in the city of".

    "The [X] is __", of an office, leaves "is".
    """
    words = form.replace("__", "").replace("[X]'s", "").replace("[X]", "").split()
    if words and words[0] == "The":
        words = words[1:-1] if words[-1] == "is" else words[1:]
    return " ".join(words) or "is"


_LOADERS: dict[str, Callable[[Path, int, Random], list[FactStore]]] = {
    "pathquestion": path_question, "akew": akew, "popqa": popqa, "zsre": zsre, "paraphrase": paraphrase,
}  # fmt: skip
