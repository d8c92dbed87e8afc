"""Models from GGUF files, converted once, with the tensors and tokens that transformers reads; the evidence encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quants

from graphmem.core.errors import ModelNotFound, UnsupportedModel, WeightsMismatch
from graphmem.hub import load_evidence_encoder, load_language_model
from graphmem.memory import GraphMemory
from graphmem.testing import HashEncoder

WIDTH, HIDDEN, TOKENS = 64, 96, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefgh", "Ġ", "ab", "cd", "Ġa"]


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny Llama with quantised tensors, as a GGUF file in a folder of its own."""
    monkeypatch.setenv("GRAPHMEM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "models" / "tiny.gguf"
    path.parent.mkdir()
    writer, rng = GGUFWriter(str(path), "llama"), np.random.default_rng(0)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(2)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 3] + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["a b", "c d", "Ġ a"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    shapes = {"token_embd": (len(TOKENS), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(2):
        names = {"attn_q": WIDTH, "attn_k": WIDTH // 2, "attn_v": WIDTH // 2, "attn_output": WIDTH}
        shapes |= {f"blk.{layer}.{name}": (rows, WIDTH) for name, rows in names.items()}
        shapes |= {f"blk.{layer}.{name}": (HIDDEN, WIDTH) for name in ("ffn_gate", "ffn_up")}
        shapes |= {f"blk.{layer}.ffn_down": (WIDTH, HIDDEN)}
        shapes |= {f"blk.{layer}.{name}": (WIDTH,) for name in ("attn_norm", "ffn_norm")}
    for name, shape in shapes.items():
        values = rng.normal(size=shape).astype(np.float32)
        if len(shape) == 2:
            kind = GGMLQuantizationType.Q4_1
            writer.add_tensor(f"{name}.weight", quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(model: Any) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_converted_model_is_the_file_s_bit_for_bit(gguf: Path, dtype: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    wanted, tokens = (
        AutoModelForCausalLM.from_pretrained(**where, dtype=getattr(torch, dtype)),
        AutoTokenizer.from_pretrained(**where),
    )
    for _ in range(2):  # converted, then from the cache
        model, tokenizer = load_language_model(str(gguf), dtype)
        have, want = tensors(model), tensors(wanted)
        assert set(have) == set(want)
        assert all(have[name].dtype == want[name].dtype and torch.equal(have[name], want[name]) for name in want)
        assert model.lm_head.weight is model.model.embed_tokens.weight and not model.training
        assert all(parameter.requires_grad for parameter in model.parameters())
        for text in ("ab cd", "<|im_start|>a<|im_end|>", "  hh a"):
            assert tokenizer(text)["input_ids"] == tokens(text)["input_ids"]
    assert len(list((gguf.parents[1] / "cache").iterdir())) == 1


def test_accelerate_is_not_needed(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr("transformers.modeling_utils.is_accelerate_available", lambda *_, **__: False)
    with pytest.raises(ValueError, match="accelerate is required"):
        AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    model, tokenizer = load_language_model(str(gguf))
    assert model(**tokenizer("ab", return_tensors="pt")).logits.shape[-1] == len(TOKENS)


def test_changing_the_loaded_weights_leaves_the_cache_as_it_is(gguf: Path) -> None:
    model, _ = load_language_model(str(gguf), "float32")
    before = model.model.norm.weight.clone()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert torch.equal(load_language_model(str(gguf), "float32")[0].model.norm.weight, before)


def test_a_damaged_file_is_a_typed_error_and_leaves_nothing(gguf: Path) -> None:
    gguf.write_bytes(gguf.read_bytes()[:3000])
    with pytest.raises(UnsupportedModel, match="damaged"):
        load_language_model(str(gguf))
    assert list((gguf.parents[1] / "cache").iterdir()) == []


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        load_language_model(str(tmp_path / "none.gguf"))


@pytest.mark.slow
def test_the_packaged_model_is_the_file_s_bit_for_bit() -> None:
    from transformers import AutoModelForCausalLM

    from graphmem.hub import locate

    found = locate("smollm2-135m")
    want = AutoModelForCausalLM.from_pretrained(found.where, gguf_file=found.gguf, dtype=torch.bfloat16)
    have, want = tensors(load_language_model()[0]), tensors(want)
    assert set(have) == set(want) and all(torch.equal(have[name], want[name]) for name in want)


def test_without_the_shipped_evidence_weights_a_memory_answers_from_search_alone(
    encoder: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("graphmem.encoding.evidence_encoder.SHIPPED", tmp_path / "none.safetensors")
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        with pytest.warns(UserWarning, match="without the evidence encoder") as said:
            assert memory.evidence_reader is None and memory.evidence_reader is None
        assert len(said) == 1


def test_memories_of_one_text_encoder_share_the_evidence_encoder(encoder: Any) -> None:
    first, second = load_evidence_encoder(encoder), load_evidence_encoder(encoder)
    assert first is not None and first is second
    other = load_evidence_encoder(HashEncoder(16))
    assert other is not None and other is load_evidence_encoder(HashEncoder(16))
    with pytest.raises(WeightsMismatch, match="cannot read"):
        load_evidence_encoder(encoder, "no/such.safetensors")
