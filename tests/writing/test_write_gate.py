from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.reading.network import FACTUALITY
from graphmem.writing.config import WriteGateConfig
from graphmem.writing.gate_features import ACTIONS, FEATURES, GraphContext, gate_features, role_agreement
from graphmem.writing.gate_rules import allowed_actions, blend_priors, select_action
from graphmem.writing.write_gate import WriteGate, load_gate, save_gate

LONDON = Fact("Ada", "lives in", "London", confidence=0.9, id=1)
HELD = GraphContext(held=(LONDON,), functional=0.9, changeable=0.9, subject_known=True)


def said(value: str, mood: str = "stated") -> CandidateFact:
    moods = np.array([name == mood for name in FACTUALITY], np.float32)
    return CandidateFact(Fact("Ada", "lives in", value, confidence=0.95), mood, moods, surprise=3.0)


def test_numbers_have_their_names() -> None:
    numbers = dict(zip(FEATURES, gate_features(said("Paris"), HELD, 1.0), strict=True))
    assert numbers["conflict"] == 1.0
    assert numbers["held"] == 0.0
    assert numbers["trust gap"] == pytest.approx(0.1)
    assert dict(zip(FEATURES, gate_features(said("london"), HELD, 1.0), strict=True))["held"] == 1.0


def test_the_reader_says_how_sure_it_is_of_names_and_relation() -> None:
    others = (RelationAlternative("lives in", True, 0.3), RelationAlternative("works in", False, 0.1))
    doubtful = replace(
        said("Paris"), spotted=0.4, contested=0.7, sure=0.5, others=others, subject_span=(0, 3), object_span=(13, 18)
    )
    numbers = dict(zip(FEATURES, gate_features(doubtful, HELD, 1.0), strict=True))
    seen = {name: float(numbers[name]) for name in ("spotted", "contested", "margin", "turned", "apart")}
    assert seen == pytest.approx(
        {"spotted": 0.4, "contested": 0.7, "margin": 0.2, "turned": 0.3, "apart": np.log(11) / 5}, rel=1e-5
    )


def test_a_number_fits_relations_that_tell_numbers() -> None:
    def fits(relation: str, kind: str) -> float:
        candidate = replace(said("1843"), fact=Fact("Ada", relation, "1843"), object_kind=kind)
        return float(gate_features(candidate, HELD, 1.0)[FEATURES.index("literal")])

    assert (fits("born in", "literal"), fits("born in", "entity")) == (-1.0, 1.0)
    assert (fits("publication year", "literal"), fits("publication year", "entity")) == (1.0, -1.0)
    assert fits("a relation that nobody knows", "entity") == 0.0


def test_parts_are_known_from_other_facts() -> None:
    subjects, objects = {"ada", "ben"}, {"london"}
    assert role_agreement(Fact("Ada", "lives in", "Rome"), subjects, objects) == 1.0
    assert role_agreement(Fact("London", "lives in", "Ben"), subjects, objects) == -1.0
    assert role_agreement(Fact("Ada", "lives in", "Ben"), subjects, objects) == 0.0
    assert role_agreement(Fact("Carl", "lives in", "Rome"), subjects, objects) == 0.0


@pytest.mark.parametrize(
    ("candidate", "trust", "open_to"),
    [
        (said("Paris"), 1.0, ("skip", "add", "update")),
        (said("Paris"), 0.45, ("skip",)),
        (said("Paris", "doubted"), 1.0, ("skip",)),
        (said("London"), 1.0, ("skip",)),
        (said("London", "ended"), 1.0, ("skip", "retire")),
        (said("London", "ended"), 0.45, ("skip",)),
        (said("London", "denied"), 1.0, ("skip", "retire")),
        (said("Paris", "denied"), 1.0, ("skip",)),
        (said("Paris"), 0.1, ("skip",)),
    ],
)
def test_the_rules(candidate: CandidateFact, trust: float, open_to: tuple[str, ...]) -> None:
    assert allowed_actions(candidate, HELD, trust, WriteGateConfig()) == open_to


def test_what_seems_repeated_may_be_over() -> None:
    def heard(ended: float) -> CandidateFact:
        return replace(said("London"), moods=np.array([0.0, 1 - ended, ended, 0.0, 0.0], np.float32))

    assert allowed_actions(heard(0.3), HELD, 1.0, WriteGateConfig()) == ("skip", "retire")
    assert allowed_actions(heard(0.1), HELD, 1.0, WriteGateConfig()) == ("skip",)
    assert allowed_actions(heard(0.3), HELD, 0.45, WriteGateConfig()) == ("skip",)


def test_the_threshold_moves() -> None:
    chances = np.array([0.4, 0.5, 0.05, 0.05])
    assert select_action(chances, ("skip", "add", "update"), 0.5)[0] == "add"
    assert select_action(chances, ("skip", "add", "update"), 0.9)[0] == "skip"
    assert select_action(chances, ("skip",), 0.0) == ("skip", 1.0)


def test_the_rival_is_the_value_that_the_text_says_is_over() -> None:
    paris = replace(LONDON, object="Paris", id=2)
    near = replace(HELD, held=(LONDON, paris), says_old=LONDON)
    assert near.rival(said("Rome").fact) == LONDON


def test_counts_outweigh_the_prior() -> None:
    assert blend_priors(0.2, 0, 0) == pytest.approx(0.2)
    assert blend_priors(0.2, 100, 100) > 0.9


def test_bad_thresholds_are_refused() -> None:
    with pytest.raises(InvalidValue, match=r"-0\.1"):
        WriteGateConfig(threshold=-0.1)


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    torch.manual_seed(0)
    gate = WriteGate(features=8, text_width=4)
    save_gate(gate, tmp_path / "gate.safetensors")
    back = load_gate(tmp_path)
    candidate = replace(said("Paris"), features=np.ones(8, np.float32))
    np.testing.assert_array_equal(
        back.probabilities(candidate, HELD, 1.0), gate.eval().probabilities(candidate, HELD, 1.0)
    )


def test_other_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, str(tmp_path / "gate.safetensors"), metadata={"kind": "something"})
    with pytest.raises(WeightsMismatch, match="train one"):
        load_gate(tmp_path)


def test_probabilities_are_a_distribution() -> None:
    chances = WriteGate().eval().probabilities(said("Paris"), HELD, 1.0)
    assert chances.shape == (len(ACTIONS),)
    assert float(chances.sum()) == pytest.approx(1.0, abs=1e-5)
