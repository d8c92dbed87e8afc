"""Examples whose answers are sets or members of sets: counts, two topics, comparisons, and questions on tables.

Every fact that an answer is computed from is relevant, and its span is the member: what is counted, compared or
intersected is decided afterwards, from the members and their values.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

from graphmem.core.splits import held
from graphmem.core.types import Triple
from graphmem.datasets.files import read_json, read_lines, read_rows
from graphmem.encoding.evidence_text import fact_text
from graphmem.training.evidence.examples import KEEP, Example, Unit, answer_unit, other_unit, reworded, shuffled
from graphmem.training.evidence.fact_examples import TRIPLE, thing
from graphmem.training.evidence.table_examples import Table, table_rows

MOST_MEMBERS = 6
"""Members that an example shows."""

LONGEST_CELL = 60


def vquanda_sets(folder: Path, rng: Random) -> Iterator[Example]:
    """VQuAnDa's counts, and its questions with two topics; members without a name in the set are drawn from it."""
    rows = []
    for name in ("train", "test"):
        for row in read_json(folder / "kgqa_vquanda" / f"{name}.json.gz"):
            found = [t for t in TRIPLE.findall(row["query"]) if not t[1].endswith("#type")]
            if found and not held(row["question"]) and not row["query"].startswith("ASK"):
                rows.append((row, found))
    things = [thing(end) for _, found in rows for s, _, o in found for end in (s, o) if end[0] == "<"]
    relations = [predicate.rsplit("/", 1)[-1] for _, found in rows for _, predicate, _ in found]
    for row, found in rows:
        named = [end for s, _, o in found for end in (s, o) if end[0] == "<"]
        asked = {end for s, _, o in found for end in (s, o) if end[0] == "?"}
        counts = "COUNT" in row["query"] and len(found) == 1
        if len(asked) != 1 or len(named) != len(found) or not (counts or len(found) == 2):
            continue
        listed = re.findall(r"\[([^\]]+)\]", row["verbalized_answer"])
        members = [value.strip() for value in listed[0].split(",")] if listed and not counts else []
        members = [value for value in members if 2 < len(value) < LONGEST_CELL and value != "answer"][:MOST_MEMBERS]
        members = members or rng.sample(things, rng.randint(1, MOST_MEMBERS) if counts else 1)
        units = [_placed(triple, member) for member in members for triple in found]
        for triple in found if len(found) == 2 else ():  # members of one of the two sets alone
            units += [_placed(triple, other) for other in rng.sample(things, rng.randint(0, 2))]
        beside = [(rng.choice([*members, thing(rng.choice(named))]), rng.choice(relations), rng.choice(things))
                  for _ in range(4)]  # fmt: skip
        beside += [(rng.choice(things), rng.choice(found)[1].rsplit("/", 1)[-1], rng.choice(things)) for _ in range(2)]
        units += [other_unit(fact, rng) for fact in beside]
        yield shuffled(Example(reworded(row["question"], rng), tuple(units), "vquanda sets"), rng, KEEP + 0.1)


def _placed(triple: Sequence[str], member: str) -> Unit:
    """A triple with a member in the place of its variable."""
    subject, predicate, object = triple
    ends = [member if end[0] == "?" else thing(end) for end in (subject, object)]
    return answer_unit(
        fact_text(ends[0], predicate.rsplit("/", 1)[-1], ends[1]), "subject" if subject[0] == "?" else "object"
    )


def compared(folder: Path, rng: Random) -> Iterator[Example]:
    """2Wiki's comparisons of two things by one relation; the facts of both bear on the answer."""
    never = {row["question"].lower() for row in read_rows(folder / "2wiki" / "dev.jsonl")}
    rows = [row for row in read_rows(folder / "multihop_2wiki_musique" / "2wiki_dev4000_evidences_clean.jsonl.gz")
            if row["type"] == "comparison" and len(row["evidences"]) == 2 and row["answer"] not in ("yes", "no")
            and row["question"].lower() not in never and not held(row["question"].lower())]  # fmt: skip
    facts: list[Triple] = [tuple(fact) for row in rows for fact in row["evidences"]]
    for row in rows:
        units, names = [], [fact[0] for fact in row["evidences"]]
        for subject, relation, object in row["evidences"]:
            units.append(answer_unit(fact_text(subject, relation, object), "subject"))
            others = [f for f in rng.sample(facts, 4) if f[1] != relation]
            units += [Unit(fact_text(subject, f[1], f[2]).text) for f in others[:2]]
        same = [f for f in rng.sample(facts, 3) if f[0] not in names]
        units += [Unit(fact_text(*fact).text) for fact in same[:2]]
        yield shuffled(Example(reworded(row["question"], rng), tuple(units), "2wiki comparisons"), rng, 0.9)


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def table_questions(folder: Path, rng: Random) -> Iterator[Example]:
    """WikiTableQuestions' own questions as far as one column's cells answer them.

    The value of a named row, the row of a named value, the number of rows with a named value, and the row with the
    first or last value of a column whose name stands in the question.
    """
    tables = {name.split("csv/", 1)[-1]: table for name, table in table_rows(folder) if not held(name)}
    for line in list(read_lines(folder / "wikitablequestions" / "training.tsv.gz"))[1:]:
        _, question, place, answer = line.split("\t")[:4]
        table = tables.get(place.split("csv/", 1)[-1])
        if table is None or not _plain(answer):
            continue
        if (found := _table_gold(table, question, answer)) is not None:
            gold, column = found
            yield _table_example(table, question, gold, column, rng)


