"""Fact sets read from a folder of the user's: PopQA, zsRE, AKEW (MQuAKE-CF) and PathQuestion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets.wikimovies import trained_answers
from graphmem.experiments.tasks.fact_set import FactSet, Item, plain_pairs

FILES = {
    "PopQA": "popqa/dev.jsonl", "zsRE": "zsre/dev.jsonl", "AKEW": "mquake/akew_dev.jsonl",
    "PathQuestion": "pathquestion/dev_2hop.tsv",
}  # fmt: skip


def found_in(folder: Path | None, names: Sequence[str]) -> list[str]:
    """Which of the data sets are there."""
    return [name for name in names if folder is not None and (folder / FILES[name]).exists()]


def single_facts(folder: Path, name: str, count: int, *, among: int = 500, seed: int = 0) -> FactSet:
    """``count`` single facts of PopQA or zsRE asked, ``among`` so many of the file's facts in all."""
    rng, rows = Random(seed), _usable(_rows(folder / FILES[name]))
    drawn = rng.sample(rows, min(max(among, count), len(rows)))
    asked, rest = drawn[:count], drawn[count:]
    items = []
    for number, row in enumerate(asked):
        questions = row.get("questions") or [row["question"]]
        answers, fact = tuple(row["answers"]), _fact(row)
        items.append(
            Item(questions[0], answers, tuple(questions[1:2]), (), (fact,), stage=number % 2, fresh=_fresh(answers))
        )
    stages = tuple(
        tuple(_fact(row) for i, row in enumerate((*asked, *rest)) if i % 2 == stage) for stage in (0, 1)
    )  # fmt: skip
    return FactSet(name, (stages[0], stages[1]), tuple(items), plain_pairs, tuple(map(_fact, asked)))


def counterfactuals(folder: Path, count: int, *, seed: int = 0) -> FactSet:
    """AKEW's cases: the old facts, the edits, single and multi-hop questions after them.

    A case whose edit would undo another's is left out. Facts that a new chain needs beyond the edits are written.
    """
    cases = _rows(folder / FILES["AKEW"])
    Random(seed).shuffle(cases)
    held: dict[tuple[str, str], str] = {}
    changes: dict[Triple, Triple] = {}
    facts: dict[Triple, None] = {}
    items: list[Item] = []
    for case in cases:
        if sum(item.kind == "multi-hop after edits" for item in items) >= count:
            break
        old = [tuple(t) for t in case["orig"]["triples_labeled"]]
        new = [tuple(t) for t in case["orig"]["new_triples_labeled"]]
        if any(held.get((s, r), o) != o for s, r, o in new) or _clash(old, new, held, changes):
            continue
        held |= {(s, r): o for s, r, o in new}
        before = {(s, r): (s, r, o) for s, r, o in old}
        for s, r, o in new:
            was = before.get((s, r))
            if was is not None and was[2] != o:
                changes[was] = (s, r, o)
            elif (s, r, o) not in changes.values():
                facts[s, r, o] = None
        facts |= dict.fromkeys(old)
        items += _asked_of(case, new)
    kept = tuple(fact for fact in facts if fact not in changes.values())
    learnt = tuple(dict.fromkeys(fact for item in items for fact in item.gold))
    return FactSet("AKEW", (kept, ()), tuple(items), plain_pairs, learnt, tuple(changes.items()))


def _clash(old: list[Any], new: list[Any], held: dict[tuple[str, str], str], changes: dict[Triple, Triple]) -> bool:
    fresh = {(s, r): o for s, r, o in new}
    return any((s, r) in held and fresh.get((s, r)) != o and (s, r, o) not in changes for s, r, o in old)


def _asked_of(case: dict[str, Any], chain: list[Any]) -> Iterator[Item]:
    answers = (case["new_answer"], *case["new_answer_alias"])
    old = tuple(a for a in (case["answer"], *case["answer_alias"]) if a not in answers)
    first, *others = case["questions"]
    gold = tuple(chain)
    yield Item(first, answers, tuple(others), old, gold, len(gold), "multi-hop after edits", 0, _fresh(answers))
    rewrite = case["requested_rewrite"][0]
    subject, target, was = rewrite["subject"], rewrite["target_new"]["str"], rewrite["target_true"]["str"]
    gold = tuple(t for t in chain if t[0] == subject and t[2] == target)
    if gold:
        yield Item(rewrite["question"], (target,), (), (was,), gold, 1, "edited fact", 0, _fresh((target,)))


def path_questions(folder: Path, count: int, *, seed: int = 0) -> FactSet:
    """PathQuestion's two-hop questions over its own graph."""
    kb = (folder / FILES["PathQuestion"]).parent / "kb_2hop.tsv"
    plain = lambda text: text.replace("_", " ").strip()
    facts = [tuple(map(plain, line.split("\t"))) for line in kb.read_text(encoding="utf-8").splitlines() if line]
    lines = (folder / FILES["PathQuestion"]).read_text(encoding="utf-8").splitlines()
    items = []
    for line in Random(seed).sample(lines, min(count, len(lines))):
        question, answers, path = line.split("\t")[:3]
        right = tuple(plain(a) for a in answers.split("(")[0].split("/") if a.strip())
        steps = [plain(step) for step in path.split("#")]
        gold = ((steps[0], steps[1], steps[2]), (steps[2], steps[3], steps[4]))
        items.append(Item(plain(question), right, (), (), gold, 2, "2 hops", 0, _fresh(right)))
    return FactSet("PathQuestion", (tuple((f[0], f[1], f[2]) for f in facts), ()), tuple(items), plain_pairs)


# ---------------------------------------------------------------- rows


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidValue(f"cannot read {path} as JSON lines: {error}") from error


def _usable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each subject and relation, its object short enough to be said."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        seen.setdefault((normalise(row["subject"]), normalise(row["relation"])), row)
    return list(seen.values())


def _fact(row: dict[str, Any]) -> Triple:
    return row["subject"], row["relation"], row["object"]


def _fresh(answers: Sequence[str]) -> bool:
    return not {normalise(a) for a in answers} & _trained()


def _trained() -> set[str]:
    return {normalise(name) for name in trained_answers()}
