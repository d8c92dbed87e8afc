"""Training of the answer-type classifier: both kinds of questions of many sets, and a file that can be read."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from graphmem.questions.answer_type import AnswerTypeClassifier
from graphmem.training.evidence import answer_type
from graphmem.training.evidence.chain_examples import over_worlds
from graphmem.training.evidence.lexicon_examples import lexicon


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer questions of the sets that are made without data."""
    monkeypatch.setattr(answer_type, "lexicon", lambda rng, each: lexicon(rng, each=1))
    monkeypatch.setattr(answer_type, "over_worlds", lambda rng, worlds: partial(over_worlds, worlds=1, each=20)(rng))


def test_questions_of_both_kinds_are_drawn(data: Path, small: None) -> None:
    rows = answer_type.questions(data, 0, 20)
    kinds = [kind for _, kind in rows]
    assert 40 < sum(kinds) <= 20 * 9 and 100 < len(kinds) - sum(kinds) <= 20 * 10
    assert rows == answer_type.questions(data, 0, 20) != answer_type.questions(data, 1, 20)
    claims = [question for question, kind in rows if kind and "was born in" in question.lower()]
    assert claims and all("where was" not in question.lower() for question in claims)


def test_the_command_writes_a_classifier(
    data: Path, tmp_path: Path, encoder: Any, small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "types.safetensors"
    answer_type.main(["--data", str(data), "--out", str(out), "--each", "20", "--steps", "60"])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["out"] == str(out) and said["n"] > 10 and said["right, held out"] > 0.8
    made = AnswerTypeClassifier.load(encoder.fingerprint, out)
    verdict, other = made.verdict(encoder, ["Is it true that Person7 was born in Town7?", "Where was Person7 born?"])
    assert verdict > 0.5 > other
