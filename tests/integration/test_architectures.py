"""One contract over many decoders: no-op, cached equals uncached, padding, beams, checkpointing, save and load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from graphmem.core.errors import InvalidValue, NotAttached, UnsupportedModel, WeightsMismatch
from graphmem.fusion.config import FusionConfig
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import ARCHITECTURES, SIZES, VOCAB_SIZE, FixedMemory, open_gates, tiny_model

V = VOCAB_SIZE


@pytest.fixture(params=sorted(ARCHITECTURES))
def base(request: pytest.FixtureRequest) -> Any:
    return tiny_model(request.param)


@torch.no_grad()
def test_closed_gates_and_detached_are_the_base_bit_for_bit(base, tokenizer, memory, ids) -> None:
    before, keys, grads = base(ids).logits, list(base.state_dict()), [p.requires_grad for p in base.parameters()]
    model = attach(base, tokenizer, memory)
    assert torch.equal(model(ids).logits, before) and memory.queries
    open_gates(model)
    assert not torch.equal(model(ids).logits, before)
    assert torch.equal(base(ids).logits, before), "the base itself, called directly, reads nothing"
    with model.memory_disabled():
        assert torch.equal(model(ids).logits, before)
    assert model.detach() is base
    assert torch.equal(base(ids).logits, before) and list(base.state_dict()) == keys
    assert [p.requires_grad for p in base.parameters()] == grads
    with pytest.raises(NotAttached):
        model(ids)


@torch.no_grad()
def test_an_empty_retrieval_adds_exactly_nothing(base, tokenizer, ids) -> None:
    before = base(ids).logits
    model = open_gates(attach(base, tokenizer, FixedMemory()))
    assert torch.equal(model(ids).logits, before)
    one = FixedMemory("Paris").retrieve("")
    mixed = model(ids, retrieval=[one, FixedMemory().retrieve("")]).logits
    assert torch.equal(mixed[1], before[1]) and not torch.equal(mixed[0], before[0])


@torch.no_grad()
def test_cached_decoding_equals_uncached(base, tokenizer, memory, ids) -> None:
    model = open_gates(attach(base, tokenizer, memory))
    whole = model(ids, retrieval=memory.retrieve("")).logits
    first = model(ids[:, :5], retrieval=memory.retrieve(""), use_cache=True)
    cache, steps, queries = first.past_key_values, [first.logits], len(memory.queries)
    for t in range(5, ids.shape[1]):
        steps.append(model(ids[:, t : t + 1], past_key_values=cache, use_cache=True).logits)
    assert torch.allclose(torch.cat(steps, 1), whole, atol=2e-4)
    assert len(memory.queries) == queries, "the prompt's retrieval is used while decoding"


@torch.no_grad()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(base, tokenizer, memory, ids, side) -> None:
    model = open_gates(attach(base, tokenizer, memory))
    alone = model(ids[:1, :6], retrieval=memory.retrieve("")).logits[0]
    pad, ones = torch.full((1, 3), 1), torch.ones(1, 6, dtype=torch.long)
    row = torch.cat([pad, ids[:1, :6]] if side == "left" else [ids[:1, :6], pad], 1)
    mask = torch.cat([pad * 0, ones] if side == "left" else [ones, pad * 0], 1)
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    extra = {} if type(base).__name__.startswith(("Bloom", "OPT")) else {"position_ids": positions}
    out = model(
        torch.cat([row, ids[1:2]]), attention_mask=torch.cat([mask, torch.ones_like(ids[1:2])]),
        retrieval=memory.retrieve(""), **{k: torch.cat([v, torch.arange(9)[None]]) for k, v in extra.items()},
    ).logits[0]  # fmt: skip
    assert torch.allclose(out[3:] if side == "left" else out[:6], alone, atol=2e-4)


@torch.no_grad()
def test_generate_greedy_beams_and_samples(base, tokenizer, memory, ids) -> None:
    model = open_gates(attach(base, tokenizer, memory))
    memory.queries.clear()
    greedy = model.generate(ids, max_new_tokens=4, do_sample=False, min_new_tokens=4)
    assert len(memory.queries) == len(ids), "one query a sample, not one a step"
    step = ids
    for _ in range(4):
        logits = model(step, retrieval=memory.retrieve("")).logits[:, -1]
        logits[:, 1] = -torch.inf
        step = torch.cat([step, logits.argmax(-1, keepdim=True)], 1)
    assert torch.equal(greedy, step)
    beams = model.generate(ids, num_beams=3, num_return_sequences=2, max_new_tokens=3, do_sample=False)
    alone = model.generate(ids[:1], num_beams=3, num_return_sequences=2, max_new_tokens=3, do_sample=False)
    width = min(beams.shape[1], alone.shape[1])
    assert beams.shape[0] == 4 and torch.equal(beams[:2, :width], alone[:, :width])
    torch.manual_seed(3)
    first = model.generate(ids, do_sample=True, max_new_tokens=3)
    torch.manual_seed(3)
    assert torch.equal(first, model.generate(ids, do_sample=True, max_new_tokens=3))


def test_checkpointing_gives_the_same_gradients(base, tokenizer, memory, ids) -> None:
    if not base.supports_gradient_checkpointing:
        pytest.skip("this architecture has no gradient checkpointing")
    model = open_gates(attach(base, tokenizer, memory)).train()
    for module in base.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def gradients() -> dict[str, torch.Tensor]:
        model.zero_grad(set_to_none=True)
        model(ids, labels=ids, use_cache=False).loss.backward()
        return {name: p.grad.clone() for name, p in model.fusion.named_parameters() if p.grad is not None}

    plain = gradients()
    base.gradient_checkpointing_enable({"use_reentrant": False})
    again = gradients()
    assert plain and plain.keys() == again.keys()
    assert all(torch.allclose(plain[n], again[n], atol=1e-6) for n in plain)
    assert all(p.grad is None for p in base.parameters())


@torch.no_grad()
def test_saved_weights_load_and_other_bases_refuse_them(base, tokenizer, memory, ids, tmp_path: Path) -> None:
    model = open_gates(attach(base, tokenizer, memory))
    path = model.save_pretrained(tmp_path / "out")
    assert path.parent == tmp_path / "out" and [p.name for p in path.parent.iterdir()] == [path.name]
    expected = model(ids).logits
    model.detach()
    again = GraphMemoryModel.from_pretrained(base, tmp_path / "out", memory=memory, tokenizer=tokenizer)
    assert torch.allclose(again(ids).logits, expected, atol=0.05), "matrices are kept in bfloat16"
    again.detach()
    torch.manual_seed(7)
    other = type(base)(base.config)
    with pytest.raises(WeightsMismatch, match="another checkpoint"):
        GraphMemoryModel.from_pretrained(other, tmp_path / "out", memory=memory, tokenizer=tokenizer)


def test_weights_for_another_width_or_broken_files_say_so(tokenizer, memory, tmp_path: Path) -> None:
    attach(tiny_model("Llama"), tokenizer, memory).save_pretrained(tmp_path)
    torch.manual_seed(0)
    wide = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**{**SIZES, "hidden_size": 64}))
    with pytest.raises(WeightsMismatch, match="width is 64, the weights are for 32"):
        GraphMemoryModel.from_pretrained(wide, tmp_path, memory=memory, tokenizer=tokenizer)
    (tmp_path / "fusion.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsMismatch, match="cannot read"):
        GraphMemoryModel.from_pretrained(wide, tmp_path, memory=memory, tokenizer=tokenizer)
    with pytest.raises(WeightsMismatch, match="cannot read"):
        GraphMemoryModel.from_pretrained(wide, tmp_path / "nowhere", memory=memory, tokenizer=tokenizer)


def test_unknown_layouts_list_what_was_found(tokenizer, memory, ids) -> None:
    model = tiny_model("Llama")
    model.model.layers = torch.nn.ModuleDict({str(i): layer for i, layer in enumerate(model.model.layers)})
    model.extra = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    with pytest.raises(UnsupportedModel, match=r"extra \(1 x Linear\).*layers_path"):
        attach(model, tokenizer, memory)
    with pytest.raises(UnsupportedModel, match="no stack of layers at 'model.nothing'"):
        attach(tiny_model("Llama"), tokenizer, memory, FusionConfig(layers_path="model.nothing"))
    named = attach(tiny_model("Llama"), tokenizer, memory, FusionConfig(layers_path="model.layers"))
    assert named.decoder.path == "model.layers"
    with pytest.raises(InvalidValue, match="below 4"):
        attach(tiny_model("Llama"), tokenizer, memory, FusionConfig(layers=(2, 9)))


@torch.no_grad()
def test_two_memories_on_one_model_stay_apart(tokenizer, ids) -> None:
    base = tiny_model("Llama")
    before = base(ids).logits
    first = open_gates(attach(base, tokenizer, FixedMemory("Ada")))
    second = open_gates(attach(base, tokenizer, FixedMemory("Bob", "Cleo")), gate=0.3)
    one, two = first(ids).logits, second(ids).logits
    assert not torch.equal(one, two) and not torch.equal(one, before)
    first.detach()
    assert torch.equal(second(ids).logits, two)
    second.detach()
    assert torch.equal(base(ids).logits, before)


def test_sessions_leave_nothing_on_modules(tokenizer, memory, ids) -> None:
    model = open_gates(attach(tiny_model("Llama"), tokenizer, memory))
    names = {n: set(vars(m)) for n, m in model.base.named_modules()}
    with torch.no_grad():
        model.generate(ids, max_new_tokens=2)
    assert {n: set(vars(m)) for n, m in model.base.named_modules()} == names


@torch.no_grad()
def test_inputs_embeds_read_the_same_memory(tokenizer, memory, ids) -> None:
    model = open_gates(attach(tiny_model("Llama"), tokenizer, memory))
    found = memory.retrieve("")
    embedded = model.base.get_input_embeddings()(ids)
    out = model(inputs_embeds=embedded, retrieval=[found, found]).logits
    assert torch.allclose(out, model(ids, retrieval=found).logits, atol=1e-5)
    with pytest.raises(InvalidValue, match="retrieval must be given with inputs_embeds"):
        model(inputs_embeds=embedded)
