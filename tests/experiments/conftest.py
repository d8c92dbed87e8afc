"""A tiny random model with SmolLM2's tokenizer: what the baselines are tried on."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from graphmem.experiments.methods.base import Language


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """SmolLM2's, loaded once."""
    from graphmem.hub import load_language_model

    return load_language_model("smollm2-135m")[1]


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
