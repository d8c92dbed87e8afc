"""Fixtures of the fusion training tests."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from graphmem.fusion.config import FusionConfig
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import byte_tokenizer


@pytest.fixture(params=["Llama", "GPT2"])
def model(request: pytest.FixtureRequest) -> GraphMemoryModel:
    torch.manual_seed(0)
    config: Any = (
        transformers.LlamaConfig(
            vocab_size=260, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, eos_token_id=1, bos_token_id=0, tie_word_embeddings=True,
        )
        if request.param == "Llama"
        else transformers.GPT2Config(vocab_size=260, n_embd=32, n_layer=4, n_head=4, eos_token_id=1, bos_token_id=0)
    )  # fmt: skip
    base = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    base.get_output_embeddings().weight.data.mul_(20.0)  # random ones make flat distributions
    config = FusionConfig(layers=(2, 3), tap=1, max_nodes=4, match_width=32)
    return attach(base, byte_tokenizer(pad=False), GraphMemory.open(":memory:"), config)
