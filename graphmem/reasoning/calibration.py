"""Calibrated probability that an answer from evidence is right: a logistic regression on what was weighed.

Its weights are fitted by ``graphmem train calibration`` on questions that the evidence encoder was not trained on, half
of which cannot be answered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from graphmem.core.paths import WEIGHTS
from graphmem.reasoning.weighing import Weighed

FILE = WEIGHTS / "calibration.json"


@cache
def load_calibration(path: Path = FILE) -> dict[str, list[float]]:
    """What was fitted.

    ``answer`` and ``verdict``: weights, bias first; ``least``: the confidences from which these are given.
    """
    found: dict[str, list[float]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def confidence_of(weighed: Weighed) -> tuple[float, float]:
    """Probability that the best answer (or verdict) is right, and the probability from which on it is given."""
    weights = load_calibration()
    verdict = weighed.asks_verdict > 0.5
    features = verdict_features(weighed) if verdict else weighed.features()
    if not weighed.answers and not verdict or (verdict and weighed.verdict_unit is None):
        return 0.0, weights["least"][int(verdict)]
    return probability(weights["verdict" if verdict else "answer"], features), weights["least"][int(verdict)]


def verdict_features(weighed: Weighed) -> tuple[float, ...]:
    """Numbers from which the probability of a verdict is calibrated."""
    p = min(max(weighed.verdict[1], 1e-4), 1 - 1e-4)
    return max(-8.0, min(8.0, weighed.relevance)), math.log(p / (1 - p))


def probability(weights: Sequence[float], features: Sequence[float]) -> float:
    """Logistic function of the bias and the weighted features."""
    x = weights[0] + sum(w * f for w, f in zip(weights[1:], features, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))
