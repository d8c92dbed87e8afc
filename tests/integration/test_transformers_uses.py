"""The same contract beyond decoders, and what people do with a model: compile it, train it, share it, run it in halves.

``test_architectures.py`` holds the contract of decoder-only models.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.errors import Closed, GraphMemError
from graphmem.fusion.config import FusionConfig
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import SIZES, VOCAB_SIZE, FixedMemory, byte_tokenizer, open_gates, tiny_model

LENGTH = 256
BOTH = dict(vocab_size=VOCAB_SIZE, eos_token_id=1, pad_token_id=1, decoder_start_token_id=0)
MASKED = dict(
    vocab_size=VOCAB_SIZE, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
    max_position_embeddings=LENGTH, pad_token_id=1,
)  # fmt: skip
OTHERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "T5": (
        transformers.AutoModelForSeq2SeqLM,
        {**BOTH, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 4, "num_heads": 4},
    ),
    "Bart": (
        transformers.AutoModelForSeq2SeqLM,
        {
            **BOTH, "d_model": 32, "encoder_layers": 4, "decoder_layers": 4, "encoder_attention_heads": 4,
            "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "bos_token_id": 0,
            "max_position_embeddings": LENGTH, "forced_eos_token_id": None,
        },
    ),
    "Bert": (transformers.AutoModelForMaskedLM, MASKED),
    "ModernBert": (
        transformers.AutoModelForMaskedLM,
        {**MASKED, "bos_token_id": 0, "eos_token_id": 1, "cls_token_id": 0, "sep_token_id": 1},
    ),
}  # fmt: skip


def other(name: str) -> Any:
    torch.manual_seed(0)
    kind, sizes = OTHERS[name]
    config = getattr(transformers, f"{name}Config")(**sizes)
    config._attn_implementation = "eager"
    return kind.from_config(config).float().eval()


@pytest.fixture(params=sorted(OTHERS))
def base(request: pytest.FixtureRequest) -> Any:
    return other(request.param)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return byte_tokenizer()


@pytest.fixture
def memory() -> FixedMemory:
    return FixedMemory("Ada Lovelace", "London", "1815")


@pytest.fixture
def ids() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randint(2, VOCAB_SIZE - 4, (2, 9))


def given(base: Any, ids: torch.Tensor) -> dict[str, Any]:
    """What a forward pass takes besides input ids: an encoder-decoder also wants the start of its answer."""
    return {"decoder_input_ids": ids[:, :5]} if base.config.is_encoder_decoder else {}


# ---------------------------------------------------------------- encoder-decoders and encoders


@torch.no_grad()
def test_closed_gates_and_detached_are_the_base_bit_for_bit(base, tokenizer, memory, ids) -> None:
    more = given(base, ids)
    before, keys = base(input_ids=ids, **more).logits, list(base.state_dict())
    model = attach(base, tokenizer, memory)
    assert torch.equal(model(ids, **more).logits, before) and memory.queries
    open_gates(model)
    assert not torch.equal(model(ids, **more).logits, before)
    with model.memory_disabled():
        assert torch.equal(model(ids, **more).logits, before)
    assert model.detach() is base and list(base.state_dict()) == keys
    assert torch.equal(base(input_ids=ids, **more).logits, before)


@torch.no_grad()
def test_an_empty_memory_adds_exactly_nothing(base, tokenizer, ids) -> None:
    more = given(base, ids)
    before = base(input_ids=ids, **more).logits
    assert torch.equal(open_gates(attach(base, tokenizer, FixedMemory()))(ids, **more).logits, before)


@torch.no_grad()
def test_padding_changes_nothing(base, tokenizer, memory, ids) -> None:
    model, found = open_gates(attach(base, tokenizer, memory)), memory.retrieve("")
    more = given(base, ids)
    alone = model(ids[:1, :6], retrieval=found, **{k: v[:1] for k, v in more.items()}).logits[0]
    row = torch.cat([ids[:1, :6], torch.full((1, 3), 1)], 1)
    mask = torch.cat([torch.ones(1, 6), torch.zeros(1, 3)], 1).long()
    both = torch.cat([row, ids[1:2]]), torch.cat([mask, torch.ones_like(ids[1:2])])
    out = model(both[0], attention_mask=both[1], retrieval=found, **more).logits[0]
    assert torch.allclose(out[: len(alone)], alone, atol=2e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", ["Bart", "T5"])
def test_encoder_decoders_generate_out_of_the_memory(name, tokenizer, memory, ids) -> None:
    base = other(name)
    model = open_gates(attach(base, tokenizer, memory))
    greedy = model.generate(ids, max_new_tokens=5, min_new_tokens=5, do_sample=False)
    assert len(memory.queries) == len(ids), "asked once a sample, with what the encoder reads"
    slow = model.generate(ids, max_new_tokens=5, min_new_tokens=5, do_sample=False, use_cache=False)
    assert torch.equal(greedy, slow)
    beams = model.generate(ids, num_beams=3, num_return_sequences=2, max_new_tokens=3, do_sample=False)
    assert beams.shape[0] == 4
    prompt = tokenizer(chat_prompt(tokenizer, "Who was it?"), return_tensors="pt", add_special_tokens=False)
    said = model.generate(prompt["input_ids"], max_new_tokens=4, do_sample=False)[0, 1:]
    answer = model.ask("Who was it?", max_new_tokens=4)
    assert answer.prompt_tokens == prompt["input_ids"].shape[1]
    assert answer.text == tokenizer.decode(said, skip_special_tokens=True).strip()


# ---------------------------------------------------------------- compiled, in halves, side by side


@torch.no_grad()
@pytest.mark.parametrize("name", ["Llama", "GPT2"])
def test_a_compiled_base_reads_the_same(name, tokenizer, memory, ids) -> None:
    base, found = tiny_model(name), memory.retrieve("")
    model = open_gates(attach(base, tokenizer, memory))
    expected = model(ids, retrieval=found).logits
    torch._dynamo.reset()
    base.forward = torch.compile(base.forward, backend="eager")
    try:
        assert torch.allclose(model(ids, retrieval=found).logits, expected, atol=1e-5)
        with model.memory_disabled():
            plain = model(ids).logits
        assert not torch.allclose(plain, expected, atol=1e-5)
        assert torch.allclose(model(ids, retrieval=found).logits, expected, atol=1e-5)
    finally:
        del base.forward
        torch._dynamo.reset()


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype, tokenizer, memory, ids) -> None:
    base = tiny_model("Llama")
    whole = open_gates(attach(base, tokenizer, memory))(ids).logits
    half = tiny_model("Llama").to(dtype)
    before = half(ids).logits
    model = attach(half, tokenizer, memory)
    assert torch.equal(model(ids).logits, before)
    logits = open_gates(model)(ids).logits
    assert logits.dtype == dtype and torch.isfinite(logits).all()
    assert (logits.float() - whole).abs().mean() < 0.1 * whole.abs().mean()
    assert model.generate(ids, max_new_tokens=3, min_new_tokens=3).shape == (2, 12)


@torch.no_grad()
def test_weights_saved_in_one_dtype_load_into_another(tokenizer, memory, ids, tmp_path: Path) -> None:
    model = open_gates(attach(tiny_model("Llama"), tokenizer, memory))
    model.save_pretrained(tmp_path)
    expected = model(ids).logits
    again = GraphMemoryModel.from_pretrained(
        tiny_model("Llama").to(torch.bfloat16), tmp_path, memory=memory, tokenizer=tokenizer
    )
    assert (again(ids).logits.float() - expected).abs().mean() < 0.1 * expected.abs().mean()


@torch.no_grad()
def test_threads_side_by_side_read_their_own_memory(tokenizer, ids) -> None:
    base = tiny_model("Llama")
    model = open_gates(attach(base, tokenizer, FixedMemory("Ada")))
    finds = [FixedMemory("Ada").retrieve(""), FixedMemory("Bob", "Cleo").retrieve(""), FixedMemory().retrieve("")]
    alone = [model(ids, retrieval=found).logits for found in finds]
    same: list[bool] = []

    def work(number: int) -> None:
        with torch.no_grad():
            for _ in range(8):
                same.append(torch.equal(model(ids, retrieval=finds[number]).logits, alone[number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1, 2, 1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(same) == 40 and all(same)


@torch.no_grad()
def test_two_models_share_one_memory(tokenizer, memory, ids) -> None:
    first, second = (
        open_gates(attach(tiny_model("Llama"), tokenizer, memory)),
        open_gates(attach(tiny_model("GPT2"), tokenizer, memory)),
    )
    one, two = first(ids).logits, second(ids).logits
    assert torch.equal(first(ids).logits, one) and torch.equal(second(ids).logits, two)
    first.detach()
    assert torch.equal(second(ids).logits, two)


# ---------------------------------------------------------------- training


def test_a_lora_on_the_same_base_trains_beside_the_memory(tokenizer, memory, ids) -> None:
    from peft import LoraConfig, get_peft_model

    base = tiny_model("Llama")
    before = base(ids).logits
    model = open_gates(attach(get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])), tokenizer, memory))
    assert not any("fusion" in name for name, _ in model.base.named_parameters())
    for name, parameter in model.base.named_parameters():
        parameter.requires_grad_("lora_" in name)
    model(ids, labels=ids).loss.backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert any("lora_B" in name for name in trained) and any(name.startswith("fusion.") for name in trained)
    assert all("lora_" in name or name.startswith("fusion.") for name in trained)
    adapted = model.detach()
    assert torch.allclose(adapted.unload()(ids).logits, before, atol=1e-6)


def _one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    memory = FixedMemory("Ada", "London") if rank else FixedMemory("Bob")
    model = open_gates(attach(tiny_model("Llama"), byte_tokenizer(), memory)).train()
    parallel = torch.nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)
    torch.manual_seed(rank)
    ids = torch.randint(2, VOCAB_SIZE - 4, (2, 7))
    parallel(ids, labels=ids, use_cache=False).loss.backward()
    grads = {name: p.grad for name, p in model.fusion.named_parameters() if p.grad is not None}
    torch.save(grads, f"{folder}/grads{rank}.pt")
    torch.distributed.destroy_process_group()


def _both(folder: str) -> None:
    context = torch.multiprocessing.get_context("fork")
    workers = [context.Process(target=_one_of_two, args=(rank, folder)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(max(abs(worker.exitcode or 0) for worker in workers))


def test_two_processes_agree_on_the_gradients(tmp_path: Path) -> None:
    """In a process of its own: one that has run other tests may have threads, which no fork survives."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, __file__, str(tmp_path)], env=environment, timeout=300, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    one, two = (torch.load(tmp_path / f"grads{rank}.pt") for rank in (0, 1))
    assert one.keys() == two.keys() and any(grad.abs().sum() > 0 for grad in one.values())
    assert all(torch.allclose(one[name], two[name], atol=1e-7) for name in one)


