"""Gated cross-attention: copying by construction, null slots, relative gates, token tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from graphmem.core.decoder import Decoder
from graphmem.core.errors import InvalidValue
from graphmem.fusion.candidates import FEATURES
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.cross_attention import GatedCrossAttention, TokenContext
from graphmem.fusion.layers import FusionLayers, default_layers, default_tap
from graphmem.fusion.memory_tokens import END, INSIDE, NO_TOKEN, START, MemoryTokens, TokenTable, unit
from graphmem.fusion.prefix_matching import match_prefixes

V, D = 50, 256
CONFIG = FusionConfig(heads=4, match_width=256, layers=(1,), tap=0, max_name_tokens=8)


@pytest.fixture
def table() -> TokenTable:
    torch.manual_seed(0)
    weights = torch.randn(V, D) + 2.0  # a common mean, as real embeddings have
    return TokenTable(weights, weights)


@pytest.fixture
def layer() -> GatedCrossAttention:
    torch.manual_seed(1)
    return GatedCrossAttention(D, (D, D), CONFIG)


def slots_of(*names: list[int], stop: int = 1) -> MemoryTokens:
    rows = []
    for node, name in enumerate(names):
        tokens = [*name, stop]
        for i, token in enumerate(tokens):
            kind = START if i == 0 else END if token == stop else INSIDE
            rows.append((token, kind, node))
    columns = [torch.tensor(column)[None] for column in zip(*rows, strict=True)]
    features = torch.zeros(1, len(rows), len(FEATURES))
    features[0, :, 0] = (columns[2][0] == 0).float()
    features[0, :, 2] = torch.log1p(columns[2][0].float()) / 2
    return MemoryTokens(
        *columns, features, torch.ones(1, len(rows), dtype=torch.bool), torch.zeros(1), prefixes_of(names, stop)
    )


def prefixes_of(names: tuple[list[int], ...], stop: int) -> torch.Tensor:
    depth = max(2, *map(len, names))
    ways = [name[:i][::-1] + [NO_TOKEN] * (depth - i) for name in names for i in range(len(name) + 1)]
    return torch.tensor(ways)[None, :, None].expand(-1, -1, 2, -1)


def context(table: TokenTable, *tokens: int) -> TokenContext:
    return TokenContext(table.inputs(torch.tensor([tokens])), torch.zeros(1, len(tokens), D))


def test_untrained_attention_continues_the_current_name(layer: GatedCrossAttention, table: TokenTable) -> None:
    tokens = slots_of([10, 11, 12], [20, 21], [30])
    slots = layer.project(tokens, table, torch.float32)
    read, weights = layer(torch.randn(1, 4, D), context(table, 10, 11, 20, 40), slots, tokens.answerable)
    best = tokens.token[0][weights.mean(1)[0].argmax(-1)]
    assert best[:3].tolist() == [11, 12, 21]
    closest = (unit(read[0, :3]) @ table.outputs(torch.arange(V)).T).argmax(-1)
    assert closest.tolist() == [11, 12, 21], "attending to a slot raises its token before training"


def test_at_a_new_token_the_best_ranked_node_is_read(layer: GatedCrossAttention, table: TokenTable) -> None:
    tokens = slots_of([10, 11], [20, 21])
    slots = layer.project(tokens, table, torch.float32)
    _, weights = layer(torch.randn(1, 1, D), context(table, 45), slots, tokens.answerable)
    of_node = torch.zeros(2).index_add_(0, tokens.node[0], weights.mean(1)[0, 0].detach())
    assert of_node[0] > 5 * of_node[1]


def test_names_that_share_a_token_are_ranked(layer: GatedCrossAttention, table: TokenTable) -> None:
    tokens = slots_of([10, 11], [10, 12])
    slots = layer.project(tokens, table, torch.float32)
    _, weights = layer(torch.randn(1, 1, D), context(table, 10), slots, tokens.answerable)
    assert int(tokens.token[0][weights.mean(1)[0, 0].argmax()]) == 11


def test_a_null_slot_that_takes_all_leaves_exactly_nothing(layer: GatedCrossAttention, table: TokenTable) -> None:
    torch.nn.init.constant_(layer.gate, 1.0)
    torch.nn.init.constant_(layer.null.bias, 1e4)
    tokens = slots_of([10, 11])
    x = torch.randn(1, 2, D)
    read, weights = layer(x, context(table, 10, 3), layer.project(tokens, table, torch.float32), tokens.answerable)
    assert weights.sum() == 0 and torch.equal(layer.gated(x, read), x)


def test_positions_below_the_threshold_read_exactly_nothing(table: TokenTable) -> None:
    torch.manual_seed(1)
    open_, cut = (
        GatedCrossAttention(D, (D, D), CONFIG),
        GatedCrossAttention(D, (D, D), replace(CONFIG, min_attention=0.9)),
    )
    cut.load_state_dict(open_.state_dict())
    for layer in (open_, cut):
        torch.nn.init.constant_(layer.null.bias, 4.5)
    tokens, x = slots_of([10, 11, 12], [20]), torch.randn(1, 2, D)
    where = context(table, 10, 45)  # inside a name; at a token that no name holds
    mass = lambda layer: layer(x, where, layer.project(tokens, table, torch.float32), tokens.answerable)[1].sum(-1)[0]
    assert (mass(open_).mean(0) > 0).all() and mass(open_).mean(0)[0] > 0.9 > mass(open_).mean(0)[1]
    assert mass(cut).mean(0)[0] > 0 and mass(cut)[:, 1].abs().max() == 0


def test_masked_slots_are_never_read(layer: GatedCrossAttention, table: TokenTable) -> None:
    tokens = slots_of([10, 11], [20])
    tokens.mask[0, :3] = False
    slots = layer.project(tokens, table, torch.float32)
    _, weights = layer(torch.randn(1, 2, D), context(table, 10, 40), slots, tokens.answerable)
    assert weights[..., :3].sum() == 0 and weights[..., 3:].sum() > 0


def test_all_heads_read_the_same_slots(layer: GatedCrossAttention, table: TokenTable) -> None:
    layer.start_bias.data[0] = torch.tensor([16.0, -2.0, 16.0, -2.0])  # alone, two heads would start either name
    tokens = slots_of([10, 11], [20, 21])
    read, weights = layer(
        torch.randn(1, 1, D), context(table, 45), layer.project(tokens, table, torch.float32), tokens.answerable
    )
    shares = weights[0, :, 0] / weights[0, :, 0].sum(-1, keepdim=True)
    assert torch.allclose(shares, shares[:1].expand_as(shares), atol=1e-6)
    assert int((unit(read[0, 0]) @ table.outputs(torch.arange(V)).T).argmax()) == 10, "no token of two halves"


def test_a_matched_prefix_lowers_the_null_slot_only_in_a_question(
    layer: GatedCrossAttention, table: TokenTable
) -> None:
    torch.nn.init.constant_(layer.null.bias, 9.0)
    tokens, text = slots_of([10, 11, 12, 13]), torch.tensor([[45, 10, 11, 12]])
    slots = layer.project(tokens, table, torch.float32)
    known = replace(context(table, *text[0].tolist()), matches=match_prefixes(text, 4, tokens.prefixes))
    question, plain = (
        layer(torch.zeros(1, 4, D), known, slots, tokens.answerable, threshold)[1].sum(-1).mean(1)[0]
        for threshold in (None, 0.0)
    )
    assert torch.allclose(question[:2], plain[:2]) and (question[2:] > plain[2:] + 0.05).all()


def test_a_sample_without_slots_has_finite_gradients(layer: GatedCrossAttention, table: TokenTable) -> None:
    tokens = slots_of([10, 11])
    tokens.mask[:] = False
    x = torch.randn(1, 2, D)
    read, weights = layer(x, context(table, 10, 40), layer.project(tokens, table, torch.float32), tokens.answerable)
    (read.sum() + weights.sum()).backward()
    assert weights.sum() == 0 and all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())


def test_the_gate_is_relative_to_the_stream(layer: GatedCrossAttention) -> None:
    torch.nn.init.constant_(layer.gate, 0.5)
    x, read = torch.randn(1, 3, D), torch.randn(1, 3, D)
    small, large = layer.gated(x, read) - x, layer.gated(100 * x, read) - 100 * x
    assert torch.allclose(100 * small, large, rtol=1e-3, atol=1e-3)
    torch.nn.init.zeros_(layer.gate)
    assert torch.equal(layer.gated(x, read), x)


def test_scaled_embeddings_match_the_table(table: TokenTable) -> None:
    ids = torch.tensor([3, 4])
    embedded = torch.nn.functional.embedding(ids, table.weight) * 8.0  # as Gemma scales them
    assert torch.allclose(table.centre(embedded), table.inputs(ids), atol=1e-4)
    everything = table.inputs(torch.arange(V))
    assert everything.mean(0).abs().max() < 0.05 and torch.allclose(unit(everything), everything, atol=1e-4)


def test_biases_learn_fastest_and_gates_faster_than_matrices() -> None:
    weights = torch.zeros(V, D)
    decoder = Decoder(torch.nn.ModuleList(), "", torch.nn.Identity(), weights, weights, D)
    fusion = FusionLayers(decoder, replace(CONFIG, layers=(1, 2)))
    slow, middle, quick = fusion.parameter_groups(1e-3, 16.0)
    counted = sum(p.numel() for group in (slow, middle, quick) for p in group["params"])
    assert counted == sum(p.numel() for p in fusion.parameters() if p.requires_grad)
    assert quick["lr"] == pytest.approx(1.6e-2) and quick["weight_decay"] == 0
    assert any(p is fusion[1].gate for p in middle["params"]) and any(
        p is fusion[1].match.weight for p in slow["params"]
    )
    assert fusion.gates() == {1: 0.0, 2: 0.0}


@pytest.mark.parametrize("depth", [1, 2, 4, 12, 30, 80])
def test_default_layers_are_late_and_inside(depth: int) -> None:
    layers = default_layers(depth)
    assert layers == tuple(sorted(set(layers))) and 0 <= layers[0] and layers[-1] < depth
    assert default_tap(depth) < depth and (depth < 8 or default_tap(depth) < layers[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"heads": 0},
        {"match_width": 30},
        {"max_nodes": 0},
        {"layers": (3, 2)},
        {"refusal": " "},
        {"tap": -1},
        {"min_attention": 1.0},
    ],
)
def test_configs_refuse_nonsense(wrong: dict) -> None:
    with pytest.raises(InvalidValue, match=str(next(iter(wrong)))):
        FusionConfig(**wrong)
