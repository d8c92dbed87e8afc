"""Examples from tables: cells as facts (row, column, value), asked for in both directions."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.splits import Use, use_of
from graphmem.encoding.evidence_text import fact_text
from graphmem.synthetic.templates import load
from graphmem.training.evidence.examples import KEEP, Example, Unit, answer_unit, reworded, shuffled


def tables(folder: Path, rng: Random, use: Use = "encoder") -> Iterator[Example]:
    """Cells of WikiTableQuestions' tables as facts (row, column, value), asked for in both directions."""
    forms = load("questions")
    for name, (head, key, body) in table_rows(folder):
        if use_of(name) == use:
            yield from _table_examples(head, key, body, forms, rng)


Table = tuple[list[str], int, list[list[str]]]
"""Names of the columns, the column that names the rows, and the rows."""


def table_rows(folder: Path) -> Iterator[tuple[str, Table]]:
    """Names and contents of the tables in which one column names the rows."""
    with tarfile.open(folder / "wikitablequestions" / "csv_tables.tar.gz") as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.name.endswith(".csv") else None
            if file is None:
                continue
            rows = list(csv.reader(io.StringIO(file.read().decode("utf-8", "replace").replace('\\"', '""'))))
            if len(rows) < 4:
                continue
            head, body = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
            lettered = lambda c, body=body: sum(any(ch.isalpha() for ch in row[c]) for row in body) > 0.8 * len(body)
            named = lambda c, body=body: len({row[c] for row in body}) > 0.9 * len(body)
            keys = [c for c in range(len(head)) if len(body) > 2 and head[c].strip() and named(c) and lettered(c)]
            if keys:
                yield member.name, (head, keys[0], body)


def _table_examples(
    head: list[str], key: int, body: list[list[str]], forms: dict[str, Any], rng: Random
) -> Iterator[Example]:
    fits = lambda cell: 0 < len(cell.strip()) <= 50
    columns = [c for c in range(len(head)) if c != key and 2 < len(head[c].strip()) < 30]
    if not columns:
        return
    for _ in range(2):
        row, column = rng.choice(body), rng.choice(columns)
        if not fits(row[key]) or not fits(row[column]):
            continue
        relation, subject, object = head[column].strip().lower(), row[key].strip(), row[column].strip()
        values = [other[column].strip() for other in body]
        backward = rng.random() < 0.35 and values.count(object) == 1
        field = "subject" if backward else "object"
        gold = answer_unit(fact_text(subject, relation, object), field)
        others = [(subject, head[c].lower(), row[c].strip()) for c in columns if c != column and fits(row[c])]
        same = [(other[key].strip(), relation, other[column].strip()) for other in body if other is not row
                and fits(other[key]) and fits(other[column])]  # fmt: skip
        beside = rng.sample(others, min(3, len(others))) + rng.sample(same, min(3, len(same)))
        topic = object if backward else subject
        if not backward and rng.random() < 0.4:
            question = rng.choice(forms["noun_questions"]).format(a=topic, r=relation)
        else:
            phrase = rng.choice(forms["noun_phrases"][int(backward)]).format(a=topic, r=relation)
            question = rng.choice(forms["questions"]).format(phrase)
        units = [gold, *(Unit(fact_text(*fact).text) for fact in beside)]
        yield shuffled(Example(reworded(question + "?", rng), tuple(units), "tables"), rng, KEEP)
