"""Confidence of what was weighed: bounded, growing with the evidence, nothing where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from graphmem.core.types import Edge, Fact
from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.encoding.evidence_text import fact_text
from graphmem.reasoning.calibration import confidence_of, load_calibration, probability, verdict_features
from graphmem.reasoning.weighing import Weighed, weigh
from graphmem.retrieval.evidence import EvidenceUnit

UNIT = EvidenceUnit(
    fact_text("Ann", "lives in", "Oslo"), (Fact("Ann", "lives in", "Oslo"),), (Edge(1, 1, "lives in", 2),)
)


def weighed(relevance: float, score: float, asks: float = 0.0, yes: float = 0.0) -> Weighed:
    return weigh([UNIT], [Reading(relevance, (Span(17, 21, score),), 0.0, (0.5, yes, 0.5 - yes), 0.0)], asks)


def test_the_shipped_file_holds_a_weight_for_every_feature() -> None:
    found = load_calibration()
    assert len(found["answer"]) == 1 + len(Weighed().features())
    assert len(found["verdict"]) == 1 + len(verdict_features(Weighed()))
    assert len(found["least"]) == 2 and all(0 <= least <= 1 for least in found["least"])


def test_confidence_grows_with_relevance_and_is_a_probability() -> None:
    knowns = [confidence_of(weighed(relevance, 4.0))[0] for relevance in (-6.0, -2.0, 2.0, 6.0)]
    assert knowns == sorted(knowns) and 0 <= knowns[0] < knowns[-1] <= 1
    assert {confidence_of(weighed(relevance, 4.0))[1] for relevance in (-6.0, 6.0)} == {load_calibration()["least"][0]}


def test_a_verdict_has_weights_of_its_own() -> None:
    known, least = confidence_of(weighed(4.0, 4.0, 0.9, 0.49))
    features = verdict_features(weighed(4.0, 4.0, 0.9, 0.49))
    assert known == probability(load_calibration()["verdict"], features) and least == load_calibration()["least"][1]


def test_nothing_is_known_without_evidence() -> None:
    assert confidence_of(Weighed())[0] == 0.0
    assert confidence_of(Weighed(asks_verdict=0.9))[0] == 0.0
    assert confidence_of(replace(weighed(4.0, 4.0), answers=()))[0] == 0.0


@pytest.mark.parametrize("x", [-1e9, -31.0, 0.0, 31.0, 1e9])
def test_a_probability_of_any_number(x: float) -> None:
    assert 0 <= probability((0.0, 1.0), (x,)) <= 1
    assert probability((0.0, 1.0), (x,)) + probability((0.0, -1.0), (x,)) == pytest.approx(1)
    with pytest.raises(ValueError, match="zip"):
        probability((0.0, 1.0), (x, x))


def test_weights_are_read_from_a_given_file(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({"answer": [0.0], "verdict": [0.0], "least": [0.5, 0.5]}), encoding="utf-8")
    assert load_calibration(path)["least"] == [0.5, 0.5]
