"""Training of memory layers: cached states equal the whole forward pass, losses fall, runs are resumed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from graphmem.fusion.candidates import FEATURES
from graphmem.fusion.config import REFUSAL, FusionConfig
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.layers import ADDED_LATER
from graphmem.fusion.memory_tokens import collate
from graphmem.generation.batching import right_padded
from graphmem.model import GraphMemoryModel, attach
from graphmem.training.fusion.examples import Example, ExampleBuilder, NamePool, name_examples, world_examples
from graphmem.training.fusion.mixture import continuations
from graphmem.training.fusion.trainer import FusionTrainer, FusionTraining, LowerLayers
from graphmem.training.loop import LoopConfig, one_cycle

NAMES = ["Ada Lovelace", "Ada Byron", "London", "Paris", "1815", "Tokyo Story", "M. Night", "Émile"]


@pytest.fixture
def build(model: GraphMemoryModel) -> ExampleBuilder:
    return ExampleBuilder(model)


def trainer(model: GraphMemoryModel, build: ExampleBuilder, steps: int, **settings: Any) -> FusionTrainer:
    learned = [build.answer("Who?", name) for name in NAMES]
    kept = [Example((5,), tuple(range(6, 40)), keep=True, answerable=0.9)]
    config = FusionTraining(
        LoopConfig(steps, log_every=5, save_every=5), batch=8, kl_batch=1, rate=1e-2, gate=0.8, **settings
    )
    return FusionTrainer(model, [(1.0, learned)], kept, NamePool(NAMES), config)


@torch.no_grad()
def test_cached_lower_layers_give_the_whole_forward(model: GraphMemoryModel, build: ExampleBuilder) -> None:
    for layer in model.fusion.layers:
        torch.nn.init.constant_(model.fusion[layer].gate, 0.7)
    texts = [build.ids("Where was Ada born?"), build.ids("Hm")]
    lower = LowerLayers(model)
    lower.add(texts)
    ids, mask = right_padded(texts)
    early, late = lower.states(texts)
    seen = [NamePool(NAMES).candidates(Random(i), "London", 4, None) for i in range(2)]
    tokens = collate(model.names, seen)
    context = lambda: MemoryContext(
        model.fusion, model.fusion.project(tokens, model.table, torch.float32), tokens.answerable
    )
    mine = lower.scores(lower.upper(ids, mask, late, early, context()))
    with active_context(context()):
        whole = model.base(input_ids=ids, attention_mask=mask).logits
    assert torch.allclose(mine[0], whole[0], atol=1e-4) and torch.allclose(mine[1, :2], whole[1, :2], atol=1e-4)
    without = lower.scores(lower.upper(ids, mask, late, early, None))
    assert torch.allclose(without[0], model.base(ids[:1]).logits[0], atol=1e-4)


def test_training_lowers_the_loss_and_leaves_the_base(
    model: GraphMemoryModel, build: ExampleBuilder, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in model.base.state_dict().items()}
    with torch.no_grad():  # else prefixes match from the start, and little is left to learn
        for name, value in model.fusion.named_parameters():
            if name.endswith(ADDED_LATER):
                value.zero_()
    log = trainer(model, build, 40).train(tmp_path)
    assert log[-1]["answer"] < 0.9 * log[0]["answer"]
    assert all(torch.equal(before[name], value) for name, value in model.base.state_dict().items())
    assert (tmp_path / "fusion.safetensors").exists() and (tmp_path / "log.jsonl").read_text().count("\n") == 8
    assert list(model.decoder.layers) and not any("forward" in vars(layer) for layer in model.decoder.layers)


def test_everything_is_on_the_models_device(model: GraphMemoryModel, build: ExampleBuilder, tmp_path: Path) -> None:
    """Tensors made without a device land on another one here, and cannot be combined with the model's."""
    with torch.device("meta"):
        made = trainer(model, build, 5)
        parts, figures = made.losses(0)
        out = continuations(model, [build.ids("Who?"), build.ids("Where was Ada?")], length=2)
    assert {loss.device.type for loss in parts.values()} == {"cpu"} and set(parts) == {"answer", "kl"}
    assert all(bool(loss.isfinite()) for loss in parts.values()) and 0 <= figures["exact"] <= 1 and len(out) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_runs_on_a_gpu(model: GraphMemoryModel, build: ExampleBuilder, tmp_path: Path) -> None:
    moved = attach(model.detach().to("cuda"), model.tokenizer, model.memory, model.config)
    log = trainer(moved, build, 10).train(tmp_path)
    assert log[-1]["answer"] < log[0]["answer"]
    assert {p.device.type for p in moved.fusion.parameters()} == {"cuda"}


