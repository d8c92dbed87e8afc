"""The classifier of questions by operation, and the ends of the scales that comparisons ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.encoding.query_encoder import QueryEncoder
from graphmem.questions.operation import (
    KIND,
    OPERATIONS,
    SHIPPED,
    OperationClassifier,
    OperationNetwork,
    forms_of,
)

ASKED = {
    "lookup": ["Where does Petra work?", "What is the colour of the old bus?", "When did Omar move to Turin?"],
    "verify": ["Does Petra work in Turin?", "Is the old bus red?", "omar moved to turin, right?"],
    "count": ["How many sisters does Omar have?", "how many buses are red", "Count the members that live in Turin."],
    "list": ["Name all sisters of Omar.", "Which buses are red?", "everyone who lives in turin please"],
    "superlative": ["Who is the tallest of Omar's sisters?", "Is Petra or Omar older?", "which bus has the most seats"],
    "intersect": ["Who speaks Dutch and lives in Turin?", "Which hobby do Petra and Omar share?"],
    "sum": ["How much do the two buses cost together?", "what is the total weight of Omar's sisters"],
    "difference": ["How much older is Petra than Omar?", "how many years lie between the two weddings?"],
    "except": ["Which of the sisters doesn't live in Turin?", "all buses except those that are red"],
}
NUMBERS = [("Which bus is the cheapest?", 0), ("Which bus is the most expensive?", 1),
           ("Which dog is the lightest?", 0), ("Which dog is heavier, Rex or Bello?", 1),
           ("Which school has the fewest pupils?", 0),
           ("Which school has the most pupils?", 1), ("Who is older, Petra or Omar?", 1)]  # fmt: skip
DATES = [("Who is older, Petra or Omar?", 0), ("Who is the youngest of the sisters?", 1), ("Who joined first?", 0),
         ("Who joined last?", 1), ("Which is our newest bus?", 1), ("Which film came out earlier, Suez or Gator?", 0),
         ("Who has been a member the longest?", 0)]  # fmt: skip


@pytest.fixture(scope="module")
def shipped(encoder: Any) -> OperationClassifier:
    return OperationClassifier.load(encoder.fingerprint)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_shipped_classifier_tells_operations_apart(
    shipped: OperationClassifier, encoder: Any, operation: str
) -> None:
    found = shipped.forms(encoder, ASKED[operation])
    assert [form.operation for form in found] == [operation] * len(ASKED[operation])
    for form in found:
        assert sum(form.probabilities) == pytest.approx(1) and len(form.probabilities) == len(OPERATIONS)
        assert form.probabilities[OPERATIONS.index(operation)] == max(form.probabilities)


def test_comparisons_have_their_end_of_the_scale(shipped: OperationClassifier, encoder: Any) -> None:
    numbers = shipped.forms(encoder, [question for question, _ in NUMBERS])
    assert [round(form.larger_number) for form in numbers] == [end for _, end in NUMBERS]
    dates = shipped.forms(encoder, [question for question, _ in DATES])
    assert [round(form.later_date) for form in dates] == [end for _, end in DATES]
    assert {form.operation for form in (*numbers, *dates)} == {"superlative"}


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    network = OperationNetwork(12).eval()
    states, mask = torch.randn(2, 7, 12), torch.ones(2, 7)
    mask[0, 3:] = 0
    alone = network(states[:1, :3], mask[:1, :3])
    assert torch.allclose(network(states, mask)[0], alone[0], atol=1e-5)
    states[0, 5] += 100
    assert torch.allclose(network(states, mask)[0], alone[0], atol=1e-5)
    assert not torch.allclose(network(states, torch.ones(2, 7))[0], alone[0], atol=1e-2)
    assert torch.isfinite(network(states, torch.zeros(2, 7))).all()


def test_forms_are_probabilities_of_the_logits() -> None:
    logits = torch.full((1, len(OPERATIONS) + 2), -20.0)
    logits[0, OPERATIONS.index("count")], logits[0, -2], logits[0, -1] = 20.0, 0.0, 20.0
    (form,) = forms_of(logits)
    assert form.operation == "count" and form.probabilities[OPERATIONS.index("count")] == pytest.approx(1)
    assert form.larger_number == 0.5 and form.later_date == pytest.approx(1)
    assert forms_of(logits[:0]) == []


def test_one_question_is_read_as_among_others_and_from_the_cache(shipped: OperationClassifier, encoder: Any) -> None:
    questions = ["Is it so?", "Who is the eldest of the three sisters of the old man of Vik?"]
    cached = QueryEncoder(encoder)
    for question, form in zip(questions, shipped.forms(encoder, questions), strict=True):
        (again,) = shipped.forms(cached, [question])
        assert again.operation == form.operation
        assert again.probabilities == pytest.approx(form.probabilities, abs=0.02)
        assert again.larger_number == pytest.approx(form.larger_number, abs=0.05)


def test_more_questions_than_one_pass_holds(shipped: OperationClassifier, encoder: Any) -> None:
    found = shipped.forms(encoder, ["Is it so?", "How many are there?"] * 150)
    assert [form.operation for form in found] == ["verify", "count"] * 150
    assert shipped.forms(encoder, []) == []


@pytest.mark.parametrize("question", ["", "?", "x" * 100_000, "\x00", "🦀 " * 500])
def test_any_text_has_a_form(shipped: OperationClassifier, encoder: Any, question: str) -> None:
    (form,) = shipped.forms(encoder, [question])
    assert form.operation in OPERATIONS and np.isfinite(form.probabilities).all()
    assert 0 <= form.larger_number <= 1 and 0 <= form.later_date <= 1


def test_a_classifier_returns_from_its_file(encoder: Any, tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = OperationClassifier(OperationNetwork(384, inner=8, heads=2, hidden=8))
    path = made.save(tmp_path / "operation.safetensors", encoder.fingerprint, seed=3)
    loaded = OperationClassifier.load(encoder.fingerprint, path)
    (before,), (after,) = (one.forms(encoder, ["Who is the eldest?"]) for one in (made, loaded))
    assert after.probabilities == pytest.approx(before.probabilities, abs=1e-2)
    assert load_module(path, kind=KIND, fingerprint=encoder.fingerprint).meta["seed"] == 3
    with pytest.raises(WeightsMismatch):
        OperationClassifier.load("another", path)


def test_a_file_of_other_operations_is_refused(encoder: Any, tmp_path: Path) -> None:
    network = OperationNetwork(384, inner=8, heads=2, hidden=8)
    path = save_module(
        tmp_path / "w.safetensors", network, kind=KIND, fingerprint=encoder.fingerprint, config=network.sizes,
        operations=["lookup"],
    )  # fmt: skip
    with pytest.raises(WeightsMismatch, match="other operations"):
        OperationClassifier.load(encoder.fingerprint, path)


def test_the_shipped_file_is_small() -> None:
    assert 50_000 < SHIPPED.stat().st_size < 1_000_000
