"""Graph network: messages as PyG aggregates them, invariance to order and company, its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.nn.aggr import MaxAggregation, MeanAggregation

from graphmem.core.errors import WeightsMismatch
from graphmem.reasoning import graph_network
from graphmem.reasoning.evidence_graph import FEATURES, EvidenceGraph
from graphmem.reasoning.graph_network import (
    GraphBatch,
    GraphNetwork,
    aggregate,
    load_graph_network,
    log_sum_exp,
    save_graph_network,
    weights_of,
)


def graph(supports: int, answers: int, seed: int = 0) -> EvidenceGraph:
    rng = np.random.default_rng(seed)
    answer_of = np.concatenate([np.arange(answers), rng.integers(0, answers, supports - answers)])
    to_answers = [(s, a, 0) for s, a in enumerate(answer_of.tolist())]
    to_topics = [(s, answers + int(rng.integers(0, 2)), 1) for s in range(0, supports, 2)]
    features = rng.normal(size=(supports, len(FEATURES))).astype(np.float32)
    edges = np.array([*to_answers, *to_topics], np.int64).T
    return EvidenceGraph(features, edges, answers + 2, answers, answer_of, rng.normal(size=supports).astype(np.float32))


def network(seed: int = 0) -> GraphNetwork:
    """A network whose outputs are not zero."""
    torch.manual_seed(seed)
    made = GraphNetwork(16)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def test_messages_are_aggregated_as_pyg_does() -> None:
    torch.manual_seed(0)
    messages, to = torch.randn(12, 5), torch.randint(0, 6, (12,))
    expected = torch.cat([module(messages, to, dim_size=7) for module in (MaxAggregation(), MeanAggregation())], 1)
    assert torch.allclose(aggregate(messages, to, 7), expected) and not expected[6].any()


def test_log_sum_exp_is_that_of_each_place() -> None:
    values, to = torch.tensor([1.0, 2.0, -500.0, 80.0]), torch.tensor([0, 0, 1, 2])
    found = log_sum_exp(values, to, 4)
    assert found[:3].tolist() == pytest.approx([float(torch.logsumexp(values[:2], 0)), -500.0, 80.0])
    assert found[3] == float("-inf")


def test_an_untrained_network_changes_nothing() -> None:
    made = graph(7, 3)
    assert weights_of(GraphNetwork().eval(), made) == pytest.approx(made.base.tolist())


def test_the_order_of_the_supports_does_not_matter() -> None:
    made, net = graph(9, 4), network()
    order = np.random.default_rng(1).permutation(9)
    place = np.argsort(order)
    edges = np.stack([place[made.edges[0]], made.edges[1], made.edges[2]])
    shuffled = EvidenceGraph(made.features[order], edges, 6, 4, made.answer_of[order], made.base[order])
    assert np.array(weights_of(net, made))[order] == pytest.approx(np.array(weights_of(net, shuffled)), abs=1e-4)
    assert np.ptp(np.array(weights_of(net, made)) - made.base) > 0.1, "the network adds something"


def test_questions_side_by_side_are_weighed_as_each_alone() -> None:
    graphs, net = [graph(5, 2, 1), graph(1, 1, 2), graph(12, 7, 3)], network()
    with torch.inference_mode():
        together = net(GraphBatch(graphs)).tolist()
    assert together == pytest.approx([weight for made in graphs for weight in weights_of(net, made)], abs=1e-4)


def test_what_meets_at_an_answer_is_weighed_together() -> None:
    made, net = graph(8, 3), network()
    at = int(np.flatnonzero(made.answer_of == made.answer_of[-1])[0])
    features = made.features.copy()
    features[-1] += 3.0
    moved = EvidenceGraph(features, made.edges, made.nodes, made.answers, made.answer_of, made.base)
    assert at != 7 and abs(weights_of(net, moved)[at] - weights_of(net, made)[at]) > 1e-3


def test_the_file_holds_the_network_and_fits_its_encoder_and_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, made = network(), graph(6, 3)
    path = save_graph_network(tmp_path / "g.safetensors", net, "print-a", seed=0)
    assert weights_of(load_graph_network("print-a", path), made) == pytest.approx(weights_of(net, made), abs=0.05)
    with pytest.raises(WeightsMismatch):
        load_graph_network("print-b", path)
    with pytest.raises(WeightsMismatch):
        load_graph_network("print-a", tmp_path / "none.safetensors")
    monkeypatch.setattr(graph_network, "FEATURES", FEATURES[:-1])
    with pytest.raises(WeightsMismatch, match="other features"):
        load_graph_network("print-a", path)
