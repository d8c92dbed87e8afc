"""Examples that ask for a verdict: BoolQ, FEVER, CREAK and StrategyQA's facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from graphmem.core.splits import held
from graphmem.datasets.files import read_lines, read_rows
from graphmem.encoding.evidence_text import passage_text
from graphmem.synthetic.templates import load
from graphmem.training.evidence.examples import NO, YES, Example, Unit, reworded


def boolq(folder: Path, rng: Random) -> Iterator[Example]:
    """BoolQ: a question, a passage and yes or no; in a tenth another passage, which says neither."""
    rows = [row for row in read_rows(folder / "boolq" / "train.jsonl.gz") if not held(row["question"])]
    for row in rows:
        shown = row if rng.random() < 0.92 else rng.choice(rows)
        verdict = 0 if shown is not row else YES if row["answer"] else NO
        title = shown["title"] if rng.random() < 0.7 else ""
        unit = Unit(passage_text(title, shown["passage"][:1000]).text, (), verdict > 0, verdict)
        yield Example(reworded(row["question"] + "?", rng), (unit,), "boolq", True)


def fever(folder: Path, rng: Random) -> Iterator[Example]:
    """FEVER: claims with sentences that support or refute them, and sentences of other claims beside."""
    rows = []
    for name in ("validation",):
        rows += [r for r in read_rows(folder / "fever" / f"{name}.jsonl.gz") if r["evidence"] and not held(r["claim"])]
    forms = load("requests")["claim"]
    for row in rows:
        verdict = YES if row["label"] == "SUPPORTS" else NO
        evidence = " ".join(row["evidence"][:3])[:900]
        units = [Unit(evidence, (), True, verdict)]
        other = rng.choice(rows)
        if other is not row:
            units.append(Unit(other["evidence"][0][:500]))
        if rng.random() < 0.12:
            units = units[1:] or units
        question = rng.choice(forms).format(row["claim"].rstrip(". "))
        yield Example(reworded(question, rng), tuple(units), "fever", True)


def creak(folder: Path, rng: Random) -> Iterator[Example]:
    """CREAK: claims with an explanation that shows them to be true or false."""
    forms = load("requests")["claim"]
    rows = [json.loads(line) for line in read_lines(folder / "creak" / "train.json.gz")]
    rows = [row for row in rows if row.get("explanation") and not held(row["sentence"])]
    for row in rows:
        verdict = YES if row["label"] == "true" else NO
        units = [Unit(row["explanation"], (), True, verdict)]
        other = rng.choice(rows)
        if other is not row:
            units.append(Unit(other["explanation"]))
        question = rng.choice(forms).format(row["sentence"].rstrip(". "))
        yield Example(reworded(question, rng), tuple(units), "creak", True)


def all_claims(folder: Path, rng: Random) -> Iterable[list[Example]]:
    """The examples of each set."""
    for make in (boolq, fever, creak):
        yield list(make(folder, rng))
