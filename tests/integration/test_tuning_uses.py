"""An attached model in other people's training loops: labels, Trainer, LoRA, checkpoints, and bases of odd shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from graphmem.core.errors import UnsupportedModel
from graphmem.fusion.config import FusionConfig
from graphmem.model import attach
from graphmem.testing import SIZES, VOCAB_SIZE, FixedMemory, open_gates, tiny_model

SMALL = dict(vocab_size=VOCAB_SIZE, pad_token_id=1, eos_token_id=1)


def gradients(model: Any, ids: torch.Tensor, **more: Any) -> dict[str, torch.Tensor]:
    model.zero_grad(set_to_none=True)
    model(ids, labels=ids, use_cache=False, **more).loss.backward()
    return {name: p.grad.clone() for name, p in model.fusion.named_parameters() if p.grad is not None}


def test_the_query_is_the_prompt_without_the_answer(tokenizer, memory) -> None:
    model = attach(tiny_model("Llama"), tokenizer, memory)
    prompts, answers = ["Who wrote it? ", "When? "], ["Ada", "In 1815"]
    rows = [tokenizer(p)["input_ids"] + tokenizer(a)["input_ids"] for p, a in zip(prompts, answers, strict=True)]
    width = max(map(len, rows))
    ids = torch.tensor([[1] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    labels = ids.clone()
    for row, answer in zip(labels, answers, strict=True):
        row[: -len(tokenizer(answer)["input_ids"])] = -100
    model(ids, mask, labels)
    assert memory.queries == ["Who wrote it?", "When?"]
    model(ids, mask, ids)
    assert memory.queries[2:] == ["Who wrote it? Ada", "When? In 1815"], "a text that is learned whole is the query"


def test_an_empty_retrieval_in_training_gives_zero_gradients_and_the_base(tokenizer, ids) -> None:
    base = tiny_model("Llama")
    before = base(ids).logits.detach()
    model = open_gates(attach(base, tokenizer, FixedMemory())).train()
    assert torch.equal(model(ids).logits, before)
    grads = gradients(model, ids)
    learning = {name for name, parameter in model.fusion.named_parameters() if parameter.requires_grad}
    assert grads.keys() == learning, "or data-parallel training would wait forever"
    assert all(torch.equal(grad, torch.zeros_like(grad)) for grad in grads.values())


@pytest.mark.parametrize("name", ["Llama", "GPT2"])
def test_reentrant_checkpoints_recompute_with_the_same_memory(name, tokenizer, memory, ids) -> None:
    base = tiny_model(name)
    model = open_gates(attach(base, tokenizer, memory, FusionConfig(layers=(1, 3), tap=0))).train()
    for module in base.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    plain = gradients(model, ids)
    base.gradient_checkpointing_enable({"use_reentrant": True})
    base.enable_input_require_grads()
    again = gradients(model, ids)
    assert plain.keys() == again.keys() and all(torch.allclose(plain[n], again[n], atol=1e-6) for n in plain)


def test_two_passes_before_one_backward(tokenizer, memory, ids) -> None:
    """The second pass must not change what a checkpoint of the first reads when it runs again."""
    base = tiny_model("Llama")
    model = open_gates(attach(base, tokenizer, memory)).train()
    finds = memory.retrieve(""), FixedMemory("Bob").retrieve("")

    def both() -> list[torch.Tensor]:
        model.zero_grad(set_to_none=True)
        one = model(ids, labels=ids, retrieval=finds[0], use_cache=False).loss
        two = model(ids[:1, :5], labels=ids[:1, :5], retrieval=finds[1], use_cache=False).loss
        (one + two).backward()
        return [p.grad.clone() for p in model.fusion.parameters() if p.requires_grad]

    plain = both()
    base.gradient_checkpointing_enable({"use_reentrant": False})
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(plain, both(), strict=True))


def test_trainer_moves_the_memory_layers_alone(tokenizer, memory, ids, tmp_path: Path) -> None:
    base = tiny_model("Llama")
    model = open_gates(attach(base, tokenizer, memory))
    kept = {name: value.clone() for name, value in base.state_dict().items()}
    start = {name: value.clone() for name, value in model.fusion.state_dict().items()}
    rows = [{"input_ids": row, "attention_mask": torch.ones_like(row), "labels": row} for row in ids] * 2
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=2, learning_rate=1e-2, report_to=[],
        use_cpu=True, save_strategy="steps", save_steps=1, disable_tqdm=True, gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False}, logging_strategy="no",
    )  # fmt: skip
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=rows, eval_dataset=rows)
    assert trainer.train().global_step == 2
    assert torch.isfinite(torch.tensor(trainer.evaluate()["eval_loss"]))
    assert any(not torch.equal(start[name], value) for name, value in model.fusion.state_dict().items())
    assert all(torch.equal(kept[name], value) for name, value in model.base.state_dict().items())
    assert (tmp_path / "checkpoint-2").exists()


def test_a_lora_before_or_after_attaching(tokenizer, memory, ids) -> None:
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    outs: list[torch.Tensor] = []
    for first in (True, False):
        base = tiny_model("Llama")
        torch.manual_seed(5)
        adapted = get_peft_model(base, lora) if first else base
        torch.manual_seed(6)
        model = attach(adapted, tokenizer, memory)
        if not first:
            torch.manual_seed(5)
            adapted = get_peft_model(base, lora)
        open_gates(model)
        model(ids, labels=ids).loss.backward()
        trained = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        assert any("lora_A" in name for name in trained) and any(name.startswith("fusion.") for name in trained)
        assert all("lora_" in name or name.startswith("fusion.") for name in trained)
        outs.append(model(ids).logits.detach())
        expected = adapted(ids).logits.detach()
        model.detach()
        assert all(p.requires_grad == ("lora_" in name) for name, p in adapted.named_parameters())
        merged = adapted.merge_and_unload()
        assert torch.allclose(merged(ids).logits, expected, atol=1e-5)
    assert torch.allclose(*outs, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("T5", dict(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_decoder_layers=3, num_heads=4,
                    decoder_start_token_id=0)),
        ("Bart", dict(d_model=32, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4,
                      decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, bos_token_id=0,
                      decoder_start_token_id=1)),
    ],
)  # fmt: skip
def test_an_encoder_of_another_depth_than_the_decoder(name, sizes, tokenizer, memory, ids) -> None:
    config = getattr(transformers, f"{name}Config")(**SMALL, **sizes)
    base = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    before = base(input_ids=ids, decoder_input_ids=ids).logits
    model = attach(base, tokenizer, memory)
    assert "decoder" in model.decoder.path and len(model.decoder.layers) == 3
    assert torch.equal(model(ids, decoder_input_ids=ids).logits, before)
    open_gates(model)
    first = model(ids, decoder_input_ids=ids[:, :4], use_cache=True)
    whole = model(ids, decoder_input_ids=ids[:, :5], retrieval=memory.retrieve("")).logits
    step = model(
        ids, decoder_input_ids=ids[:, 4:5], past_key_values=first.past_key_values,
        encoder_outputs=(first.encoder_last_hidden_state,),
    )  # fmt: skip
    assert torch.allclose(step.logits[:, 0], whole[:, 4], atol=2e-4)


@torch.no_grad()
def test_shared_layers_are_named_and_odd_widths_read(tokenizer, memory, ids) -> None:
    sizes = dict(**SMALL, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4)
    albert = transformers.AlbertForMaskedLM(transformers.AlbertConfig(**sizes, embedding_size=16)).eval()
    with pytest.raises(UnsupportedModel, match=r"albert_layer_groups \(1 x AlbertLayerGroup\)"):
        attach(albert, tokenizer, memory)
    electra = transformers.ElectraForMaskedLM(transformers.ElectraConfig(**sizes, embedding_size=16)).eval()
    path = "albert.encoder.albert_layer_groups"
    for base, config in ((albert, FusionConfig(layers_path=path)), (electra, FusionConfig())):
        before = base(ids).logits
        model = attach(base, tokenizer, memory, config)
        assert torch.equal(model(ids).logits, before)
        assert not torch.equal(open_gates(model)(ids).logits, before)
        assert torch.equal(model.detach()(ids).logits, before)


@torch.no_grad()
def test_narrow_embeddings_come_in_as_embeddings(tokenizer, memory, ids) -> None:
    sizes = {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 16, "dropout": 0.0}
    base = transformers.AutoModelForCausalLM.from_config(transformers.OPTConfig(**sizes)).eval()
    model, found = open_gates(attach(base, tokenizer, memory)), memory.retrieve("")
    embedded = base.get_input_embeddings()(ids)
    out = model(inputs_embeds=embedded, retrieval=[found, found]).logits
    assert torch.allclose(out, model(ids, retrieval=found).logits, atol=1e-5)


def test_an_encoder_trains_through_its_labels(tokenizer, memory, ids) -> None:
    sizes = dict(**SMALL, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4)
    model = open_gates(attach(transformers.BertForMaskedLM(transformers.BertConfig(**sizes)).eval(), tokenizer, memory))
    labels = torch.where(torch.arange(9) == 3, ids, -100)
    model(ids, labels=labels).loss.backward()
    assert len(memory.queries[0]) > 8, "the query has both sides of a mask"
    assert all(p.grad is not None for p in model.fusion.parameters() if p.requires_grad)
    with pytest.raises(UnsupportedModel, match="BertForMaskedLM writes no text"):
        model.ask("Who?")
