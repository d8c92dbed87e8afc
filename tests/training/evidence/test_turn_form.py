"""Training of the form of turns: labels of templates, labels of dialogues, and a file that can be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.questions.turn_form import FORMS, TurnClassifier
from graphmem.text.lexicon import load_lexicon
from graphmem.training.evidence.turn_form import fitted, from_dialogues, from_templates, with_pronoun


def test_templates_have_all_labels_and_no_open_slots() -> None:
    rows = list(from_templates(Random(0), 700))
    assert len(rows) == 700 and all("{" not in row.text for row in rows)
    assert {row.source for row in rows} == {
        "names", "pronouns", "ellipses", "bare", "statements", "own", "corrections"
    }  # fmt: skip
    for at in range(len(FORMS)):
        assert {row.label[at] for row in rows} >= {0, 1}
    assert {row.is_test for row in rows} == {True, False}
    assert rows == list(from_templates(Random(0), 700)) != list(from_templates(Random(1), 700))


def test_a_pronoun_stands_in_the_place_of_the_name() -> None:
    relation = next(relation for relation in load_lexicon() if relation.relation == "born in")
    made = {with_pronoun(relation, Random(seed)) for seed in range(60)}
    assert "Where was she born?" in made and "What is his place of birth?" in made
    assert not any("{" in question for question in made)


def test_sentences_of_dialogues_ask_where_they_have_the_mark(tmp_path: Path) -> None:
    turn = {"speaker": "USER", "utterance": "I want to eat out. What is their phone number?",
            "frames": [{"actions": [{"act": "REQUEST"}]}]}  # fmt: skip
    calm = {"speaker": "USER", "utterance": "It is for four people.", "frames": [{"actions": [{"act": "INFORM"}]}]}
    (tmp_path / "dialog_sgd").mkdir()
    (tmp_path / "dialog_friendsqa").mkdir()
    with gzip.open(tmp_path / "dialog_sgd" / "dev_dialogues_001.json.gz", "wt") as file:
        json.dump([{"dialogue_id": "1", "turns": [turn, calm, {"speaker": "SYSTEM", "utterance": "Yes?"}]}], file)
    with gzip.open(tmp_path / "dialog_friendsqa" / "friendsqa_dev.json.gz", "wt") as file:
        scene = {"title": "s", "paragraphs": [{"utterances:": [{"utterance": "Is it you ?"}]}]}
        json.dump({"data": [scene]}, file)
    found = {row.text: row.label for row in from_dialogues(tmp_path)}
    assert found == {
        "What is their phone number?": (1, 1, 0, 0), "It is for four people.": (0, None, 0, None),
        "Is it you?": (1, None, 0, None),
    }  # fmt: skip


def test_the_classifier_is_fitted_and_returns_from_its_file(encoder: Any, tmp_path: Path) -> None:
    made, accuracy = fitted(list(from_templates(Random(0), 350)), encoder, 60)
    assert accuracy and all(0 <= value <= 1 for value in accuracy.values())
    path = made.save(tmp_path / "form.safetensors", encoder.fingerprint, seed=0)
    (form,) = made.forms(encoder, ["And where was she born?"])
    (same,) = TurnClassifier.load(encoder.fingerprint, path).forms(encoder, ["And where was she born?"])
    assert form == pytest.approx(same, abs=0.02) and form.asks > 0.5
