"""Rules around the write gate and their thresholds: which actions are allowed, and how one is selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from graphmem.core.types import Fact
from graphmem.core.validation import require
from graphmem.reading.candidates import CandidateFact
from graphmem.reading.network import FACTUALITY
from graphmem.writing.gate_features import ACTIONS, Action, GraphContext, factuality_probabilities

DEFAULT_TRUST = 0.8
"""Trust in a text of which the caller says nothing: less than in what a user adds, whose facts have confidence 1."""
_PRIOR_WEIGHT = 5.0
_MIN_OVER = 0.2
"""Minimum probability, 0..1, that a fact ended or is negated, at which a repeated one may be ended."""
_MIN_RELATION = 0.5
"""Minimum probability of a relation, 0..1, at which a fact of it may replace another."""


@dataclass(frozen=True, slots=True)
class WriteGateConfig:
    """Thresholds of the write gate.

    Attributes:
        threshold: minimum probability of any write, 0..1; raise it to write less.
        trust_margin: how far a claim may weigh less than a held fact and still change it; see ``may_change``.
        min_trust: claims of sources below this are kept as episodes only, never as facts.
        min_sure: probability that the text says so from which a candidate is written, where the gate would write it.
        min_proposed: probability from which a candidate that is not written is offered.
        verify: read each candidate once more against the text, as a statement, with the evidence encoder.
        states: update the state vectors of the nodes that a text mentions, and disambiguate names by them.
    """

    threshold: float = 0.25
    trust_margin: float = 0.3
    min_trust: float = 0.3
    min_sure: float = 0.7
    min_proposed: float = 0.3
    verify: bool = True
    states: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(0.0 <= value <= 1.0, name, value, "a number from 0 to 1")


KEPT_APART: Final = ("planned", "reported", "uncertain")
"""Factuality of what a text does not assert: it is kept as such, and neither replaces nor ends what holds."""


def rule_based_probabilities(candidate: CandidateFact, near: GraphContext) -> np.ndarray:
    """Probabilities of ``ACTIONS`` from the graph alone: functional relations are replaced."""
    if near.same(candidate.fact) is not None:
        share = {"retire": 0.9, "skip": 0.1} if candidate.factuality in ("ended", "negated") else {"skip": 1.0}
    elif candidate.factuality != "asserted":
        share = {"skip": 1.0}
    else:
        update = 0.9 * near.functional if near.rival(candidate.fact) is not None else 0.0
        share = {"add": 0.9 - update, "update": update, "skip": 0.1}
    return np.array([share.get(action, 0.0) for action in ACTIONS], np.float32)


def is_apart(candidate: CandidateFact, held: Fact | None) -> bool:
    """Whether a candidate is a fact beside those that hold: not asserted, or over or negated and not ``held`` now."""
    return candidate.factuality in KEPT_APART or (held is None and candidate.factuality in ("ended", "negated"))


def may_change(candidate: CandidateFact, held: Fact, near: GraphContext, trust: float, config: WriteGateConfig) -> bool:
    """Whether a text may replace, end or date a held fact.

    A claim weighs the trust of its source times its own confidence, however often the source repeats it. It may lie
    below the confidence of the held fact by ``trust_margin``, divided by the number of sources of the held fact. A
    pinned fact is never changed.
    """
    weight = trust * min(1.0, candidate.fact.confidence)
    margin = config.trust_margin / max(1, near.sources.get(held.id or 0, 1))
    return not held.pinned and weight >= held.confidence - margin - 1e-9


def allowed_actions(
    candidate: CandidateFact, near: GraphContext, trust: float, config: WriteGateConfig
) -> tuple[Action, ...]:
    """The actions that the rules allow; ``skip`` is always one."""
    held, rival = near.same(candidate.fact), near.rival(candidate.fact)
    if candidate.factuality in KEPT_APART or trust < config.min_trust:
        return ("skip",)
    if held is not None or candidate.factuality in ("ended", "negated"):
        strong = held is not None and may_change(candidate, held, near, trust, config)
        shares = dict(zip(FACTUALITY, factuality_probabilities(candidate), strict=True))
        over = candidate.factuality in ("ended", "negated") or shares["ended"] + shares["negated"] >= _MIN_OVER
        return ("skip", "retire") if strong and over else ("skip",)
    strong = rival is not None and may_change(candidate, rival, near, trust, config)
    if rival is not None and not strong and near.functional >= 0.5:
        return ("skip",)  # trusted less than the only value there can be
    if candidate.relation_probability < _MIN_RELATION and near.superseded_in_text is None:
        return ("skip", "add") if rival is None or near.functional < 0.5 else ("skip",)  # it may be another relation
    return ("skip", "add", "update") if strong else ("skip", "add")


def select_action(probabilities: np.ndarray, allowed: Sequence[Action], threshold: float) -> tuple[Action, float]:
    """The action taken and its probability among the allowed ones."""
    shares = {action: float(probabilities[ACTIONS.index(action)]) for action in allowed}
    total = sum(shares.values()) or 1.0
    writes = {action: share / total for action, share in shares.items() if action != "skip"}
    if not writes or sum(writes.values()) < threshold:
        return "skip", 1.0 - sum(writes.values())
    best = max(writes, key=lambda action: writes[action])
    return best, writes[best]


def blend_priors(prior: float, single: int, subjects: int) -> float:
    """How functional a relation is: the share of subjects with one object, with the prior as five more subjects."""
    return (prior * _PRIOR_WEIGHT + single) / (_PRIOR_WEIGHT + subjects)