def test_a_resumed_run_equals_an_uninterrupted_one(
    model: GraphMemoryModel, build: ExampleBuilder, tmp_path: Path
) -> None:
    start = {name: value.clone() for name, value in model.fusion.state_dict().items()}
    whole = trainer(model, build, 10).train(tmp_path / "whole")
    end = {name: value.clone() for name, value in model.fusion.state_dict().items()}
    model.fusion.load_state_dict(start)
    run = trainer(model, build, 10)
    losses = run.losses

    def stop_at_five(step: int) -> Any:
        if step == 5:
            raise KeyboardInterrupt
        return losses(step)

    run.losses = stop_at_five  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run.train(tmp_path / "parts")
    model.fusion.load_state_dict(start)
    again = trainer(model, build, 10).train(tmp_path / "parts")
    assert [line["answer"] for line in again] == pytest.approx([line["answer"] for line in whole], rel=1e-4)
    assert all(torch.allclose(end[n], v, atol=1e-4) for n, v in model.fusion.state_dict().items())


def test_drawn_candidates_put_the_right_name_first_and_never_twice() -> None:
    pool = NamePool(NAMES)
    for seed in range(40):
        seen = pool.candidates(Random(seed), "ADA lovelace", 6, None)
        assert seen.names[0] == "ADA lovelace" and len(seen.names) <= 6
        assert len({name.casefold() for name in seen.names}) == len(seen.names)
        assert seen.features.shape == (len(seen.names), len(FEATURES)) and seen.answerable > 0.4
    assert "Ada Byron" in {n for s in range(9) for n in pool.candidates(Random(s), "Ada Lovelace", 4, 0.9).names}


def test_examples_end_their_answers_and_know_the_space(build: ExampleBuilder) -> None:
    stop = build.names.stop
    chat = build.answer("who?", "Paris")
    plain = build.answer("who?", "Paris", "Question: {q}\nAnswer:")
    assert chat.target == (*build.ids("Paris"), stop) and plain.target == (*build.ids(" Paris"), stop)
    sentence = build.statement("{s} was born in {o}.", "Ada", "London")
    assert sentence is not None and sentence.ids == build.ids("Ada was born in London.")
    assert build.statement("{o} saw {s} born.", "Ada", "London") is None, "the name must come last"


def test_worlds_teach_answers_and_refusals(build: ExampleBuilder) -> None:
    made = world_examples(build, Random(0), 120, entities=80)
    assert len(made) == 120 and {e.gold == REFUSAL for e in made} == {True, False}
    assert all(e.answerable is not None and e.answerable < 0.5 for e in made if e.gold == REFUSAL)
    assert len({e.gold for e in name_examples(build, Random(0), NAMES, 60)}) > 20


def test_the_rate_rises_then_falls() -> None:
    rates = [one_cycle(step, 100, 0.1) for step in range(100)]
    assert rates[0] < 0.2 and max(rates) == pytest.approx(1.0) and rates.index(max(rates)) in (9, 10)
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False)) and rates[-1] < 0.03


def test_one_call_trains_in_two_cycles_and_resumes(model: GraphMemoryModel, tmp_path: Path) -> None:
    from graphmem.training.fusion.mixture import Sizes
    from graphmem.training.fusion.train import train_fusion

    base, tokenizer = model.detach(), model.tokenizer
    sizes = Sizes(retrieved=0, unknown=0, worlds=12, names=6, drawn=4, plain=3, unrelated=2, unanswered=2)
    config = FusionConfig(layers=(2, 3), tap=1, max_nodes=4, match_width=32, min_attention=0.1)
    settings = FusionTraining(LoopConfig(3, log_every=1), batch=2, kl_batch=1)
    made = train_fusion(base, tokenizer, None, tmp_path, config, settings, names=NAMES, sizes=sizes, refine=2)
    assert [(tmp_path / part / "log.jsonl").read_text().count("\n") for part in (".", "refined")] == [3, 2]
    saved = {name: value.clone() for name, value in made.fusion.state_dict().items()}
    made.detach()
    again = train_fusion(base, tokenizer, None, tmp_path, config, settings, names=NAMES, sizes=sizes, refine=2)
    assert all(torch.allclose(saved[name], value) for name, value in again.fusion.state_dict().items())
    loaded = GraphMemoryModel.from_pretrained(again.detach(), tmp_path, memory=again.memory, tokenizer=tokenizer)
    assert loaded.config.min_attention == 0.1 and loaded.fusion[2].min_attention == 0.1
