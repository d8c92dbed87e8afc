"""Passages that describe facts, from a WebNLG file of the user's: its licence keeps it out of the package."""

from __future__ import annotations

from pathlib import Path
from random import Random

from graphmem.datasets.webnlg import draw_fact_texts, fact_texts
from graphmem.experiments.tasks.fact_set import FactSet, plain_pairs

NAME, FILE = "WebNLG", "webnlg/dev.jsonl.gz"


def described(path: Path, count: int, *, among: int = 500, seed: int = 0) -> FactSet:
    """``count`` passages whose facts stand among ``among`` others of the file.

    Only passages that hold at least two of their facts' names, letter for letter, are drawn: those names are what is
    scored. One passage a set of facts.

    Args:
        path: JSON lines (gzipped or not) with ``text`` and ``triples``.
        count: at most so many passages.
        among: at most so many other facts.
        seed: of the draw.

    Raises:
        InvalidValue: the file cannot be read as that.
    """
    rng = Random(seed)
    every = fact_texts(path)
    drawn = draw_fact_texts(every, count, rng)
    gold = dict.fromkeys(fact for passage in drawn for fact in passage.gold)
    others = [fact for fact in dict.fromkeys(fact for p in every for fact in p.gold) if fact not in gold]
    facts = (*gold, *rng.sample(others, min(among, len(others))))
    return FactSet(NAME, (facts, ()), (), plain_pairs, tuple(gold), passages=drawn)
