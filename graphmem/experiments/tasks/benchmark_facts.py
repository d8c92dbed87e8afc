"""Fact sets read from a folder of the user's: PopQA, zsRE, AKEW (MQuAKE-CF) and PathQuestion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets import path_question
from graphmem.datasets.mquake import FILE as akew_file
from graphmem.datasets.mquake import EditCase, edit_cases
from graphmem.datasets.single_facts import FILES as single_files
from graphmem.datasets.single_facts import SingleFact, load_single_facts
from graphmem.datasets.wikimovies import trained_answers
from graphmem.experiments.tasks.fact_set import FactSet, Item, plain_pairs

FILES = {
    "PopQA": single_files["popqa"], "zsRE": single_files["zsre"], "AKEW": akew_file,
    "PathQuestion": "pathquestion/dev_2hop.tsv",
}  # fmt: skip


def found_in(folder: Path | None, names: Sequence[str]) -> list[str]:
    """Which of the data sets are there."""
    return [name for name in names if folder is not None and (folder / FILES[name]).exists()]


def single_facts(folder: Path, name: str, count: int, *, among: int = 500, seed: int = 0) -> FactSet:
    """``count`` single facts of PopQA or zsRE asked, ``among`` so many of the file's facts in all."""
    rng = Random(seed)
    rows = _distinct(load_single_facts(folder, name.lower()))
    drawn = rng.sample(rows, min(max(among, count), len(rows)))
    items = tuple(
        Item(
            row.questions[0], row.answers, row.questions[1:2], (), (row.fact,), stage=number % 2,
            fresh=_fresh(row.answers),
        )
        for number, row in enumerate(drawn[:count])
    )  # fmt: skip
    facts = tuple(row.fact for row in drawn)
    return FactSet(name, (facts[::2], facts[1::2]), items, plain_pairs, facts[:count])


def counterfactuals(folder: Path, count: int, *, seed: int = 0) -> FactSet:
    """AKEW's cases: the old facts, the edits, single and multi-hop questions after them.

    A case whose edit would undo another's is left out. Facts that a new chain needs beyond the edits are written.
    """
    cases = edit_cases(folder / FILES["AKEW"])
    Random(seed).shuffle(cases)
    held: dict[tuple[str, str], str] = {}
    changes: dict[Triple, Triple] = {}
    facts: dict[Triple, None] = {}
    items: list[Item] = []
    for case in cases:
        if sum(item.kind == "multi-hop after edits" for item in items) >= count:
            break
        old, new = case.before, case.chain
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
        items += _items_of(case)
    kept = tuple(fact for fact in facts if fact not in changes.values())
    learnt = tuple(dict.fromkeys(fact for item in items for fact in item.gold))
    return FactSet("AKEW", (kept, ()), tuple(items), plain_pairs, learnt, tuple(changes.items()))


def _clash(
    old: Sequence[Triple], new: Sequence[Triple], held: dict[tuple[str, str], str], changes: dict[Triple, Triple]
) -> bool:
    fresh = {(s, r): o for s, r, o in new}
    return any((s, r) in held and fresh.get((s, r)) != o and (s, r, o) not in changes for s, r, o in old)


def _items_of(case: EditCase) -> Iterator[Item]:
    answers = case.multi[0].answers
    old = tuple(answer for answer in case.old_answers if answer not in answers)
    first, *others = (asked.question for asked in case.multi)
    gold, hops = case.chain, len(case.chain)
    yield Item(first, answers, tuple(others), old, gold, hops, "multi-hop after edits", 0, _fresh(answers))
    edit = case.edits[0]
    if edit.fact in case.chain:
        target = (edit.fact[2],)
        yield Item(edit.question, target, (), (edit.old,), (edit.fact,), 1, "edited fact", 0, _fresh(target))


def path_questions(folder: Path, count: int, *, seed: int = 0) -> FactSet:
    """PathQuestion's two-hop questions over its own graph."""
    home = (folder / FILES["PathQuestion"]).parent
    asked = path_question.load_questions(home)
    items = []
    for row in Random(seed).sample(asked, min(count, len(asked))):
        right = row.path[-1:]
        items.append(Item(row.question, right, (), (), row.gold, 2, "2 hops", 0, _fresh(right)))
    return FactSet("PathQuestion", (tuple(path_question.load_graph(home)), ()), tuple(items), plain_pairs)


def _distinct(rows: Sequence[SingleFact]) -> list[SingleFact]:
    """Return the first row of each subject and relation."""
    seen: dict[tuple[str, str], SingleFact] = {}
    for row in rows:
        seen.setdefault((normalise(row.fact[0]), normalise(row.fact[1])), row)
    return list(seen.values())


def _fresh(answers: Sequence[str]) -> bool:
    return not {normalise(a) for a in answers} & _trained()


def _trained() -> set[str]:
    return {normalise(name) for name in trained_answers()}
