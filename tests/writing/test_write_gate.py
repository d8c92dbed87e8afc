from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.reading.network import FACTUALITY
from graphmem.writing.gate_features import ACTIONS, FEATURES, GraphContext, gate_features, role_agreement
from graphmem.writing.gate_rules import (
    DEFAULT_TRUST,
    WriteGateConfig,
    allowed_actions,
    blend_priors,
    may_change,
    select_action,
)
from graphmem.writing.write_gate import WriteGate, load_gate, save_gate

LONDON = Fact("Ada", "lives in", "London", confidence=0.9, id=1)
HELD = GraphContext(held=(LONDON,), functional=0.9, changeable=0.9, subject_known=True)


def candidate(value: str, factuality: str = "asserted") -> CandidateFact:
    probabilities = np.array([label == factuality for label in FACTUALITY], np.float32)
    return CandidateFact(Fact("Ada", "lives in", value, confidence=0.95), factuality, probabilities, surprise=3.0)


def test_features_have_names() -> None:
    numbers = features_of(candidate("Paris"))
    assert (numbers["conflict"], numbers["held"]) == (1.0, 0.0)
    assert numbers["trust gap"] == pytest.approx(0.1)
    assert features_of(candidate("london"))["held"] == 1.0


def features_of(candidate: CandidateFact) -> dict[str, float]:
    return dict(zip(FEATURES, gate_features(candidate, HELD, 1.0).tolist(), strict=True))


def test_features_of_the_extraction() -> None:
    others = (RelationAlternative("lives in", True, 0.3), RelationAlternative("works in", False, 0.1))
    found = replace(
        candidate("Paris"), span_probability=0.4, competition=0.7, relation_probability=0.5, alternatives=others,
        subject_span=(0, 3), object_span=(13, 18),
    )  # fmt: skip
    wanted = {"span probability": 0.4, "competition": 0.7, "margin": 0.2, "inverted": 0.3, "distance": np.log(11) / 5}
    features = features_of(found)
    assert {name: features[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)


def test_literals_agree_with_relations() -> None:
    def fits(relation: str, kind: str) -> float:
        found = replace(candidate("1843"), fact=Fact("Ada", relation, "1843"), object_kind=kind)
        return float(gate_features(found, HELD, 1.0)[FEATURES.index("literal")])

    assert (fits("born in", "literal"), fits("born in", "entity")) == (-1.0, 1.0)
    assert (fits("publication year", "literal"), fits("publication year", "entity")) == (1.0, -1.0)
    assert fits("a relation that nobody knows", "entity") == 0.0


def test_role_agreement() -> None:
    subjects, objects = {"ada", "ben"}, {"london"}
    assert role_agreement(Fact("Ada", "lives in", "Rome"), subjects, objects) == 1.0
    assert role_agreement(Fact("London", "lives in", "Ben"), subjects, objects) == -1.0
    assert role_agreement(Fact("Ada", "lives in", "Ben"), subjects, objects) == 0.0
    assert role_agreement(Fact("Carl", "lives in", "Rome"), subjects, objects) == 0.0


@pytest.mark.parametrize(
    ("candidate", "trust", "open_to"),
    [
        (candidate("Paris"), 1.0, ("skip", "add", "update")),
        (candidate("Paris"), 0.45, ("skip",)),
        (candidate("Paris", "uncertain"), 1.0, ("skip",)),
        (candidate("London"), 1.0, ("skip",)),
        (candidate("London", "ended"), 1.0, ("skip", "retire")),
        (candidate("London", "ended"), 0.45, ("skip",)),
        (candidate("London", "negated"), 1.0, ("skip", "retire")),
        (candidate("Paris", "negated"), 1.0, ("skip",)),
        (candidate("Paris"), 0.1, ("skip",)),
    ],
)
def test_the_rules(candidate: CandidateFact, trust: float, open_to: tuple[str, ...]) -> None:
    assert allowed_actions(candidate, HELD, trust, WriteGateConfig()) == open_to


def test_a_repeated_fact_may_be_over() -> None:
    def repeated(ended: float) -> CandidateFact:
        probabilities = np.array([0.0, 1 - ended, ended, 0.0, 0.0], np.float32)
        return replace(candidate("London"), factuality_probabilities=probabilities)

    assert allowed_actions(repeated(0.3), HELD, 1.0, WriteGateConfig()) == ("skip", "retire")
    assert allowed_actions(repeated(0.1), HELD, 1.0, WriteGateConfig()) == ("skip",)
    assert allowed_actions(repeated(0.3), HELD, 0.45, WriteGateConfig()) == ("skip",)


def test_the_threshold_moves() -> None:
    chances = np.array([0.4, 0.5, 0.05, 0.05])
    assert select_action(chances, ("skip", "add", "update"), 0.5)[0] == "add"
    assert select_action(chances, ("skip", "add", "update"), 0.9)[0] == "skip"
    assert select_action(chances, ("skip",), 0.0) == ("skip", 1.0)


def test_the_rival_is_the_value_that_the_text_says_is_over() -> None:
    paris = replace(LONDON, object="Paris", id=2)
    near = replace(HELD, held=(LONDON, paris), superseded_in_text=LONDON)
    assert near.rival(candidate("Rome").fact) == LONDON


def test_counts_outweigh_the_prior() -> None:
    assert blend_priors(0.2, 0, 0) == pytest.approx(0.2)
    assert blend_priors(0.2, 100, 100) > 0.9


def test_bad_thresholds_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"-0\.1"):
        WriteGateConfig(threshold=-0.1)


