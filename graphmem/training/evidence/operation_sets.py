"""Questions of real sets with the operation that each wants, as far as the set's queries, types or answers show it.

Where a set shows only an answer (several values, a number, the row of a table with the largest value), the label is
marked as uncertain: the trainer keeps it where a network trained on certain labels does not contradict it.
"""

from __future__ import annotations

import csv
import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.splits import data_split, held
from graphmem.datasets.files import read_json, read_lines, read_rows
from graphmem.synthetic.operation_questions import OperationQuestion
from graphmem.training.evidence.chain_examples import over_worlds
from graphmem.training.evidence.claim_examples import boolq, creak, fever
from graphmem.training.evidence.fact_examples import TRIPLE
from graphmem.training.evidence.lexicon_examples import lexicon

FEWEST_ROWS = 4
"""Rows of a table from which the largest and the smallest value of a column count."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-9]{2})\b")
_DATE = re.compile(r"date|year|time", re.IGNORECASE)
_ORDER = re.compile(r"ORDER\s+BY\s+(ASC|DESC)?\s*\(?\s*(?:COUNT\s*\(\s*)?(?:DISTINCT\s+)?(\?\w+)", re.IGNORECASE)
_PROBES = {
    "director and actor": "intersect", "two actors": "intersect", "two films": "intersect",
    "director and year": "lookup", "director and genre": "lookup", "count": "count", "count of a cast": "count",
    "yes/no": "verify", "yes/no cast": "verify", "compare": "superlative", "compare later": "superlative",
    "latest": "superlative", "first": "superlative", "except": "except",
}  # fmt: skip
"""Operations of the kinds of probes; a year or a genre beside a name makes no other question than a name alone."""
_LATER = {"compare": 0.0, "first": 0.0, "compare later": 1.0, "latest": 1.0}

Rows = Iterator[tuple[OperationQuestion, bool]]
"""Questions, and whether each is held out of training."""


def vquanda(folder: Path) -> Rows:
    """VQuAnDa: SPARQL queries that ask, count, or look for what several triples have in common."""
    for name in ("train", "test"):
        for row in read_json(folder / "kgqa_vquanda" / f"{name}.json.gz"):
            query, question = row["query"], row["question"]
            triples = [t for t in TRIPLE.findall(query) if not t[1].endswith("#type")]
            stars = [t for t in triples if "?uri" in (t[0], t[2]) and "<" in t[0] + t[2]]
            if query.startswith("ASK"):
                made = OperationQuestion(question, "verify", source="vquanda")
            elif "COUNT" in query:
                made = OperationQuestion(question, "count", source="vquanda")
            elif len(stars) > 1:
                made = OperationQuestion(question, "intersect", source="vquanda")
            else:
                found = re.findall(r"\[([^\]]+)\]", row["verbalized_answer"])
                several = sum(part.count(",") + 1 for part in found) > 1
                made = OperationQuestion(question, "list" if several else "lookup", source="vquanda", certain=False)
            yield made, held(question)


def _ordered(query: str) -> tuple[float | None, float | None]:
    """Directions of a query that takes the first of an order: by dates or by numbers, by the names of its triples."""
    found = _ORDER.search(query)
    if found is None:
        return None, None
    end = 1.0 if (found[1] or "ASC").upper() == "DESC" else 0.0
    variable = re.escape(found[2])
    dated = any(_DATE.search(m[1]) for m in re.finditer(rf"(\S+)\s+{variable}(?!\w)", query))
    return (None, end) if dated else (end, None)


def qald(folder: Path) -> Rows:
    """QALD-9-plus: SPARQL queries that ask, count, order, or list."""
    for row in read_json(folder / "qald" / "qald_9_plus_test_dbpedia.json.gz")["questions"]:
        question = next(one["string"] for one in row["question"] if one["language"] == "en")
        query = row["query"]["sparql"]
        made = _sparql(question, query, len(row["answers"][0].get("results", {}).get("bindings", ())))
        if made is not None:
            yield made, held(question)


def qald10(folder: Path) -> Rows:
    """QALD-10, which is only reported."""
    for row in read_json(folder / "qald" / "qald_10-en.json.gz"):
        made = _sparql(row["question"], row["sparql"], len(row["answer"]), "qald10")
        if made is not None and made.certain:
            yield made, True


def _sparql(question: str, query: str, answers: int, source: str = "qald") -> OperationQuestion | None:
    flat = " ".join(query.split())
    if re.search(r"\bASK\b", flat) and "SELECT" not in flat.split("ASK")[0]:
        return OperationQuestion(question, "verify", source=source)
    if re.search(r"SELECT\s+(DISTINCT\s+)?\(?\s*COUNT", flat, re.IGNORECASE):
        return OperationQuestion(question, "count", source=source)
    if "ORDER BY" in flat.upper() and re.search(r"LIMIT 1\b", flat):
        return OperationQuestion(question, "superlative", *_ordered(flat), source=source)
    if "MINUS" in flat or "NOT EXISTS" in flat:
        return None
    return OperationQuestion(question, "list" if answers > 1 else "lookup", source=source, certain=False)


def two_wiki(folder: Path) -> Rows:
    """2Wiki: comparisons with the dates of their evidence, and compositions; nothing of ``2wiki/dev.jsonl``."""
    never = {row["question"].lower() for row in read_rows(folder / "2wiki" / "dev.jsonl")}
    for row in read_rows(folder / "multihop_2wiki_musique" / "2wiki_dev4000_evidences_clean.jsonl.gz"):
        question = row["question"]
        if question.lower() in never:
            continue
        if "comparison" not in row["type"]:
            made = OperationQuestion(question, "lookup", source="2wiki")
        elif row["answer"].lower() in ("yes", "no"):
            made = OperationQuestion(question, "verify", source="2wiki")
        else:
            made = OperationQuestion(question, "superlative", None, _later(row), source="2wiki")
        yield made, held(question.lower())


def _later(row: dict[str, Any]) -> float | None:
    """1 where the answer is what the later year of two belongs to, 0 where the earlier, None where neither is clear."""
    top = {subject.lower(): end.lower() for subject, _, end in row["evidences"]}
    years: dict[bool, int] = {}
    for subject, relation, end in row["evidences"]:
        year = _YEAR.search(end)
        if _DATE.search(relation) and year:
            names = {subject.lower(), *(name for name, through in top.items() if through == subject.lower())}
            years[row["answer"].lower() in names] = int(year[1])
    return None if len(years) < 2 or years[True] == years[False] else float(years[True] > years[False])


def hotpotqa(folder: Path) -> Rows:
    """HotpotQA: comparisons, answered by yes or no or by one of the two, and bridges."""
    rows = read_rows(folder / "hotpotqa" / "dev_distractor_1300.jsonl.gz")
    for row in rows:
        question, compares = row["question"], row.get("type") == "comparison"
        if str(row["answer"]).lower() in ("yes", "no"):
            yield OperationQuestion(question, "verify", source="hotpotqa"), held(question)
        else:
            operation = "superlative" if compares else "lookup"
            yield OperationQuestion(question, operation, source="hotpotqa", certain=False), held(question)


def probes(folder: Path) -> Rows:
    """Operations over WikiMovies; half of them by the hash of the question."""
    for row in read_rows(folder / "wikimovies_probes" / "operations.jsonl"):
        kind, question = row["kind"], row["question"]
        operation, certain = _PROBES[kind], _PROBES[kind] != "lookup"
        made = OperationQuestion(question, operation, None, _LATER.get(kind), "wikimovies probes", certain)
        yield made, held(question, 2)


def metaqa(folder: Path) -> Rows:
    """MetaQA: questions with one answer, and with several."""
    for hops in (1, 2, 3):
        for row in read_rows(folder / "metaqa" / f"dev_{hops}hop.jsonl"):
            operation = "list" if len(row["answers"]) > 1 else "lookup"
            made = OperationQuestion(row["question"], operation, source="metaqa", certain=False)
            yield made, data_split(row["topic"]) != "train"


def simple_questions(folder: Path) -> Rows:
    """SimpleQuestions: lookups of one fact."""
    for name in ("test", "valid"):
        for row in read_json(folder / "simplequestions" / f"{name}.json.gz")["Questions"]:
            made = OperationQuestion(row["Query"], "lookup", source="simplequestions", certain=False)
            yield made, held(row["Query"])


def squad(folder: Path) -> Rows:
    """SQuAD: lookups in passages, most of them."""
    for row in read_rows(folder / "squad" / "squad_train_15k.jsonl.gz"):
        made = OperationQuestion(row["question"], "lookup", source="squad", certain=False)
        yield made, bool(row["title"]) and held(row["title"])


def fairytales(folder: Path) -> Rows:
    """FairytaleQA: lookups in stories."""
    with tarfile.open(folder / "fairytaleqa" / "train.tar.gz") as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.name.endswith("-questions.csv") else None
            if file is not None:
                for row in csv.DictReader(io.StringIO(file.read().decode("utf-8", "replace"))):
                    made = OperationQuestion(row["question"], "lookup", source="fairytaleqa", certain=False)
                    yield made, held(member.name)


def strategyqa(folder: Path) -> Rows:
    """StrategyQA: questions for yes or no."""
    for row in read_json(folder / "strategyqa" / "train.json.gz"):
        yield OperationQuestion(row["question"], "verify", source="strategyqa"), held(row["question"])


def claims(folder: Path, rng: Random) -> Rows:
    """BoolQ, FEVER and CREAK as the evidence encoder's training asks them, less what it holds out."""
    for make in (boolq, fever, creak):
        for example in make(folder, rng):
            yield OperationQuestion(example.question, "verify", source=example.source), held(example.question, 10)


