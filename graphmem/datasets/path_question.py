"""PathQuestion: questions of two hops over a small graph of persons (Zhou et al. 2018)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graphmem.core.types import Triple
from graphmem.datasets.files import read_lines


@dataclass(frozen=True, slots=True)
class PathQuestion:
    """A question, all its answers (that of ``path`` first), and the path as names and relations in turn."""

    question: str
    answers: tuple[str, ...]
    path: tuple[str, ...]

    @property
    def gold(self) -> tuple[Triple, Triple]:
        """The two facts of the path."""
        first, relation, middle, further, last = self.path[:5]
        return (first, relation, middle), (middle, further, last)


def plain(name: str) -> str:
    """Return a name with spaces instead of underscores."""
    return name.replace("_", " ").strip()


def load_graph(folder: Path, spelling: Callable[[str], str] = plain) -> list[Triple]:
    """Return the facts of ``kb_2hop.tsv`` in ``folder``, their names spelled by ``spelling``."""
    rows = (line.split("\t") for line in read_lines(folder / "kb_2hop.tsv"))
    return [(spelling(s), spelling(r), spelling(o)) for s, r, o in rows]


def load_questions(folder: Path, spelling: Callable[[str], str] = plain) -> list[PathQuestion]:
    """Return the questions of ``dev_2hop.tsv``: lines of question, ``answer(answer/...)`` and ``name#relation#...``."""
    found = []
    for line in read_lines(folder / "dev_2hop.tsv"):
        question, answers, path = line.split("\t")[:3]
        names = dict.fromkeys(spelling(name) for name in re.split(r"[(/]", answers.rstrip(")")) if name.strip())
        found.append(PathQuestion(spelling(question), tuple(names), tuple(map(spelling, path.split("#")))))
    return found
