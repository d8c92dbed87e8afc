"""Which set of questions a name chooses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from graphmem.evaluation import abstention as evaluation_asking
from graphmem.evaluation.answers import METHODS, _chosen_set


@pytest.mark.parametrize("name", ["lists", "refusal"])
def test_lists_and_refusal_are_asked_of_the_shipped_questions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(evaluation_asking, f"evaluate_{name}", lambda model, known, *rest: asked.append(list(known)))
    chosen = SimpleNamespace(dataset=name, memory="has it", split="dev", n=6, seed=0, data=None)
    _chosen_set(None, None, chosen, METHODS)
    assert len(asked) == 1 and len(asked[0]) >= 6
