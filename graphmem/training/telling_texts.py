"""Texts of the user's own to teach plain text with: each with the facts that it states.

JSON lines, as WebNLG's: ``{"text": "...", "triples": [["subject", "relation", "object"], ...]}``.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from graphmem.core.types import normalise
from graphmem.experiments.tasks.described_facts import described, passages
from graphmem.experiments.tasks.fact_set import Passage
from graphmem.training.fusion.continuation_examples import Marked


def own_texts(path: str | Path, apart: Collection[str] = ()) -> list[Marked]:
    """Texts of a file as what is learned from, those that name anything of ``apart`` left out.

    Args:
        path: JSON lines, gzipped or not.
        apart: names; a text one of whose facts holds any of them, as names are compared, is not taken.

    Raises:
        InvalidValue: the file cannot be read as that.
    """
    shut = {normalise(name) for name in apart}
    kept = (p for p in passages(Path(path)) if p.mentions and not {normalise(n) for n in names_of(p)} & shut)
    return [Marked(p.text, p.mentions, p.topic, p.gold) for p in kept]


def names_of(passage: Passage) -> set[str]:
    """Subjects and objects of a passage's facts."""
    return {name for subject, _, object in passage.gold for name in (subject, object)}


def names_asked(path: str | Path, count: int, seed: int = 0) -> set[str]:
    """Names in the facts of the passages that ``graphmem experiment modelling`` draws of a file.

    Args:
        path: JSON lines, gzipped or not.
        count, seed: as that is run.
    """
    return {name for passage in described(Path(path), count, seed=seed).passages for name in names_of(passage)}
