"""Each rival on a tiny model: shapes, doing nothing where there is nothing, and learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.experiments.decoding import Language
from graphmem.experiments.items import Asked
from graphmem.experiments.key_values import KeyValues
from graphmem.experiments.lora import Lora
from graphmem.experiments.prompting import ClosedBook, InPrompt
from graphmem.experiments.soft_prompt import SoftPrompt
from graphmem.experiments.top_node import TopNode
from graphmem.experiments.training import train

FACTS = (("Ada", "born in", "Rome"), ("Bo", "lives in", "Oslo"))
LESSONS = [(Asked("Where was Ada born?", FACTS), "Rome"), (Asked("Where does Bo live?", FACTS[1:]), "Oslo")]


def encode(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of letters: real vectors of these texts, without loading an encoder."""
    made = np.array([[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts], np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """SmolLM2's, loaded once."""
    from graphmem.resolver import find_language_model

    return find_language_model("smollm2-135m")[1]


@pytest.fixture
def language(tokenizer: Any) -> Language:
    """A random Llama of two layers with SmolLM2's tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    base: Any = LlamaForCausalLM(config).eval()
    base.requires_grad_(False)
    return Language(base, tokenizer)


def test_the_soft_prompt_learns_and_lengthens_the_prompt(language: Language) -> None:
    method = SoftPrompt(language, encode, tokens=3)
    assert method.prefix([asked for asked, _ in LESSONS]).shape == (2, 3, 32)
    before = float(method.loss(LESSONS)[0].detach())
    train(method.module, method.loss, LESSONS, 12, rate=1e-2, batch=4)
    assert float(method.loss(LESSONS)[0].detach()) < before
    assert method.say([LESSONS[0][0], Asked("Who?")], 2)[1].tokens == len(language.ids(language.prompt("Who?"))) + 3
    assert not any(p.requires_grad for p in language.base.parameters())


def test_key_values_read_nothing_without_facts_and_learn(language: Language) -> None:
    ids = torch.tensor([language.ids("Ada was born in")])
    plain = ClosedBook(language).logits(ids, Asked(""))
    method = KeyValues(language, encode)
    assert plain is not None
    torch.testing.assert_close(method.logits(ids, Asked("")), plain, rtol=1e-4, atol=1e-5)
    read = method.logits(ids, LESSONS[0][0])
    assert read is not None and not torch.allclose(read, plain)
    before = float(method.loss(LESSONS)[0].detach())
    train(method.module, method.loss, LESSONS, 12, rate=1e-2, batch=4)
    assert float(method.loss(LESSONS)[0].detach()) < before
    assert len(method.say([asked for asked, _ in LESSONS], 2)) == 2
    method.detach()
    torch.testing.assert_close(ClosedBook(language).logits(ids, Asked("")), plain)


def test_padding_of_facts_changes_nothing(language: Language) -> None:
    method = KeyValues(language, encode)
    with method.memory([LESSONS[1][0], LESSONS[0][0]]):
        both = language.base(input_ids=torch.tensor([[5, 6, 7]] * 2)).logits
    with method.memory([LESSONS[1][0]]):
        alone = language.base(input_ids=torch.tensor([[5, 6, 7]])).logits
    torch.testing.assert_close(both[:1], alone, rtol=1e-4, atol=1e-5)


def test_lora_learns_its_lesson(language: Language) -> None:
    pytest.importorskip("peft")
    method = Lora(language, 20, batch=4, rate=1e-2)
    asked = [Asked("Where was Ada born?")]
    ids = torch.tensor([language.ids("Ada")])
    before = method.logits(ids, asked[0])
    cost = method.learn([("Where was Ada born?", "Rome"), (None, "Ada was born in Rome.")])
    after = method.logits(ids, asked[0])
    assert cost.steps == 20 and cost.tokens > 100
    assert before is not None and after is not None and not torch.allclose(before, after)


def test_prompts_hold_the_facts_they_should(language: Language) -> None:
    others = [("Cy", "likes", f"thing {i}") for i in range(30)]
    asked = Asked("Where was Ada born?", FACTS, gold=FACTS[:1])
    lengths = [InPrompt(language, kind, others).say([asked], 1)[0].tokens for kind in ("gold", "gold + distractors")]
    assert lengths[0] < lengths[1] and InPrompt(language, "retrieved").say([asked], 1)[0].tokens > lengths[0]


def test_the_top_node_needs_no_model() -> None:
    assert TopNode().say([Asked("Where?")])[0].text == ""
    assert TopNode().logits(torch.zeros(1, 1, dtype=torch.long), Asked("")) is None
