"""PopQA, zsRE and T-REx: single facts, most of them with questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from graphmem.core.types import Triple
from graphmem.datasets.files import read_rows

FILES = {name: f"{name}/dev.jsonl" for name in ("popqa", "zsre", "trex")}
"""Where each set lies in the folder of the data."""


@dataclass(frozen=True, slots=True)
class SingleFact:
    """A fact, its questions (none in T-REx), and the accepted names of its object."""

    fact: Triple
    questions: tuple[str, ...]
    answers: tuple[str, ...]


def load_single_facts(folder: Path, dataset: str) -> list[SingleFact]:
    """Return the facts of ``popqa``, ``zsre`` or ``trex`` below ``folder``, in the file's order."""
    found = []
    for row in read_rows(folder / FILES[dataset]):
        fact = row["subject"], row["relation"], row["object"]
        questions = row.get("questions") or ([row["question"]] if row.get("question") else ())
        found.append(SingleFact(fact, tuple(questions), tuple(row["answers"])))
    return found