# ---------------------------------------------------------------- a memory that changes or goes away


def test_a_memory_changed_or_closed_meanwhile(tokenizer, encoder, ids) -> None:
    memory = GraphMemory.open(":memory:", encoder=encoder)
    memory.add("Ada", "born in", "London")
    model = open_gates(attach(tiny_model("Llama"), tokenizer, memory))
    prompt = tokenizer("Where was Ada born?", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        first = model(prompt, use_cache=True)
        expected = model(prompt, use_cache=True)
        memory.add("Ada", "born in", "Paris")
        step = first.logits[:, -1:].argmax(-1)
        kept = model(step, past_key_values=first.past_key_values, use_cache=True).logits
        assert torch.equal(first.logits, expected.logits)
        memory.close()
        again = model(step, past_key_values=expected.past_key_values, use_cache=True).logits
        assert torch.equal(kept, again), "what was found at the prompt is read on, whatever happens to the file"
        with pytest.raises(Closed, match="closed"):
            model(prompt)
        with model.memory_disabled():
            assert torch.isfinite(model(prompt).logits).all()
    assert issubclass(Closed, GraphMemError)


@torch.no_grad()
def test_embeddings_narrower_than_the_stream(tokenizer, memory, ids) -> None:
    sizes = {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 16, "dropout": 0.0}
    torch.manual_seed(0)
    base = transformers.AutoModelForCausalLM.from_config(transformers.OPTConfig(**sizes)).eval()
    before = base(ids).logits
    model = attach(base, tokenizer, memory, FusionConfig())
    assert torch.equal(model(ids).logits, before)
    assert not torch.equal(open_gates(model)(ids).logits, before)
    model.detach()
    assert torch.equal(base(ids).logits, before)


if __name__ == "__main__":
    _both(sys.argv[1])
