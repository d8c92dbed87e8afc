"""Rules around the write gate: which actions are allowed, and how one is selected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmem.reading.candidates import CandidateFact
from graphmem.reading.network import FACTUALITY
from graphmem.writing.config import WriteGateConfig
from graphmem.writing.gate_features import ACTIONS, Action, GraphContext, _moods

_PRIOR_WEIGHT = 5.0
_OVER = 0.2
"""Least probability that a fact ended or is denied, 0..1, at which one that seems repeated may be ended."""
_SURE = 0.5
"""Least probability of a relation, 0..1, at which a fact of it may take the place of another."""


def rule_based_probabilities(candidate: CandidateFact, near: GraphContext) -> np.ndarray:
    """Probabilities where only the graph can be asked: how functional the relation is says whether a value replaces."""
    if near.same(candidate.fact) is not None:
        share = {"retire": 0.9, "skip": 0.1} if candidate.mood in ("ended", "denied") else {"skip": 1.0}
    elif candidate.mood != "stated":
        share = {"skip": 1.0}
    else:
        update = 0.9 * near.functional if near.rival(candidate.fact) is not None else 0.0
        share = {"add": 0.9 - update, "update": update, "skip": 0.1}
    return np.array([share.get(action, 0.0) for action in ACTIONS], np.float32)


def allowed_actions(
    candidate: CandidateFact, near: GraphContext, trust: float, config: WriteGateConfig
) -> tuple[Action, ...]:
    """The actions that the rules leave open; ``skip`` always is one."""
    held, rival = near.same(candidate.fact), near.rival(candidate.fact)
    if candidate.mood == "doubted" or trust < config.least_trust:
        return ("skip",)
    if candidate.mood in ("ended", "denied"):
        strong = held is not None and trust >= held.confidence - config.trust_margin
        return ("skip", "retire") if strong else ("skip",)
    if held is not None:  # said again; unless it may be over after all, which is left to what was learned
        over = sum(_moods(candidate)[FACTUALITY.index(mood)] for mood in ("ended", "denied"))
        strong = trust >= held.confidence - config.trust_margin
        return ("skip", "retire") if strong and over >= _OVER else ("skip",)
    strong = rival is not None and trust >= rival.confidence - config.trust_margin
    if rival is not None and not strong and near.functional >= 0.5:
        return ("skip",)  # the lesser word against a fact that leaves no room beside it
    if candidate.sure < _SURE and near.says_old is None:
        return ("skip", "add") if rival is None or near.functional < 0.5 else ("skip",)  # it may be another relation
    return ("skip", "add", "update") if strong else ("skip", "add")


def select_action(probabilities: np.ndarray, open_to: Sequence[Action], threshold: float) -> tuple[Action, float]:
    """The action taken and its probability among those that are open."""
    chances = {action: float(probabilities[ACTIONS.index(action)]) for action in open_to}
    total = sum(chances.values()) or 1.0
    writes = {action: chance / total for action, chance in chances.items() if action != "skip"}
    if not writes or sum(writes.values()) < threshold:
        return "skip", 1.0 - sum(writes.values())
    best = max(writes, key=lambda action: writes[action])
    return best, writes[best]


def blend_priors(prior: float, single: int, subjects: int) -> float:
    """How functional a relation is: subjects with one object out of all, with the prior as five more subjects."""
    return (prior * _PRIOR_WEIGHT + single) / (_PRIOR_WEIGHT + subjects)
