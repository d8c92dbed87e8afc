from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.retrieval.nn.gnn import FEATURES, GNNConfig, QueryConv, RelevanceGNN, node_features


def inputs(nodes: int = 6, arcs: int = 10, dim: int = 16) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [
        torch.randn(nodes, FEATURES), torch.randn(dim), torch.randn(4, dim), torch.randint(nodes, (2, arcs)),
        torch.randint(4, (arcs,)), torch.randn(3, 4),
    ]  # fmt: skip


def noisy(gnn: RelevanceGNN) -> RelevanceGNN:
    for parameter in gnn.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return gnn.eval()


def test_before_training_it_ranks_by_activation() -> None:
    states, logits = RelevanceGNN(GNNConfig(dim=16, width=8))(*(given := inputs()))
    assert states.shape == (6, 8) and torch.equal(logits, given[0][:, 0])


def test_the_order_of_nodes_and_arcs_does_not_matter() -> None:
    gnn, (features, question, relations, edges, codes, gates) = (
        noisy(RelevanceGNN(GNNConfig(dim=16, width=8))),
        inputs(),
    )
    turn, shuffle = torch.randperm(6), torch.randperm(10)
    place = torch.argsort(turn)
    _, logits = gnn(features, question, relations, edges, codes, gates)
    _, turned = gnn(features[turn], question, relations, place[edges][:, shuffle], codes[shuffle], gates)
    assert torch.allclose(logits[turn], turned, atol=1e-5)


def test_the_question_and_the_arcs_matter() -> None:
    gnn, given = noisy(RelevanceGNN(GNNConfig(dim=16, width=8))), inputs()
    _, logits = gnn(*given)
    other = [*given]
    other[1] = torch.randn(16)
    assert not torch.allclose(logits, gnn(*other)[1])
    other = [*given]
    other[4] = (given[4] + 1) % 4
    assert not torch.allclose(logits, gnn(*other)[1])


def test_a_node_without_arcs_keeps_to_itself() -> None:
    conv = QueryConv(4).eval()
    states, empty = torch.randn(3, 4), torch.zeros(2, 0, dtype=torch.long)
    both = conv(states, empty, torch.zeros(0, 4))
    assert torch.allclose(both[1], conv(states[1:2], empty, torch.zeros(0, 4))[0], atol=1e-6)


def test_features_say_what_activation_knows() -> None:
    found = SimpleNamespace(
        activation=np.asarray([0.5, 0.25, 0.25], np.float32), best=np.asarray([[2, 0], [1, 0], [3, 0]]),
        path_counts=np.asarray([1, 3, 1], np.float32),
    )  # fmt: skip
    features = node_features(found, np.asarray([5, 2, 1, 9]), 1)
    assert features.shape == (4, FEATURES)
    assert features[:3, 0].exp().tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert features[:3, 2:5].argmax(1).tolist() == [1, 0, 2] and features[:, 8].tolist() == [0, 0, 0, 1]
    assert features[1, 7] == features[2, 7] > features[0, 7] and features[3, 0] < features[:3, 0].min()


def test_sizes_are_checked() -> None:
    with pytest.raises(InvalidValue, match="width.*-1"):
        GNNConfig(width=-1)


def test_a_search_gets_what_training_gets() -> None:
    gnn, given = noisy(RelevanceGNN(GNNConfig(dim=16, width=8))), inputs(nodes=40, arcs=300)
    learning = gnn(*given)
    with torch.inference_mode():
        searching = gnn(*given)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(learning, searching, strict=True))
