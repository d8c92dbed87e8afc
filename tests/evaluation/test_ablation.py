"""Ablations on small people's sets: models whose answers depend on what the memory was opened with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.evaluation import ablation
from graphmem.evaluation.ablation import (
    PARTS,
    RETRAINED,
    SWITCHED_OFF,
    Part,
    evaluate_ablation,
    surest_alone,
)
from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_graph import QuestionContext
from graphmem.reasoning.weighing import supports_of

QUESTIONS = [{"question": f"Who lives in house {n}?", "kind": "1-hop", "answers": ["Ada"], "needs": "facts"}
             for n in range(10)]  # fmt: skip


class Reader:
    """Answers every question where the part is on; else those about houses below 4, or below 6 with an arm."""

    def __init__(self, memory: GraphMemory, weights: Path | None) -> None:
        self.memory, self.on = memory, memory.store.namespace == "default"
        self.known = 10 if self.on else 6 if weights else 4

    def ask(self, question: str) -> Any:
        known = int(question.rstrip("?").split()[-1]) < self.known
        return SimpleNamespace(text="Ada" if known else "", answers=(), status="answered" if known else "not_known")

    def detach(self) -> None:
        pass


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two sets; the part that is taken away is the namespace."""
    monkeypatch.setattr(ablation, "PARTS", {"evidence": Part("reading", {"namespace": "other"}, 0.15)})
    for name, count in (("one", 10), ("two", 5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "facts.tsv").write_text("Ada\tlives in\tLondon\t\t\n", encoding="utf-8")
        lines = "\n".join(json.dumps(row) for row in QUESTIONS[:count])
        (tmp_path / name / "questions.jsonl").write_text(lines, encoding="utf-8")
    return [tmp_path / "one", tmp_path / "two"]


@pytest.fixture
def attach() -> Callable[[Path | None], Callable[[GraphMemory], Reader]]:
    return lambda weights: lambda memory: Reader(memory, weights)


def test_a_part_costs_what_it_answers_alone(folders: list[Path], attach: Any) -> None:
    report = evaluate_ablation(attach, folders)
    (row,) = report.rows
    assert (row.taken_away, row.arm, row.n, row.must_show) == ("reading", SWITCHED_OFF, 15, 0.15)
    assert (row.with_it, row.without_it, row.cost) == pytest.approx((1.0, 0.6, 0.4))
    low, high = row.cost_interval
    assert 0 < low < 0.4 < high < 1 and row.with_interval == (1.0, 1.0)
    assert [answer["without"] for answer in report.answers] == [None] * 15 + ["evidence"] * 15
    header, _, line = report.table().splitlines()
    assert header.startswith("| taken away | arm | questions | n | with it |") and line.startswith("| reading |")
    assert json.loads(report.json())["rows"][0]["arm"] == SWITCHED_OFF


def test_a_trained_arm_takes_the_place_of_switching_off(folders: list[Path], attach: Any, tmp_path: Path) -> None:
    arm = tmp_path / "arms" / "evidence"
    arm.mkdir(parents=True)
    with pytest.raises(InvalidValue, match="train the arm into it first"):
        evaluate_ablation(attach, folders, arms=tmp_path / "arms")
    (arm / "retriever.safetensors").touch()
    (row,) = evaluate_ablation(attach, folders, arms=tmp_path / "arms").rows
    assert (row.arm, row.without_it) == (RETRAINED, pytest.approx(0.6))
    (arm / "fusion.safetensors").touch()
    (row,) = evaluate_ablation(attach, folders, arms=tmp_path / "arms").rows
    assert (row.arm, row.without_it) == (RETRAINED, pytest.approx(0.8))
    (row,) = evaluate_ablation(attach, folders, arms=tmp_path).rows
    assert row.arm == SWITCHED_OFF


def test_parts_that_there_are_not(folders: list[Path], attach: Any) -> None:
    with pytest.raises(InvalidValue, match="no part 'soul' to take away; choose of evidence"):
        evaluate_ablation(attach, folders, ["soul"])
    shown = [(name, part.cost) for name, part in PARTS.items()]
    silent = [("network-weights", 0.0), ("operations", 0.0), ("joint-reading", 0.0)]
    assert shown == [("evidence", 0.15), ("graph-network", 0.1), *silent]


class NetworkReader(Reader):
    """Answers every question where the memory's reader of evidence has a graph network; else those of one hop."""

    def ask(self, question: str) -> Any:
        reader = self.memory.evidence_reader
        assert reader is not None
        known = reader.graph_network is not None or "house" in question
        return SimpleNamespace(text="Ada" if known else "", answers=(), status="answered" if known else "not_known")


def test_the_graph_network_is_shown_on_questions_of_several_facts(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "PARTS", PARTS)
    rows = [*QUESTIONS, {"question": "Who is it?", "kind": "2-hop", "answers": ["Ada"], "needs": "facts"}]
    (folders[0] / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    several, all_ = evaluate_ablation(lambda weights: lambda memory: NetworkReader(memory, weights), folders,
                                      ["graph-network"]).rows  # fmt: skip
    assert (several.questions, several.n, several.cost) == ("people's questions, several facts", 1, 1.0)
    assert (several.must_show, all_.must_show) == (0.1, None)
    assert (all_.n, all_.cost) == (16, pytest.approx(0.5 * 1 / 11))


def test_the_surest_evidence_alone_has_no_chains_and_nothing_that_meets(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        facts = [("Ann Berg", "works at", "Acme"), ("Acme", "located in", "Oslo"), ("Ann Berg", "from", "Oslo")]
        memory.add_many(facts)
        reader = memory.evidence_reader
        assert reader is not None
        found = memory.retrieve("In which city does Ann Berg work?")
        units = reader.search.find(found)
        assert any(len(unit.facts) > 1 for unit in units)
        supports = supports_of(units, reader.read_units(found, units))
        assert max(Counter(one.text for one in supports).values()) > 1
        surest_alone(reader)
        alone = reader.search.find(found)
        assert alone and {len(unit.facts) for unit in alone} == {1}
        (best, *_), weighed = reader.read(found).answers, reader.reweighed(supports, QuestionContext.of(found))
        assert len(best.support) == 1 and best.weight == best.support[0].weight
        assert sorted(Counter(one.text for one in weighed).values()) == [1] * len({one.text for one in supports})
        assert reader.graph_network is None and not reader.reads_jointly
