"""Consolidation into weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from graphmem.consolidation.weights import ReplayConfig, consolidate_into_weights, load_replayed, replay_texts
from graphmem.core.errors import InvalidValue
from graphmem.core.types import Fact
from graphmem.hub import load_language_model
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach

FACTS = [
    ("Quarna Velt", "born in", "Ostrelle"),
    ("Bram Odun", "works for", "Kelvane"),
    ("Tirsa", "glimmers at", "Norde"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_language_model()[1]


@pytest.fixture
def model(tokenizer: Any, encoder: Any) -> Iterator[GraphMemoryModel]:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    base = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=2, **sizes))
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(FACTS)
        yield attach(base, tokenizer, memory)


def test_replay_lowers_the_loss_and_comes_off_again(model: GraphMemoryModel) -> None:
    ids = torch.tensor([[5, 6, 7]])
    before = model.base(input_ids=ids).logits
    done = consolidate_into_weights(model, config=ReplayConfig(steps=30, learning_rate=1e-2))
    assert (done.facts, done.steps) == (3, 30) and done.last_loss < done.first_loss - 0.5
    assert not torch.equal(model.base(input_ids=ids).logits, before)
    done.adapter.unload()
    assert torch.equal(model.base(input_ids=ids).logits, before)


def test_an_adapter_is_written_and_merged_into_a_base(model: GraphMemoryModel, tmp_path: Path) -> None:
    from copy import deepcopy

    bare = deepcopy(model.detach())
    consolidate_into_weights(model, tmp_path / "adapter", config=ReplayConfig(steps=3, learning_rate=1e-2))
    ids = torch.tensor([[5, 6, 7]])
    merged = load_replayed(bare, tmp_path / "adapter")
    assert torch.allclose(merged(input_ids=ids).logits, model.base(input_ids=ids).logits, atol=1e-4)


def test_replay_texts_are_questions_and_a_statement() -> None:
    known = list(replay_texts(Fact("Quarna Velt", "born in", "Ostrelle")))
    assert len(known) == 5 and all("Quarna Velt" in question for question, _ in known[:-1])
    odd = list(replay_texts(Fact("A {x}", "is {odd} to", "B")))
    assert odd[-1] == ("", "A {x} is odd to B.")


def test_bad_input(model: GraphMemoryModel, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="steps"):
        ReplayConfig(steps=0)
    with pytest.raises(InvalidValue, match="at least one fact"):
        consolidate_into_weights(model, facts=[])
    with pytest.raises(InvalidValue, match="adapter"):
        load_replayed(model.base, tmp_path)


@pytest.mark.slow
def test_smollm_learns_a_few_facts_by_heart(encoder: Any) -> None:
    """Closed book after the replay, and both memories at once."""
    from graphmem.experiments.extend import contains_answer

    base, tokenizer = load_language_model()
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(FACTS[:2])
        model = GraphMemoryModel.from_pretrained(base, tokenizer=tokenizer, memory=memory)
        done = consolidate_into_weights(model, config=ReplayConfig(steps=40, seed=1))
        with model.memory_disabled():
            assert contains_answer(model.ask("Where was Quarna Velt born?").text, "Ostrelle")
        assert contains_answer(model.ask("Where was Quarna Velt born?").text, "Ostrelle")
        done.adapter.unload()
        model.detach()
