"""Each baseline on a tiny model: shapes, no effect without facts, and training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.experiments.methods.base import Language
from graphmem.experiments.methods.key_value_memory import KeyValueMemory
from graphmem.experiments.methods.lora import Lora
from graphmem.experiments.methods.prompting import ClosedBook, InContextFacts, Top1Retrieval
from graphmem.experiments.methods.soft_prompt import SoftPrompt
from graphmem.experiments.methods.training import train
from graphmem.experiments.tasks.fact_set import Query

FACTS = (("Ada", "born in", "Rome"), ("Bo", "lives in", "Oslo"))
EXAMPLES = [(Query("Where was Ada born?", FACTS), "Rome"), (Query("Where does Bo live?", FACTS[1:]), "Oslo")]


def encode(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of letters: real vectors of these texts, without loading an encoder."""
    made = np.array([[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts], np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_the_soft_prompt_learns_and_lengthens_the_prompt(language: Language, tmp_path: Path) -> None:
    method = SoftPrompt(language, encode, tokens=3)
    assert method.prefix([query for query, _ in EXAMPLES]).shape == (2, 3, 32)
    before = float(method.loss(EXAMPLES)[0].detach())
    train(method.module, method.loss, lambda: EXAMPLES, 12, tmp_path, rate=1e-2, batch=4)
    assert float(method.loss(EXAMPLES)[0].detach()) < before
    assert (
        method.generate([EXAMPLES[0][0], Query("Who?")], 2)[1].prompt_tokens
        == len(language.ids(language.prompt("Who?"))) + 3
    )
    assert not any(p.requires_grad for p in language.base.parameters())


def test_key_values_read_nothing_without_facts_and_learn(language: Language, tmp_path: Path) -> None:
    ids = torch.tensor([language.ids("Ada was born in")])
    plain = ClosedBook(language).logits(ids, Query(""))
    method = KeyValueMemory(language, encode)
    assert plain is not None
    torch.testing.assert_close(method.logits(ids, Query("")), plain, rtol=1e-4, atol=1e-5)
    read = method.logits(ids, EXAMPLES[0][0])
    assert read is not None and not torch.allclose(read, plain)
    before = float(method.loss(EXAMPLES)[0].detach())
    train(method.module, method.loss, lambda: EXAMPLES, 12, tmp_path, rate=1e-2, batch=4)
    assert float(method.loss(EXAMPLES)[0].detach()) < before
    assert len(method.generate([query for query, _ in EXAMPLES], 2)) == 2


def test_padding_of_facts_changes_nothing(language: Language) -> None:
    method = KeyValueMemory(language, encode)
    with method.memory([EXAMPLES[1][0], EXAMPLES[0][0]]):
        both = language.base(input_ids=torch.tensor([[5, 6, 7]] * 2)).logits
    with method.memory([EXAMPLES[1][0]]):
        alone = language.base(input_ids=torch.tensor([[5, 6, 7]])).logits
    torch.testing.assert_close(both[:1], alone, rtol=1e-4, atol=1e-5)


def test_lora_training_changes_the_logits(language: Language) -> None:
    pytest.importorskip("peft")
    method = Lora(language, 20, batch=4, rate=1e-2)
    asked = [Query("Where was Ada born?")]
    ids = torch.tensor([language.ids("Ada")])
    before = method.logits(ids, asked[0])
    cost = method.learn([("Where was Ada born?", "Rome"), (None, "Ada was born in Rome.")])
    after = method.logits(ids, asked[0])
    assert cost.steps == 20 and cost.tokens > 100
    assert before is not None and after is not None and not torch.allclose(before, after)


def test_prompts_hold_the_facts_they_should(language: Language) -> None:
    others = [("Cy", "likes", f"thing {i}") for i in range(30)]
    query = Query("Where was Ada born?", FACTS, gold=FACTS[:1])
    gold, distractors, retrieved = (
        InContextFacts(language, kind, others).generate([query], 1)[0].prompt_tokens
        for kind in ("gold", "gold + distractors", "retrieved")
    )
    assert gold < distractors and gold < retrieved


def test_the_top_node_needs_no_model() -> None:
    assert Top1Retrieval().generate([Query("Where?")])[0].text == ""
    assert Top1Retrieval().logits(torch.zeros(1, 1, dtype=torch.long), Query("")) is None


def test_a_stopped_training_ends_where_one_that_ran_through_does(language: Language, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stopping(method: SoftPrompt, after: int) -> Any:
        calls = []

        def loss(examples: Any) -> Any:
            calls.append(1)
            if len(calls) > after:
                raise Stopped
            return method.loss(examples)

        return loss

    through = SoftPrompt(language, encode)
    whole = train(through.module, through.loss, lambda: EXAMPLES, 12, tmp_path / "a", rate=1e-2, batch=2)
    first, second = SoftPrompt(language, encode), SoftPrompt(language, encode, seed=9)
    with pytest.raises(Stopped):
        train(first.module, stopping(first, 11), lambda: EXAMPLES, 12, tmp_path / "b", rate=1e-2, batch=2)
    cost = train(second.module, stopping(second, 2), lambda: EXAMPLES, 12, tmp_path / "b", rate=1e-2, batch=2)
    assert (cost.steps, cost.tokens, cost.losses) == (whole.steps, whole.tokens, whole.losses)
    for name, value in through.module.state_dict().items():
        torch.testing.assert_close(second.module.state_dict()[name], value)
    third = SoftPrompt(language, encode, seed=9)
    assert train(third.module, stopping(third, 0), lambda: 1 / 0, 12, tmp_path / "b", rate=1e-2) == cost


def test_what_stands_before_a_text_changes_its_logits_and_not_their_number(language: Language) -> None:
    ids = torch.tensor([language.ids("Ada was born in Rome.")])
    after, plain = language.logits(ids, "Facts:"), language.logits(ids)
    lead = torch.tensor([language.ids("Facts:")])
    whole = language.base(input_ids=torch.cat([lead, ids], 1)).logits[0, lead.shape[1] :]
    torch.testing.assert_close(after, whole)
    assert after.shape == plain.shape and not torch.allclose(after, plain)
