"""The methods of a run, what their figures depend on, and costs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.experiments.harness.runs import Run
from graphmem.experiments.harness.scoring import cost_part
from graphmem.experiments.integrate import edit_costs, tuning_costs
from graphmem.experiments.methods.base import Cost, Language
from graphmem.experiments.panel import METHODS, Panel, fingerprint
from graphmem.experiments.tasks.fact_set import FactSet, Query, plain_pairs

FACTS = FactSet("made", ((("Ada", "born in", "Rome"), ("Bo", "lives in", "Oslo")), ()), (), plain_pairs)


class Small(Panel):
    """A panel on the tiny model."""

    def __init__(self, run: Run, language: Language) -> None:
        super().__init__(run)
        self._tiny = language

    @cached_property
    def language(self) -> Language:
        return self._tiny

    def copy_base(self) -> Language:
        return self._tiny


def test_methods_are_those_that_were_named() -> None:
    assert Panel(Run("edit")).names == METHODS
    assert Panel(Run("edit", methods=("graphmem", "closed"))).names == ("closed", "graphmem")
    assert Panel(Run("edit"), ("gold",)).names == ("gold",)
    with pytest.raises(InvalidValue, match="no method 'telepathy'"):
        Panel(Run("edit", methods=("telepathy",)))


def test_dependencies_are_given_by_hash(tmp_path: Path) -> None:
    panel = Panel(Run("edit", quick=True))
    assert panel.dependencies("closed") == {}
    assert set(panel.dependencies("soft")) == {"steps", "retriever"} and set(panel.dependencies("lora")) == {"steps"}
    assert panel.dependencies("graphmem")["fusion"]
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    assert fingerprint(one) != fingerprint(two) and fingerprint(tmp_path / "none") is None


def test_the_base_answers_once_and_prompts_are_made_of_all_facts(language: Language) -> None:
    panel = Small(Run("edit", quick=True), language)
    first = panel.base.generate([Query("Who?"), Query("Where?")], 2)
    language.base.lm_head.weight.data.zero_()
    assert panel.base.generate([Query("Where?"), Query("Who?")], 2) == first[::-1]
    for name in ("closed", "gold", "distractors", "retrieved", "top"):
        with panel.method(name, FACTS, None) as (method, cost):
            assert cost == Cost() and method.generate([Query("Who?", gold=FACTS.all_facts)], 1)


def test_graphmem_leaves_the_base_as_it_was(tokenizer: Any) -> None:
    from graphmem.memory import GraphMemory

    panel = Panel(Run("edit"))
    ids = torch.tensor([panel.language.ids("Ada was born in")])
    before = panel.language.logits(ids)
    with GraphMemory.open(":memory:") as memory:
        memory.add_many(FACTS.all_facts)
        retrieval = memory.retrieve("Where was Ada born?")
        with panel.method("graphmem", FACTS, memory) as (method, _):
            assert method.generate([Query("Where was Ada born?", retrieval=retrieval)], 6)[0].text.startswith("Rome")
    assert torch.equal(panel.language.logits(ids), before)


def test_the_cost_of_training_is_reported_with_its_losses() -> None:
    assert cost_part("made", "LoRA", Cost()).rows == []
    part = cost_part("made", "LoRA", Cost(1, 8, 0.5, (3.0,)) + Cost(1, 8, 0.25, (2.0,)))
    assert [row.value for row in part.rows] == [2.0, 16.0, 0.75]
    assert part.details[0]["loss, nats/token, by step"] == (3.0, 2.0)


def test_edits_cost_no_training() -> None:
    rows = edit_costs((1, 30))
    made = [row.measure for row in rows if row.n == 30]
    assert made == ["s to add 30", "CPU s to add 30", "s to change 30", "CPU s to change 30"] and len(rows) == 8
    assert all(row.value is not None and row.value > 0 for row in rows) and rows[-1].n == 30


def test_tuning_that_does_not_get_there_says_so(language: Language) -> None:
    pytest.importorskip("peft")
    rows = tuning_costs(lambda: language, (2,), every=2, max_steps=4)
    assert [row.measure for row in rows] == ["s to add 2", "steps to add 2", "s to add 10,000"]
    assert rows[1].value == 4 and "stopped at" in rows[1].note and "not run" in rows[2].note
