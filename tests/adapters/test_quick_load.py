"""A folder loads quickly with the tensors that transformers' general loader gives, or by that loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from graphmem.adapters import quick_load

SIZES: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


def made(kind: str) -> tuple[Any, Any]:
    torch.manual_seed(0)
    if kind == "bert":
        return BertModel(BertConfig(**SIZES, vocab_size=50)), AutoModel
    if kind == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=50)), AutoModelForCausalLM
    tied = kind == "tied llama"
    config = LlamaConfig(**SIZES, vocab_size=50, tie_word_embeddings=tied, rope_theta=5000.0)
    return LlamaForCausalLM(config), AutoModelForCausalLM


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["llama", "tied llama", "bert", "gpt2"])
def test_the_tensors_are_those_of_the_general_loader(tmp_path: Path, kind: str, dtype: torch.dtype) -> None:
    model, auto = made(kind)
    model.save_pretrained(tmp_path)
    have, want = quick_load.load_model(auto, tmp_path, dtype), auto.from_pretrained(tmp_path, dtype=dtype)
    assert type(have) is type(want) and not have.training and have.dtype == want.dtype
    for group in ("named_parameters", "named_buffers"):
        a, b = dict(getattr(have, group)()), dict(getattr(want, group)())
        assert a.keys() == b.keys()
        assert all(a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in b)
    ids = torch.arange(12)[None]
    assert torch.equal(have(ids)[0], want(ids)[0])
    assert have.config.to_dict() == want.config.to_dict()


def test_a_folder_without_all_tensors_is_left_to_the_general_loader(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model, auto = made("llama")
    model.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["model.norm.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert torch.equal(quick_load.load_model(auto, tmp_path, torch.float32).model.norm.weight, torch.ones(32))
