"""A wrapped model that is copied, saved, averaged and compiled; stacks without attention; weights of another base."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.optim.swa_utils import AveragedModel

from graphmem.core.errors import InvalidValue, UnsupportedModel, WeightsMismatch
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import SIZES, VOCAB_SIZE, open_gates, tiny_model

# ---------------------------------------------------------------- copies


@torch.no_grad()
@pytest.mark.parametrize("name", ["Llama", "GPT2"])
def test_a_copy_reads_the_same_memory_and_is_a_model_of_its_own(name, tokenizer, memory, ids) -> None:
    base = tiny_model(name)
    before = base(ids).logits
    model = open_gates(attach(base, tokenizer, memory)).eval()
    expected = model(ids).logits
    copied = copy.deepcopy(model)
    assert copied.memory is memory and copied.base is not base and not copied.training
    assert torch.equal(copied(ids).logits, expected)
    beams = dict(num_beams=3, max_new_tokens=4, do_sample=False)
    assert torch.equal(copied.generate(ids, **beams), model.generate(ids, **beams))
    for parameter in copied.parameters():
        parameter.zero_()
    assert torch.equal(model(ids).logits, expected)
    alone = copy.deepcopy(model).detach()
    assert torch.equal(alone(ids).logits, before) and all(p.requires_grad for p in alone.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in alone.modules())
    assert "prepare_inputs_for_generation" not in vars(alone)
    model.detach()
    assert torch.equal(copy.deepcopy(model).base(ids).logits, before)


@torch.no_grad()
def test_a_copy_of_the_base_alone_reads_nothing(tokenizer, memory, ids) -> None:
    base = tiny_model("Llama")
    before, asked = base(ids).logits, base.generate(ids, max_new_tokens=3, do_sample=False)
    model = open_gates(attach(base, tokenizer, memory))
    file = io.BytesIO()
    torch.save(model.base, file)
    file.seek(0)
    for copied in (copy.deepcopy(model.base), torch.load(file, weights_only=False)):
        assert torch.equal(copied(ids).logits, before)
        assert torch.equal(copied.generate(ids, max_new_tokens=3, do_sample=False), asked)
        again = open_gates(attach(copied, tokenizer, memory))
        assert not torch.equal(again(ids).logits, before) and again.detach() is copied
    assert b"Lovelace" not in file.getvalue()


def test_a_copy_with_a_memory_in_a_file(tokenizer, encoder, ids, tmp_path: Path) -> None:
    with GraphMemory.open(tmp_path / "m.db", encoder=encoder) as memory:
        memory.add("Ada", "born in", "London")
        model = attach(tiny_model("Llama"), tokenizer, memory)
        assert copy.deepcopy(model).memory is memory and copy.copy(model).base is model.base
        for save in (pickle.dumps, lambda it: torch.save(it, tmp_path / "model.pt")):
            with pytest.raises(UnsupportedModel, match=r"save_pretrained\(folder\)"):
                save(model)
        torch.save(model.state_dict(), tmp_path / "state.pt")
        model.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))


@torch.no_grad()
def test_averages_of_weights(tokenizer, memory, ids) -> None:
    model = open_gates(attach(tiny_model("Llama"), tokenizer, memory)).eval()
    expected, averaged = model(ids).logits, AveragedModel(model)
    averaged.update_parameters(model)
    assert torch.allclose(averaged(ids).logits, expected, atol=1e-5)
    for parameter in model.fusion.parameters():
        parameter.mul_(0.5)
    averaged.update_parameters(model)
    assert not torch.allclose(averaged(ids).logits, expected, atol=1e-5)


# ---------------------------------------------------------------- compiled


@torch.no_grad()
def test_a_compiled_model_retrieves_outside_the_graph(tokenizer, memory, ids) -> None:
    model = open_gates(attach(tiny_model("GPT2"), tokenizer, memory)).eval()
    expected, plain = model(ids).logits, model.base(ids).logits
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager")
    try:
        memory.queries.clear()
        assert torch.allclose(compiled(ids).logits, expected, atol=1e-5) and len(memory.queries) == len(ids)
        memory.names = ("Bob",)
        other = compiled(ids).logits
        assert not torch.allclose(other, expected, atol=1e-5) and torch.allclose(other, model(ids).logits, atol=1e-5)
        with model.memory_disabled():
            assert torch.allclose(compiled(ids).logits, plain, atol=1e-5)
        assert compiled.memory is memory and compiled.generate(ids, max_new_tokens=1).shape == (2, 10)
    finally:
        torch._dynamo.reset()


# ---------------------------------------------------------------- arguments of generate


@torch.no_grad()
def test_inputs_are_input_ids(tokenizer, memory, ids) -> None:
    model = open_gates(attach(tiny_model("Llama"), tokenizer, memory))
    expected = model.generate(ids, max_new_tokens=3, do_sample=False)
    assert torch.equal(model.generate(inputs=ids, max_new_tokens=3, do_sample=False), expected)
    with pytest.raises(InvalidValue, match="two names of one argument"):
        model.generate(ids, inputs=ids)
    embedded = model.base.get_input_embeddings()(ids)
    with pytest.raises(InvalidValue, match="retrieval must be given with inputs_embeds"):
        model.generate(inputs_embeds=embedded, max_new_tokens=3)
    found = memory.retrieve("")
    out = model.generate(inputs_embeds=embedded, retrieval=[found, found], max_new_tokens=3, do_sample=False)
    assert torch.equal(out, expected[:, ids.shape[1] :])


# ---------------------------------------------------------------- stacks with and without attention

STACKS: dict[str, dict[str, Any]] = {
    "Mamba": {"state_size": 8},
    "Mamba2": {"state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 2},
    "FalconMamba": {"state_size": 8},
    "Rwkv": {"attention_hidden_size": 32, "context_length": 64},
    "RecurrentGemma": {**SIZES, "lru_width": 32, "attention_window_size": 64, "head_dim": 8},
    "Jamba": {
        **SIZES, "num_experts": 2, "mamba_d_state": 8, "mamba_dt_rank": 4, "attn_layer_period": 2,
        "attn_layer_offset": 1,
    },
    "Lfm2": dict(SIZES),
    "GraniteMoeHybrid": {
        **SIZES, "mamba_n_heads": 8, "mamba_d_state": 8, "mamba_d_head": 8, "mamba_n_groups": 1,
        "layer_types": ["mamba", "attention"] * 2,
    },
}  # fmt: skip
ATTENTION = ("Jamba", "Lfm2", "GraniteMoeHybrid")


def stack(name: str) -> Any:
    if not hasattr(transformers, f"{name}Config"):
        pytest.skip(f"this transformers has no {name}")
    torch.manual_seed(0)
    small = dict(vocab_size=VOCAB_SIZE, hidden_size=32, num_hidden_layers=4, pad_token_id=1)
    config = getattr(transformers, f"{name}Config")(**{**small, **STACKS[name]})
    return transformers.AutoModelForCausalLM.from_config(config).float().eval()


@torch.no_grad()
@pytest.mark.parametrize("name", STACKS)
def test_other_stacks_are_exact_or_refused(name, tokenizer, memory) -> None:
    base = stack(name)
    torch.manual_seed(2)
    texts = [torch.randint(2, VOCAB_SIZE - 4, (rows, length)) for rows in (1, 2) for length in (1, 2, 3, 4, 9)]
    before = [base(ids).logits for ids in texts]
    try:
        model = attach(base, tokenizer, memory)
    except UnsupportedModel as refusal:
        assert name not in ATTENTION and ("recurrent state" in str(refusal) or "freeze it before" in str(refusal))
        assert all(p.requires_grad for p in base.parameters()) and not any(m._forward_hooks for m in base.modules())
        return
    assert all(torch.equal(model(ids).logits, logits) for ids, logits in zip(texts, before, strict=True))
    open_gates(model)
    with model.memory_disabled():
        assert all(torch.equal(model(ids).logits, logits) for ids, logits in zip(texts, before, strict=True))
    ids, found = texts[-1], memory.retrieve("")
    whole = model(ids, retrieval=found).logits
    assert not torch.equal(whole, before[-1])
    first = model(ids[:, :5], retrieval=found, use_cache=True)
    steps = [first.logits]
    for t in range(5, ids.shape[1]):
        steps.append(model(ids[:, t : t + 1], past_key_values=first.past_key_values).logits)
    assert torch.allclose(torch.cat(steps, 1), whole, atol=5e-4)


@torch.no_grad()
def test_a_base_that_is_frozen_before_is_taken_as_it_is(tokenizer, memory) -> None:
    base = stack("RecurrentGemma").requires_grad_(False)
    ids = torch.arange(6).view(2, 3)
    before = base(ids).logits
    assert torch.equal(attach(base, tokenizer, memory)(ids).logits, before)


# ---------------------------------------------------------------- weights of another base


def test_weights_name_both_bases(tokenizer, memory, tmp_path: Path) -> None:
    base = tiny_model("Llama")
    base.config.name_or_path = "/models/owner/tiny-llama"
    attach(base, tokenizer, memory).save_pretrained(tmp_path)
    with pytest.raises(WeightsMismatch, match=r"made for 'tiny-llama' \(llama.*base given is 'GPT2LMHeadModel' \(gpt2"):
        GraphMemoryModel.from_pretrained(tiny_model("GPT2"), tmp_path, memory=memory, tokenizer=tokenizer)
    with pytest.raises(WeightsMismatch, match=r"made for 'smollm2-135m' \(llama.*given is 'GPT2LMHeadModel'"):
        GraphMemoryModel.from_pretrained(tiny_model("GPT2"), memory=memory, tokenizer=tokenizer)
    other = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**SIZES))
    other.config.name_or_path = "other-llama"
    with pytest.raises(WeightsMismatch, match="another checkpoint.*made for 'tiny-llama'.*given is 'other-llama'"):
        GraphMemoryModel.from_pretrained(other, tmp_path, memory=memory, tokenizer=tokenizer)