def made_worlds(rng: Random) -> Rows:
    """Questions of the relation lexicon and of made worlds: lookups and verdicts."""
    for example in (*lexicon(rng, each=6), *over_worlds(rng, worlds=6)):
        operation = "verify" if example.asks_verdict else "lookup"
        certain = example.asks_verdict or example.source == "worlds"
        made = OperationQuestion(example.question, operation, source=example.source, certain=certain)
        yield made, held(example.question, 10)


def tables(folder: Path) -> Rows:
    """WikiTableQuestions: yes or no, numbers, several cells, and cells whose row has the largest or smallest value."""
    home = folder / "wikitablequestions"
    with tarfile.open(home / "csv_tables.tar.gz") as archive:
        texts = {m.name: f.read().decode("utf-8", "replace") for m in archive.getmembers()
                 if m.name.endswith(".csv") and (f := archive.extractfile(m))}  # fmt: skip
    read = {name: list(csv.reader(io.StringIO(text.replace('\\"', '""')))) for name, text in texts.items()}
    for line in read_lines(home / "training.tsv.gz")[1:]:
        _, question, name, answer = line.split("\t")[:4]
        if name in read and (made := _of_table(question, answer, read[name])):
            yield made, held(name)


def _of_table(question: str, answer: str, rows: Sequence[Sequence[str]]) -> OperationQuestion | None:
    def mark(operation: str, *ends: float | None, certain: bool = False) -> OperationQuestion:
        larger, later = ends or (None, None)
        return OperationQuestion(question, operation, larger, later, "wikitablequestions", certain)

    if answer.lower() in ("yes", "no"):
        return mark("verify", certain=True)
    if "|" in answer:
        return mark("list")
    if _NUMBER.fullmatch(answer) and not _YEAR.fullmatch(answer):
        return mark("count")
    width = len(rows[0])
    body = [row for row in rows[1:] if len(row) == width]
    found = [k for k, row in enumerate(body) if answer in row]
    if len(found) != 1 or len(body) < FEWEST_ROWS:
        return None
    ends = {dated: {end for column in range(width) for is_date, end in _extreme(body, column, found[0], rows[0])
                    if is_date == dated} for dated in (False, True)}  # fmt: skip
    if not ends[False] and not ends[True]:
        return mark("lookup")
    one = lambda values: next(iter(values)) if len(values) == 1 else None
    return mark("superlative", one(ends[False]), one(ends[True]))


def _extreme(body: Sequence[Sequence[str]], column: int, at: int, head: Sequence[str]) -> Iterator[tuple[bool, float]]:
    """Whether a column holds dates, and 1 where the row has its one largest value, 0 where its one smallest."""
    years = [_YEAR.search(row[column]) for row in body]
    if all(years) or _DATE.search(head[column]):
        values = [float(year[1]) if year else None for year in years]
        dated = True
    else:
        found = [_NUMBER.search(row[column].replace(",", "")) for row in body]
        values, dated = [float(number[0]) if number else None for number in found], False
    known = [value for value in values if value is not None]
    if len(known) < 0.8 * len(body) or values[at] is None:
        return
    for end, best in ((1.0, max(known)), (0.0, min(known))):
        if values[at] == best and known.count(best) == 1:
            yield dated, end


def all_sets(folder: Path, rng: Random) -> Iterable[Rows]:
    """The questions of each set that may be trained on."""
    for make in (vquanda, qald, two_wiki, hotpotqa, probes, metaqa, simple_questions, squad, fairytales, strategyqa,
                 tables):  # fmt: skip
        yield make(folder)
    yield claims(folder, rng)
    yield made_worlds(rng)
