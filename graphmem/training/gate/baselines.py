"""Scores of the write gate beside its baselines, on candidates that the reader found in streams of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from graphmem.reading.candidates import CandidateFact
from graphmem.writing.config import WriteGateConfig
from graphmem.writing.gate_features import ACTIONS, Action, GraphContext, gate_features
from graphmem.writing.gate_rules import allowed_actions, select_action
from graphmem.writing.write_gate import WriteGate


@dataclass(frozen=True, slots=True)
class Case:
    """One candidate with what the graph held near it, and what is right; ``gold`` False: the text says no such."""

    candidate: CandidateFact
    near: GraphContext
    trust: float
    label: str
    reason: str
    gold: bool = True


@dataclass(slots=True)
class Played:
    """Cases of one or more streams, and the labels of the facts that the reader did not find."""

    cases: list[Case] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


def tensors(cases: Sequence[Case]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    numbers = np.stack([gate_features(case.candidate, case.near, case.trust) for case in cases])
    views = np.stack([case.candidate.features for case in cases if case.candidate.features is not None])
    labels = [ACTIONS.index(case.label) for case in cases]  # type: ignore[arg-type]
    return torch.from_numpy(numbers), torch.from_numpy(views), torch.tensor(labels)


def decide_all(gate: WriteGate, cases: Sequence[Case], config: WriteGateConfig) -> list[str]:
    """What the gate, with its rules, does in each case."""
    out: list[str] = []
    for case in cases:
        chances = gate.probabilities(case.candidate, case.near, case.trust)
        open_to = allowed_actions(case.candidate, case.near, case.trust, config)
        out.append(select_action(chances, open_to, config.threshold)[0])
    return out


def nearest_neighbour(case: Case) -> str:
    """A baseline: what is held already is skipped, another value replaces the one that is held, the rest is added."""
    if case.near.same(case.candidate.fact):
        return "skip"
    return "update" if case.near.held else "add"


def macro_f1(labels: list[str], given: list[str]) -> dict[str, float]:
    """F1 of each action and their mean."""
    scores: dict[str, float] = {}
    for action in ACTIONS:
        hits = sum(a == b == action for a, b in zip(labels, given, strict=True))
        total = labels.count(action) + given.count(action)
        scores[action] = round(2 * hits / total, 4) if total else 0.0
    scores["macro"] = round(sum(scores.values()) / len(ACTIONS), 4)
    return scores


def report(gate: WriteGate, played: Played, surprise: float) -> dict[str, Any]:
    """The gate beside its baselines, on the candidates the reader found, and on all facts (missed ones as skipped)."""
    labels = [case.label for case in played.cases]
    ways = {
        "gate": decide_all(gate, played.cases, WriteGateConfig()),
        "gate at 0.5": decide_all(gate, played.cases, WriteGateConfig(threshold=0.5)),
        "always add": ["add"] * len(labels),
        "surprise threshold": ["add" if c.candidate.surprise > surprise else "skip" for c in played.cases],
        "nearest neighbour": [nearest_neighbour(case) for case in played.cases],
        "rules alone": [by_rules(case.candidate, case.near, case.trust) for case in played.cases],
    }
    gold = [(case.label, action) for case, action in zip(played.cases, ways["gate"], strict=True) if case.gold]
    lost = [label for label in played.missed if label != "skip"]
    return {
        "n": len(labels),
        "labels": dict(Counter(labels)),
        "found": {name: macro_f1(labels, given) for name, given in ways.items()},
        "n of facts the text states": len(gold),
        "on those": macro_f1([label for label, _ in gold], [action for _, action in gold]),
        "n with missed": len(labels) + len(lost),
        "with missed": macro_f1(labels + lost, ways["gate"] + ["skip"] * len(lost)),
        "errors": dict(Counter(
            f"{c.reason}: {c.label} -> {a}" for c, a in zip(played.cases, ways["gate"], strict=True) if c.label != a
        ).most_common(12)),
        "calibration error": calibration_error(gate, played.cases),
    }  # fmt: skip


def by_rules(candidate: CandidateFact, near: GraphContext, trust: float) -> Action:
    """The rules with no learned part: the strongest action they allow."""
    open_to = allowed_actions(candidate, near, trust, WriteGateConfig())
    order: tuple[Action, ...] = ("retire", "update", "add", "skip") if near.functional >= 0.5 else (
        "retire", "add", "skip"
    )  # fmt: skip
    return next(action for action in order if action in open_to)


def calibration_error(gate: WriteGate, cases: Sequence[Case]) -> float:
    """Expected calibration error of the likeliest action, ten bins."""
    numbers, views, labels = tensors(cases)
    with torch.no_grad():
        sure, best = gate(numbers, views).softmax(-1).max(-1)
    right, error = (best == labels).float(), 0.0
    for low in torch.arange(0, 1, 0.1):
        inside = (sure > low) & (sure <= low + 0.1)
        if inside.any():
            error += float(inside.float().mean() * (sure[inside].mean() - right[inside].mean()).abs())
    return round(error, 4)


def best_surprise(cases: Sequence[Case]) -> float:
    """The surprise above which adding is right most often, on training cases."""
    values = sorted(case.candidate.surprise for case in cases)[:: max(1, len(cases) // 50)]
    return max(values, key=lambda t: sum((c.candidate.surprise > t) == (c.label == "add") for c in cases))
