from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.core.checkpoints import read_meta
from graphmem.questions.turn_form import KIND, TurnClassifier
from graphmem.training.classifier import train_classifier
from graphmem.training.evidence.turn_form import Labelled, fitted


def test_a_classifier_is_fitted_to_the_examples_of_the_options_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoder: Any
) -> None:
    drawn: list[tuple[Path, float, int]] = []

    def rows(folder: Path, rng: Random, given: argparse.Namespace) -> list[Labelled]:
        drawn.append((folder, rng.random(), given.each))
        texts = [(f"Where is number {at}?", f"Number {at} is here.") for at in range(given.each)]
        return [
            Labelled(text, (label, None, None, None), "made", at >= given.each - 2)
            for at, both in enumerate(texts) for label, text in zip((1, 0), both, strict=True)
        ]  # fmt: skip

    out = tmp_path / "turns.safetensors"
    options = ["--data", str(tmp_path), "--out", str(out), "--each", "8", "--steps", "40", "--seed", "3"]
    train_classifier(
        options, part="turn-form", about="x", out=tmp_path / "other", steps=1, counts={"each": (5, "pairs")}, rows=rows,
        fitted=fitted, noun="texts",
    )  # fmt: skip
    assert drawn == [(tmp_path, Random(3).random(), 8)]
    report = json.loads(capsys.readouterr().out)
    assert report["texts"] == 16
    assert report["right, held out"] == {"asks, made, 0 (n=2)": 1.0, "asks, made, 1 (n=2)": 1.0}
    assert read_meta(out, kind=KIND)["seed"] == 3 and read_meta(out, kind=KIND)["texts"] == 16
    forms = TurnClassifier.load(encoder.fingerprint, out).forms(encoder, ["Where?", "It is here."])
    assert forms[0].asks > 0.5 > forms[1].asks
