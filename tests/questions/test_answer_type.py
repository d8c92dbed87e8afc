"""The classifier of questions: yes or no, or something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphmem.core.errors import WeightsMismatch
from graphmem.encoding.query_encoder import QueryEncoder
from graphmem.questions.answer_type import AnswerTypeClassifier, type_features


def test_features_leave_padding_out() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(3, 5, 4)).astype(np.float32)
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
    found = type_features(states, mask)
    assert found.shape == (3, 8) and found.dtype == np.float32
    for row, length in enumerate(mask.sum(1)):
        own = states[row, :length]
        assert np.allclose(found[row], np.concatenate([own.mean(0), own.max(0)]), atol=1e-6)
    assert np.isfinite(type_features(states, np.zeros_like(mask))).all()


def test_the_shipped_classifier_tells_questions_apart(encoder: Any) -> None:
    types = AnswerTypeClassifier.load(encoder.fingerprint)
    verdicts = ["Is Oslo the capital of Norway?", "Did Ann ever work at Acme?", "Does Ann work at Acme?"]
    others = ["What is the capital of Norway?", "Where did Ann work?", "Who built the bridge?", "When was it built?"]
    assert (types.verdict(encoder, verdicts) > 0.5).all() and (types.verdict(encoder, others) < 0.5).all()


def test_one_question_is_read_as_among_others_and_from_the_cache(encoder: Any) -> None:
    types, questions = AnswerTypeClassifier.load(encoder.fingerprint), ["Is it so?", "Who built the old bridge of Vik?"]
    together, cached = types.verdict(encoder, questions), QueryEncoder(encoder)
    for question, chance in zip(questions, together, strict=True):
        assert types.verdict(cached, [question])[0] == pytest.approx(chance, abs=0.02)


@pytest.mark.parametrize("question", ["", "?", "x" * 100_000, "\x00", "🦀 " * 500])
def test_any_text_has_a_probability(encoder: Any, question: str) -> None:
    (chance,) = AnswerTypeClassifier.load(encoder.fingerprint).verdict(encoder, [question])
    assert 0 <= chance <= 1


def test_a_classifier_returns_from_its_file(encoder: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = AnswerTypeClassifier(rng.normal(size=768), 0.5, rng.normal(size=768), 1 + rng.random(768))
    path = made.save(tmp_path / "types.safetensors", encoder.fingerprint, seed=3)
    loaded, question = AnswerTypeClassifier.load(encoder.fingerprint, path), ["Is it so?"]
    assert loaded.verdict(encoder, question) == pytest.approx(made.verdict(encoder, question), abs=1e-3)
    with pytest.raises(WeightsMismatch):
        AnswerTypeClassifier.load("another", path)
