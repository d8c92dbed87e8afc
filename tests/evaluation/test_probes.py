"""Probes: which half is asked, when an answer is right, and a small memory asked from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphmem.core.splits import held
from graphmem.errors import InvalidValue
from graphmem.evaluation.ablation import ablate_probes
from graphmem.evaluation.probes import evaluate_probes, is_right, load_probes
from graphmem.generation.attribution import Answer
from graphmem.memory import GraphMemory

FACTS = [
    ("Red Dawn", "directed by", "Ann Berg"), ("Blue Dusk", "directed by", "Ann Berg"),
    ("Grey Noon", "directed by", "Per Dahl"), ("Red Dawn", "starred actors", "Mia Lund"),
    ("Grey Noon", "starred actors", "Mia Lund"), ("Red Dawn", "release year", "1999"),
    ("Blue Dusk", "release year", "2004"), ("Grey Noon", "release year", "2001"),
]  # fmt: skip


def row(kind: str, question: str, *answers: str, want: str = "any") -> dict[str, Any]:
    return {"kind": kind, "question": question, "answers": list(answers), "want": want}


def answer(*names: str, status: Any = "answered") -> Answer:
    return Answer(", ".join(names), (), (), None, 0, 0.0, 1.0, (), names, status=status)


def test_halves_are_disjoint_and_a_draw_is_of_each_kind(tmp_path: Path) -> None:
    rows = [row(kind, f"{kind} {at}?", "x") for kind in ("count", "first") for at in range(40)]
    path = tmp_path / "wikimovies_probes" / "operations.jsonl"
    path.parent.mkdir()
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    halves = [{one["question"] for one in load_probes(tmp_path, half)} for half in ("development", "reported")]
    assert not halves[0] & halves[1] and len(halves[0] | halves[1]) == 80
    assert all(held(question, 2) for question in halves[1])
    drawn = load_probes(tmp_path, "all", 3, seed=1)
    assert [one["kind"] for one in drawn] == ["count"] * 3 + ["first"] * 3
    assert drawn == load_probes(tmp_path, "all", 3, seed=1) != load_probes(tmp_path, "all", 3, seed=2)
    with pytest.raises(InvalidValue, match="no half"):
        load_probes(tmp_path, "most")  # type: ignore[arg-type]


def test_any_or_all_and_nothing_else() -> None:
    one = row("two actors", "?", "A", "B")
    assert is_right(one, answer("b")) and is_right(one, answer("A", "B"))
    assert not is_right(one, answer("A", "C")) and not is_right(one, answer())
    assert not is_right(one, answer("A", status="not_known"))
    every = row("except", "?", "A", "B", want="all")
    assert is_right(every, answer("B", "A")) and not is_right(every, answer("A"))
    verdict = row("yes/no", "?", "no")
    assert is_right(verdict, answer("no")) and not is_right(verdict, answer("yes"))


def test_a_memory_is_asked_without_a_language_model(encoder: Any) -> None:
    rows = [
        row("director and actor", "Which film by Ann Berg has Mia Lund in it?", "Red Dawn"),
        row("count", "How many films has Ann Berg directed?", "2"),
        row("count", "How many films has Per Dahl directed?", "7"),
    ]
    lines: list[str] = []
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(FACTS)
        report = evaluate_probes(memory, rows, log=lines.append)
    figures = {one.kind: (one.n, one.right) for one in report.rows}
    assert figures == {
        "director and actor": (1, 1.0), "count": (2, 0.5), "two topics": (1, 1.0), "operations": (2, 0.5)
    }  # fmt: skip
    assert len(lines) == 1 and "Per Dahl" in lines[0]
    by_kind = {one.kind: one for one in report.rows}
    assert by_kind["count"].pagerank is None and by_kind["two topics"].pagerank in (0.0, 1.0)
    assert [one["right"] for one in report.answers] == [True, True, False]


def test_without_operations_a_count_is_not_computed(encoder: Any) -> None:
    rows = [
        row("director and actor", "Which film by Ann Berg has Mia Lund in it?", "Red Dawn"),
        row("count", "How many films has Ann Berg directed?", "2"),
    ]
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(FACTS)
        before = memory.evidence_reader
        report = ablate_probes(memory, rows, ("operations", "graph-network+operations"))
        assert memory.evidence_reader is before and before is not None and before.operations is not None
        with pytest.raises(InvalidValue, match="no part 'evidence' of a reader"):
            ablate_probes(memory, rows, ("operations+evidence",))
    found = {(one.taken_away.split(" ")[0], one.questions): one for one in report.rows}
    assert len(report.rows) == len(found) == 4 and len(report.answers) == 6
    counts = found["operations", "WikiMovies, operations"]
    assert (counts.n, counts.with_it, counts.without_it, counts.cost, counts.must_show) == (1, 1.0, 0.0, 1.0, None)
    assert found["graph", "WikiMovies, two topics"].must_show == 0.15
    with GraphMemory.open(":memory:", encoder=encoder, evidence=False) as memory, pytest.raises(InvalidValue):
        ablate_probes(memory, rows)
