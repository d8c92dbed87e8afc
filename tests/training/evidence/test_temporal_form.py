"""Training of the temporal form: phrases in their frames, labels of public sets, and a file that can be read."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.questions.temporal_form import TAGS, WANTED, TemporalClassifier
from graphmem.training.evidence.temporal_form import Labelled, fitted, from_templates


def phrases(row: Labelled) -> list[tuple[str, str]]:
    assert row.phrases is not None
    return [(row.question[start:end], TAGS[tag]) for start, end, tag in row.phrases]


def test_frames_mark_the_words_that_set_a_time() -> None:
    rows = list(from_templates(Random(0), 400))
    assert all("[" not in row.question and "{" not in row.question for row in rows)
    found = [phrase for row in rows for phrase in phrases(row)]
    assert {relation for _, relation in found} == set(TAGS) - {"none"}
    assert any(words.lower().startswith("before ") and relation == "before" for words, relation in found)
    assert {WANTED[row.wanted or 0] for row in rows} == set(WANTED)
    assert {row.is_test for row in rows} == {True, False}
    assert rows == list(from_templates(Random(0), 400)) != list(from_templates(Random(1), 400))


def test_the_classifier_is_fitted_and_returns_from_its_file(encoder: Any, tmp_path: Path) -> None:
    rows = [row for row in from_templates(Random(0), 500) if row.source in ("at", "none", "duration", "before")]
    made, accuracy = fitted(rows, encoder, 60)
    assert accuracy and all(0 <= value <= 1 for value in accuracy.values())
    path = made.save(tmp_path / "form.safetensors", encoder.fingerprint, seed=0)
    loaded = TemporalClassifier.load(encoder.fingerprint, path)
    question = "Who was the director of the museum in 1998?"
    (form,), (same,) = made.forms(encoder, [question]), loaded.forms(encoder, [question])
    assert form.wanted == pytest.approx(same.wanted, abs=0.02)
    assert [question[phrase.start : phrase.end] for phrase in form.phrases][-1:] == ["in 1998"]
