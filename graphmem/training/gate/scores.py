"""Scores of the write gate and its baselines: decisions on labelled cases, and answers after whole streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor

from graphmem.reading.candidates import CandidateFact
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.training.gate.answer_rewards import StreamQuestions
from graphmem.training.gate.simulation import Case, Policy, run_policy, triple_of
from graphmem.writing.gate_features import ACTIONS, Action, GraphContext, gate_features
from graphmem.writing.gate_rules import WriteGateConfig, allowed_actions, select_action
from graphmem.writing.write_gate import WriteGate


def gate_policy(gate: WriteGate, config: WriteGateConfig | None = None) -> Policy:
    """The policy of a gate with its rules and threshold, as in the library."""
    config = config or WriteGateConfig()

    def policy(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
        allowed = allowed_actions(candidate, near, event.trust, config)
        return select_action(gate.probabilities(candidate, near, event.trust), allowed, config.threshold)[0]

    return policy


def always_add(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
    """Baseline: add every fact that is not held."""
    return "skip" if near.same(candidate.fact) else "add"


def rules_only(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
    """Baseline: the strongest action that the rules allow."""
    allowed = allowed_actions(candidate, near, event.trust, WriteGateConfig())
    order: Sequence[Action] = ("retire", "update", "add") if near.functional >= 0.5 else ("retire", "add")
    return next((action for action in order if action in allowed), "skip")


def oracle(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
    """Upper bound: the right action for every fact that the extractor found."""
    labels = dict(zip(event.passage.triples, event.labels, strict=True))
    label = labels.get(triple_of(candidate), "skip")
    if near.same(candidate.fact) is not None:
        return "retire" if label == "retire" else "skip"
    return {"update": "update" if near.rival(candidate.fact) else "add", "add": "add"}.get(label, "skip")  # type: ignore[return-value]


def tensors(cases: Sequence[Case]) -> tuple[Tensor, Tensor, Tensor]:
    """Gate features [n, 32], the extractor's features [n, W] and labels [n] of cases."""
    numbers = np.stack([gate_features(case.candidate, case.near, case.event.trust) for case in cases])
    views = np.stack([case.candidate.features for case in cases if case.candidate.features is not None])
    return torch.from_numpy(numbers), torch.from_numpy(views), torch.tensor([ACTIONS.index(c.label) for c in cases])


def decision_report(gate: WriteGate, cases: Sequence[Case], missed: Sequence[str]) -> dict[str, Any]:
    """F1 of the gate and its baselines on the candidates found, and on all facts (a missed one counts as skipped)."""
    policies: dict[str, Policy] = {
        "gate": gate_policy(gate),
        "gate at 0.5": gate_policy(gate, WriteGateConfig(threshold=0.5)),
        "always add": lambda *_: "add",
        "nearest neighbour": lambda c, near, _: "skip" if near.same(c.fact) else "update" if near.held else "add",
        "rules": rules_only,
    }
    labels = [case.label for case in cases]
    actions = {name: [policy(c.candidate, c.near, c.event) for c in cases] for name, policy in policies.items()}
    gold = [(case.label, action) for case, action in zip(cases, actions["gate"], strict=True) if case.gold]
    lost = [label for label in missed if label != "skip"]
    errors = (
        f"{c.event.reason}: {c.label} -> {a}" for c, a in zip(cases, actions["gate"], strict=True) if c.label != a
    )
    return {
        "n": len(labels),
        "labels": dict(Counter(labels)),
        "found": {name: macro_f1(labels, given) for name, given in actions.items()},
        "n stated and found": len(gold),
        "stated and found": macro_f1([label for label, _ in gold], [action for _, action in gold]),
        "n with missed": len(labels) + len(lost),
        "with missed": macro_f1(labels + lost, actions["gate"] + ["skip"] * len(lost)),
        "errors": dict(Counter(errors).most_common(12)),
        "calibration error": calibration_error(gate, cases),
    }


def macro_f1(labels: Sequence[str], given: Sequence[str]) -> dict[str, float]:
    """F1 of each action and their mean."""
    scores = f1_score(labels, given, labels=ACTIONS, average=None, zero_division=0.0).round(4)
    return {
        action: round(float(score), 4)
        for action, score in zip((*ACTIONS, "macro"), [*scores, scores.mean()], strict=True)
    }


def calibration_error(gate: WriteGate, cases: Sequence[Case]) -> float:
    """Expected calibration error of the likeliest action, ten bins."""
    numbers, views, labels = tensors(cases)
    with torch.no_grad():
        confidence, best = gate(numbers, views).softmax(-1).max(-1)
    right, bins = (best == labels).float(), (10 * confidence).ceil()
    inside = [bins == number for number in bins.unique()]
    return round(sum(float(rows.float().mean() * (confidence - right)[rows].mean().abs()) for rows in inside), 4)


def answer_report(streams: Sequence[StreamQuestions], gates: Mapping[str, WriteGate]) -> dict[str, dict[str, float]]:
    """Share of questions answered exactly by each policy: about stated facts, about misread ones, all of them.

    ``score`` is the mean reward over all questions.
    """
    policies: dict[str, Policy] = {"always add": always_add, "rules": rules_only, "oracle": oracle}
    policies |= {name: gate_policy(gate) for name, gate in gates.items()}
    return {name: _answer_scores(streams, policy) for name, policy in policies.items()}


def _answer_scores(streams: Sequence[StreamQuestions], policy: Policy) -> dict[str, float]:
    right: dict[str, list[float]] = {"stated": [], "misread": [], "score": []}
    for stream in streams:
        graph = run_policy(stream.stream, stream.priors, policy)
        for kind, keys in (("stated", stream.stated), ("misread", stream.misread)):
            right[kind] += [set(graph.answers(*key)) == stream.truth[key] for key in keys]
            right["score"] += [stream.reward(graph, key) for key in keys]
    right["all"] = right["stated"] + right["misread"]
    return {name: round(float(np.mean(values)), 4) for name, values in right.items()}
