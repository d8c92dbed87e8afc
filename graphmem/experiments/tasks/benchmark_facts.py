"""Fact sets of benchmarks, read from the data folder: PopQA, zsRE, AKEW (MQuAKE-CF), PathQuestion and WebNLG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets import path_question
from graphmem.datasets.fact_sets import SINGLE_FACTS, SingleFact, load_single_facts
from graphmem.datasets.mquake import FILE as akew_file
from graphmem.datasets.mquake import EditCase, edit_cases
from graphmem.datasets.webnlg import draw_fact_texts, fact_texts
from graphmem.experiments.harness.runs import Run
from graphmem.experiments.tasks.fact_set import FactSet, Item, never_trained, plain_pairs

FILES = {
    "PopQA": SINGLE_FACTS["popqa"], "zsRE": SINGLE_FACTS["zsre"], "AKEW": akew_file,
    "PathQuestion": "pathquestion/dev_2hop.tsv", "WebNLG": "webnlg/dev.jsonl.gz",
    "ICEWS14": "icews14",
}  # fmt: skip


def folder_with(run: Run, name: str, *, quick: bool = False) -> Path | None:
    """The data folder, where the run asks about a data set and its file is there."""
    folder = run.data if run.wants(name, quick) else None
    return folder if folder and (folder / FILES[name]).exists() else None


def single_facts(folder: Path, name: str, count: int, *, among: int = 500, seed: int = 0) -> FactSet:
    """``count`` single facts of PopQA or zsRE with questions, among ``among`` facts of the file in all."""
    rng = Random(seed)
    distinct: dict[tuple[str, str], SingleFact] = {}
    for row in load_single_facts(folder, name.lower()):
        distinct.setdefault((normalise(row.fact[0]), normalise(row.fact[1])), row)
    rows = list(distinct.values())
    drawn = rng.sample(rows, min(max(among, count), len(rows)))
    items = []
    for number, row in enumerate(drawn[:count]):
        first, others, unseen = row.questions[0], row.questions[1:2], never_trained(row.answers)
        items.append(Item(first, row.answers, others, (), (row.fact,), stage=number % 2, unseen=unseen))
    facts = tuple(row.fact for row in drawn)
    return FactSet(name, (facts[::2], facts[1::2]), tuple(items), plain_pairs, facts[:count])


def counterfactuals(folder: Path, count: int, *, seed: int = 0) -> FactSet:
    """AKEW's cases: the old facts, the edits, single and multi-hop questions after them.

    A case whose edits conflict with another's is left out. Facts that a new chain needs beyond the edits are written.
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
    training_facts = tuple(dict.fromkeys(fact for item in items for fact in item.gold))
    return FactSet("AKEW", (kept, ()), tuple(items), plain_pairs, training_facts, tuple(changes.items()))


def _clash(
    old: Sequence[Triple], new: Sequence[Triple], held: dict[tuple[str, str], str], changes: dict[Triple, Triple]
) -> bool:
    values = {(s, r): o for s, r, o in new}
    return any((s, r) in held and values.get((s, r)) != o and (s, r, o) not in changes for s, r, o in old)


def _items_of(case: EditCase) -> Iterator[Item]:
    answers = case.multi[0].answers
    old = tuple(answer for answer in case.old_answers if answer not in answers)
    first, *others = (question.question for question in case.multi)
    yield Item(first, answers, tuple(others), old, case.chain, "multi-hop after edits", 0, never_trained(answers))
    edit = case.edits[0]
    if edit.fact in case.chain:
        target = (edit.fact[2],)
        yield Item(edit.question, target, (), (edit.old,), (edit.fact,), "edited fact", 0, never_trained(target))


def path_questions(folder: Path, count: int, *, seed: int = 0) -> FactSet:
    """PathQuestion's two-hop questions over its own graph."""
    home = (folder / FILES["PathQuestion"]).parent
    questions = path_question.load_questions(home)
    items = []
    for row in Random(seed).sample(questions, min(count, len(questions))):
        answers = row.path[-1:]
        items.append(Item(row.question, answers, (), (), row.gold, "2 hops", 0, never_trained(answers)))
    return FactSet("PathQuestion", (tuple(path_question.load_graph(home)), ()), tuple(items), plain_pairs)


def described_facts(folder: Path, count: int, *, among: int = 500, seed: int = 0) -> FactSet:
    """At most ``count`` passages of WebNLG whose facts are among at most ``among`` others of the file.

    Only passages with exact occurrences of at least two of their facts' names are drawn: those names are scored. One
    passage a set of facts.

    Raises:
        InvalidValue: the file cannot be read as that.
    """
    rng = Random(seed)
    every = fact_texts(folder / FILES["WebNLG"])
    drawn = draw_fact_texts(every, count, rng)
    gold = dict.fromkeys(fact for passage in drawn for fact in passage.gold)
    others = [fact for fact in dict.fromkeys(fact for p in every for fact in p.gold) if fact not in gold]
    facts = (*gold, *rng.sample(others, min(among, len(others))))
    return FactSet("WebNLG", (facts, ()), (), plain_pairs, tuple(gold), passages=drawn)