def _table_gold(table: Table, question: str, answer: str) -> tuple[list[tuple[int, str]], int] | None:
    """Rows that the answer is computed from, each with the field that is the answer or member, and their column."""
    _, key, body = table
    asked, wanted = f" {_plain(question)} ", _plain(answer)
    places = [(r, c) for r, row in enumerate(body) for c, cell in enumerate(row) if _plain(cell) == wanted]
    named = [(r, c) for r, row in enumerate(body) for c, cell in enumerate(row)
             if len(_plain(cell)) > 2 and f" {_plain(cell)} " in asked]  # fmt: skip
    pairs = [(a, m) for a in places for m in named if a[0] == m[0] and a[1] != m[1]]
    forward = [(a, m) for a, m in pairs if m[1] == key]
    backward = [(a, m) for a, m in pairs if a[1] == key]
    if len(forward) == 1 and len(places) <= 2:
        return [(forward[0][0][0], "object")], forward[0][0][1]
    if len(backward) == 1 and len(pairs) == 1:
        return [(backward[0][0][0], "subject")], backward[0][1][1]
    columns: dict[int, list[int]] = defaultdict(list)
    for r, c in named:
        if c != key:
            columns[c].append(r)
    if wanted.isdigit() and 2 <= int(wanted) <= MOST_MEMBERS:
        fitting = [c for c, rows in columns.items() if len(rows) == int(wanted)]
        return ([(r, "subject") for r in columns[fitting[0]]], fitting[0]) if len(fitting) == 1 else None
    return _extreme(table, asked, places)


def _extreme(table: Table, asked: str, places: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, str]], int] | None:
    """All rows with a number in the column that the question names, where the answer's row has the first or last."""
    head, key, body = table
    rows = [r for r, c in places if c == key]
    for column in range(len(head)) if len(rows) == 1 and len(body) <= 2 * MOST_MEMBERS else ():
        name = _plain(head[column])
        values = [_number(row[column]) for row in body]
        if column == key or len(name) < 3 or f" {name.rstrip('s')}" not in asked or None in values:
            continue
        numbers = [value for value in values if value is not None]
        if numbers[rows[0]] in (min(numbers), max(numbers)) and len(set(numbers)) > 1:
            return [(r, "subject") for r in range(len(body))], column
    return None


def _number(cell: str) -> float | None:
    match = re.fullmatch(r"[^\d]*([\d,]+(?:\.\d+)?)[^\d]*", cell.strip())
    return float(match.group(1).replace(",", "")) if match and match.group(1).strip(",") else None


def _table_example(table: Table, question: str, gold: list[tuple[int, str]], column: int, rng: Random) -> Example:
    head, key, body = table
    fact = lambda r, c: (body[r][key].strip(), head[c].strip().lower() or "value", body[r][c].strip())
    fits = lambda row: all(0 < len(part) <= LONGEST_CELL for part in row)
    shown = rng.sample(gold, min(MOST_MEMBERS, len(gold)))
    units = [answer_unit(fact_text(*fact(r, column)), field) for r, field in shown if fits(fact(r, column))]
    chosen, columns = {r for r, _ in gold}, [c for c in range(len(head)) if c not in (key, column)]
    beside = [fact(r, c) for r, _ in shown[:3] for c in rng.sample(columns, min(2, len(columns)))]
    others = [r for r in range(len(body)) if r not in chosen]
    alike = {body[r][column].strip() for r in chosen} if gold[0][1] == "subject" else set()
    beside += [fact(r, column) for r in rng.sample(others, min(3, len(others))) if body[r][column].strip() not in alike]
    units += [Unit(fact_text(*row).text) for row in beside if fits(row)]
    return shuffled(Example(reworded(question, rng), tuple(units), "table questions"), rng, KEEP + 0.1)


def all_sets(folder: Path, rng: Random) -> Iterable[list[Example]]:
    """The examples of each set."""
    for make in (vquanda_sets, compared, table_questions):
        yield list(make(folder, rng))
