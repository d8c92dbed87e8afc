"""The classifier of turns: what asks, what needs its context, what corrects, what says only of whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.generation.turns import CORRECTS
from graphmem.questions.turn_form import FORMS, KIND, SHIPPED, TurnClassifier, TurnForm

TEXTS = {
    "asks": (
        ["where does Petra live", "and who built it", "how much did the old bus cost, I forgot", "so what is her job"],
        ["Petra lives in Turin.", "I bought a red bus for 300 euros", "thanks, that was helpful", "She left on 3 May"],
    ),
    "refers": (
        ["Where was she born?", "and who built it?", "what's his job, do you know", "And Omar?"],
        ["Where was Petra Vanek born?", "Who built the lighthouse of Vik?", "what is Omar's job"],
    ),
    "corrects": (
        ["no, I meant 12 May", "sorry, not Turin, Genoa", "no no, 40 euros"],
        ["Petra lives in Turin.", "And who is her boss?", "I bought a bus for 300 euros"],
    ),
    "lacks": (
        ["And Omar?", "what about Petra?", "and her?"],
        ["Where does Omar live?", "and who is his boss?", "when was it built?"],
    ),
}


@pytest.fixture(scope="module")
def shipped(encoder: Any) -> TurnClassifier:
    return TurnClassifier.load(encoder.fingerprint)


@pytest.mark.parametrize("name", FORMS)
def test_the_shipped_classifier_tells_forms_apart(shipped: TurnClassifier, encoder: Any, name: str) -> None:
    yes, no = TEXTS[name]
    found = [getattr(form, name) for form in shipped.forms(encoder, [*yes, *no])]
    least = CORRECTS if name == "corrects" else 0.5
    assert [probability > least for probability in found] == [True] * len(yes) + [False] * len(no)


def test_texts_are_classified_one_by_one_as_together(shipped: TurnClassifier, encoder: Any) -> None:
    texts = ["And Omar?", "Petra lives in Turin.", ""]
    together = shipped.forms(encoder, texts)
    for text, form in zip(texts, together, strict=True):
        assert isinstance(form, TurnForm) and all(0 <= value <= 1 for value in form)
        assert shipped.forms(encoder, [text])[0] == pytest.approx(form, abs=1e-3)
    assert shipped.forms(encoder, []) == []


def test_a_file_of_another_encoder_or_of_other_forms_is_refused(encoder: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch):
        TurnClassifier.load("another")
    found = load_module(SHIPPED, kind=KIND, fingerprint=encoder.fingerprint)
    path = tmp_path / "form.safetensors"
    save_module(path, found.tensors, kind=KIND, fingerprint=encoder.fingerprint, forms=["asks"])
    with pytest.raises(WeightsMismatch, match="other forms"):
        TurnClassifier.load(encoder.fingerprint, path)
