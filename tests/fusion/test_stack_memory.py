"""A memory on a plain PyTorch stack."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphmem.core.errors import InvalidValue, NotAttached, UnsupportedModel
from graphmem.core.types import Subgraph
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.stack_memory import StackMemory

V, D = 40, 32
STOP = 1


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(D, D)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.tanh(self.mix(x))


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, D)
        self.blocks = nn.ModuleList([Block() for _ in range(4)])
        self.head = nn.Linear(D, V, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def letters(text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
    return {"input_ids": [2 + ord(c) % 38 for c in text]}


def found(*names: str) -> Any:
    scores, none = -np.arange(len(names), dtype=np.float32), np.zeros(0, np.int64)
    graph = Subgraph(np.arange(len(names)), scores, np.exp(scores), np.zeros((2, 0), np.int64), none, none)
    return SimpleNamespace(
        nodes=[SimpleNamespace(id=i, name=n) for i, n in enumerate(names)], subgraph=graph, answerable=0.9
    )


@pytest.fixture
def model() -> Plain:
    torch.manual_seed(0)
    return Plain()


def made(model: Plain, **parts: Any) -> StackMemory:
    named = {"layers": "blocks", "embedding": "embed", "head": "head", **parts}
    return StackMemory(model, letters, STOP, config=FusionConfig(heads=2, match_width=16), **named)


@torch.no_grad()
def test_reads_only_inside_the_block_and_detaches_exactly(model: Plain) -> None:
    ids = torch.randint(2, V, (2, 5))
    before, keys = model(ids), list(model.state_dict())
    memory = made(model)
    with memory.reading(found("ada")):
        assert torch.equal(model(ids), before), "closed gates"
    for layer in memory.fusion.layers:
        nn.init.constant_(memory.fusion[layer].gate, 1.0)
    with memory.reading([found("ada"), found("ada", "bob")]):
        assert not torch.equal(model(ids), before)
    with memory.reading(found()):
        assert torch.equal(model(ids), before)
    assert torch.equal(model(ids), before)
    assert memory.detach() is model and list(model.state_dict()) == keys
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(NotAttached), memory.reading(found("ada")):
        pass


def test_memory_layers_learn_to_generate_candidates(model: Plain) -> None:
    memory = made(model)
    optimizer = torch.optim.AdamW(memory.fusion.parameter_groups(3e-3, 10.0))
    ids = torch.randint(2, V, (4, 3))
    names = ["ada", "bob", "cleo", "dan"]
    first = torch.tensor([letters(name)["input_ids"][0] for name in names])
    losses = []
    for _ in range(60):
        with memory.reading([found(name, "zoe") for name in names]):
            loss = nn.functional.cross_entropy(model(ids)[:, -1], first)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0] and all(p.grad is None for p in model.parameters())


class Checkpointed(Plain):
    reentrant: bool | None = None

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant)
        return self.head(x)


def test_a_checkpoint_reads_again_what_it_read() -> None:
    """Two passes, the backward of both after both are over: each layer runs again with its own pass's memory."""
    torch.manual_seed(0)
    base = Checkpointed()
    memory = StackMemory(
        base, letters, STOP, layers="blocks", embedding="embed", head="head",
        config=FusionConfig(heads=2, match_width=16, layers=(1, 3), tap=0),
    )  # fmt: skip
    for layer in memory.fusion.layers:
        nn.init.constant_(memory.fusion[layer].gate, 0.5)
    ids = torch.randint(2, V, (2, 5))

    def gradients(reentrant: bool | None) -> dict[str, Tensor]:
        base.reentrant = reentrant
        memory.fusion.zero_grad()
        loss = torch.zeros(())
        for rows, name in ((ids, "ada"), (ids[:, :3], "bob")):
            with memory.reading(found(name, "zoe")):
                loss = loss + base(rows).logsumexp(-1).mean()
        loss.backward()
        return {n: p.grad.clone() for n, p in memory.fusion.named_parameters() if p.grad is not None}

    def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
        return one.keys() == two.keys() and all(torch.allclose(one[n], two[n], atol=1e-6) for n in one)

    plain = gradients(None)
    assert plain and same(plain, gradients(False))
    with pytest.raises(InvalidValue, match="use_reentrant"):
        gradients(True)
    handle = base.embed.register_forward_hook(lambda module, args, output: output.requires_grad_())
    assert same(plain, gradients(True))
    handle.remove()


def test_wrong_paths_list_what_there_is(model: Plain) -> None:
    with pytest.raises(UnsupportedModel, match="'layers' names no ModuleList of Plain; there are: blocks"):
        made(model, layers="layers")
    with pytest.raises(UnsupportedModel, match="names no Embedding"):
        made(model, embedding="head")