def test_checkpoints(tmp_path: Path) -> None:
    torch.manual_seed(0)
    gate = WriteGate(features=8, text_width=4)
    save_gate(gate, tmp_path / "gate.safetensors")
    back = load_gate(tmp_path)
    found = replace(candidate("Paris"), features=np.ones(8, np.float32))
    np.testing.assert_array_equal(back.probabilities(found, HELD, 1.0), gate.eval().probabilities(found, HELD, 1.0))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, str(tmp_path / "gate.safetensors"), metadata={"kind": "something"})
    with pytest.raises(WeightsMismatch, match="unknown weights"):
        load_gate(tmp_path)


def test_probabilities_are_a_distribution() -> None:
    chances = WriteGate().eval().probabilities(candidate("Paris"), HELD, 1.0)
    assert chances.shape == (len(ACTIONS),)
    assert float(chances.sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("trust", "confidence", "held", "sources", "changes"),
    [
        (0.6, 1.0, 1.0, 1, False),
        (0.69, 1.0, 1.0, 1, False),
        (DEFAULT_TRUST, 0.95, 1.0, 1, True),
        (DEFAULT_TRUST, 1.0, 1.0, 2, False),
        (1.0, 0.3, 1.0, 1, False),
        (0.6, 1.0, 0.6, 1, True),
        (0.6, 1.0, 0.8, 1, True),
        (0.6, 1.0, 0.8, 4, False),
        (1.0, 1.0, 1.0, 1000, True),
    ],
)
def test_a_claim_is_weighed_against_the_held_fact(
    trust: float, confidence: float, held: float, sources: int, changes: bool
) -> None:
    claim = replace(candidate("Paris"), fact=replace(candidate("Paris").fact, confidence=confidence))
    known = replace(LONDON, confidence=held)
    near = replace(HELD, held=(known,), sources={LONDON.id or 0: sources})
    assert may_change(claim, known, near, trust, WriteGateConfig()) == changes
    assert ("update" in allowed_actions(claim, near, trust, WriteGateConfig())) == changes


def test_a_pinned_fact_is_never_changed() -> None:
    near = replace(HELD, held=(replace(LONDON, pinned=True),))
    assert allowed_actions(candidate("Paris"), near, 1.0, WriteGateConfig()) == ("skip",)
    assert allowed_actions(candidate("London", "ended"), near, 1.0, WriteGateConfig()) == ("skip",)
