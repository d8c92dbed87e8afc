"""Training of the operation classifier: draws, rounds, and a file that can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.questions.operation import OPERATIONS, OperationClassifier, OperationNetwork
from graphmem.synthetic.operation_questions import OperationQuestion
from graphmem.training.evidence import operation

WIDTH = 6


def row(kind: str, length: int = 3, source: str = "templates", certain: bool = True, **ends: float) -> operation.Row:
    """A row whose tokens point along the axis of its operation."""
    states = np.zeros((length, WIDTH), np.float16)
    states[:, OPERATIONS.index(kind)] = 4
    return operation.Row(OperationQuestion(kind, kind, source=source, certain=certain, **ends), states, False)


def test_templates_are_drawn_for_each_operation_and_marked() -> None:
    made = operation.template_questions(Random(0), 40)
    counts = {name: sum(one.operation == name for one, _ in made) for name in OPERATIONS}
    assert all(30 <= counts[name] <= 40 for name in OPERATIONS if name != "superlative") and counts["superlative"] > 60
    assert 0.15 < sum(apart for _, apart in made) / len(made) < 0.7
    assert made == operation.template_questions(Random(0), 40) != operation.template_questions(Random(1), 40)


def test_sets_are_cut_by_set_operation_and_side(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_set() -> Iterator[tuple[OperationQuestion, bool]]:
        for k in range(100):
            yield OperationQuestion(f"question {k}", "count" if k % 2 else "list", source="s"), k % 10 == 0

    monkeypatch.setattr(operation, "all_sets", lambda folder, rng: [one_set()])
    monkeypatch.setattr(operation, "qald10", lambda folder: iter(()))
    found = operation.real_questions(data, Random(0), 20)
    sides = [(one.operation, apart) for one, apart in found]
    assert sides.count(("count", False)) == 20 and sides.count(("list", False)) == 20
    assert sides.count(("list", True)) == 5 and ("count", True) not in sides
    assert all(one.question.startswith("question ") for one, apart in found if apart)


def test_batches_are_padded() -> None:
    states, mask = operation.batch_of([row("count", 2), row("list", 5)])
    assert states.shape == (2, 5, WIDTH) and mask.sum(1).tolist() == [2, 5] and not states[0, 2:].any()


def test_unknown_ends_cost_nothing() -> None:
    logits = torch.zeros(1, len(OPERATIONS) + 2)
    plain = operation.loss_of(logits, [row("count")])
    assert plain == pytest.approx(np.log(len(OPERATIONS)), abs=1e-4)
    assert operation.loss_of(logits, [row("count", larger=1.0)]) == pytest.approx(float(plain) + np.log(2), abs=1e-4)
    logits[0, -1] = 9.0
    assert operation.loss_of(logits, [row("count", later=1.0)]) == pytest.approx(float(plain), abs=1e-2)


def test_rounds_leave_out_what_the_network_contradicts() -> None:
    certain = [row(kind, source="s", larger=1.0) for kind in ("count", "list", "verify") for _ in range(4)]
    wrong = operation.Row(OperationQuestion("count", "list", source="u", certain=False), row("count").states, False)
    right = row("list", source="u", certain=False)
    seen: list[int] = []

    def train(rows: Any) -> OperationNetwork:
        seen.append(len(rows))
        return operation.trained(rows, 120, 1e-2, 0)

    network = operation.in_rounds(certain, [wrong, right], train, rounds=2)
    assert seen == [12, 13]
    report = operation.figures(network, [*certain, wrong])
    assert report == {"s: count": "4/4", "s: larger": "12/12", "s: list": "4/4", "s: verify": "4/4", "u: list": "0/1"}


def test_the_command_writes_a_classifier(
    data: Path, tmp_path: Path, encoder: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_set() -> Iterator[tuple[OperationQuestion, bool]]:
        for k in range(64):
            yield OperationQuestion(f"Was person {k} born in Town{k}?", "verify", source="s"), k % 8 == 0
            yield OperationQuestion(f"Where was person {k} born?", "lookup", source="s", certain=False), k % 8 == 0

    monkeypatch.setattr(operation, "all_sets", lambda folder, rng: [one_set()])
    monkeypatch.setattr(operation, "qald10", lambda folder: iter(()))
    out = tmp_path / "operation.safetensors"
    operation.main(["--data", str(data), "--out", str(out), "--each", "40", "--templates", "40", "--steps", "60"])
    said = json.loads(capsys.readouterr().out)
    assert said["out"] == str(out) and {"s: verify", "s: lookup (uncertain)"} <= set(said["right, held out"])
    made = OperationClassifier.load(encoder.fingerprint, out)
    verdict, other = made.forms(encoder, ["Was Person7 born in Town7?", "How many films are there?"])
    assert (verdict.operation, other.operation) == ("verify", "count")
