"""Passages that describe facts, from a WebNLG file of the user's: its licence keeps it out of the package."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.types import Triple
from graphmem.datasets.webnlg import words_of
from graphmem.experiments.tasks.fact_set import FactSet, Passage, plain_pairs

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
    every = passages(path)
    usable = {p.gold: p for p in rng.sample(every, len(every)) if len(set(_texts(p))) >= 2}
    drawn = tuple(rng.sample(list(usable.values()), min(count, len(usable))))
    gold = dict.fromkeys(fact for passage in drawn for fact in passage.gold)
    others = [fact for fact in dict.fromkeys(fact for p in every for fact in p.gold) if fact not in gold]
    facts = (*gold, *rng.sample(others, min(among, len(others))))
    return FactSet(NAME, (facts, ()), (), plain_pairs, tuple(gold), passages=drawn)


def passages(path: Path) -> list[Passage]:
    """All texts of a file with their facts.

    Args:
        path: JSON lines (gzipped or not) with ``text`` and ``triples``.

    Raises:
        InvalidValue: the file cannot be read as that.
    """
    return [passage_of(row) for row in _rows(path)]


def passage_of(row: dict[str, Any]) -> Passage:
    """A row as a passage: relations as words, and where the names of its facts stand."""
    plain = lambda name: " ".join(str(name).replace("_", " ").split())
    gold: tuple[Triple, ...] = tuple((plain(s), words_of(r), plain(o)) for s, r, o in row["triples"])
    names = dict.fromkeys(name for s, _, o in gold for name in (s, o))
    return Passage(row["text"], standing_in(row["text"], names), gold, gold[0][0] if gold else "")


def standing_in(text: str, names: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """(start, end) of every place where one of the names stands as whole words, whatever its capitals."""
    found = {
        match.span()
        for name in names
        if name
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)
    }
    return tuple(sorted(found))


def _texts(passage: Passage) -> Sequence[str]:
    return [passage.text[a:b].casefold() for a, b in passage.mentions]


def _rows(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
        return [row for row in rows if row["triples"] and row["text"]]
    except (OSError, EOFError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidValue(f"cannot read {path} as JSON lines of text and triples: {error!r}") from error
