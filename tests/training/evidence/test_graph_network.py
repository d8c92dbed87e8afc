"""Training of the graph network: questions read as in use, a loss that falls, a command that resumes."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.reasoning.evidence_graph import FEATURES, TOPIC, EvidenceGraph, compared
from graphmem.reasoning.graph_network import GraphNetwork, load_graph_network
from graphmem.training.evidence import graph_network, memories
from graphmem.training.evidence.graph_network import Row, blurred, figures, loss_of, read_memory, thinned, trained
from graphmem.training.evidence.memories import MadeMemory, Question

COSINE = FEATURES.index("cosine")


def row(seed: int, answerable: bool = True) -> Row:
    """A question whose right answer has the highest cosine, and whose relevance says nothing."""
    rng = np.random.default_rng(seed)
    features = (rng.normal(size=(6, len(FEATURES))) * 0.1).astype(np.float32)
    right = np.zeros(6, bool)
    if answerable:
        right[int(rng.integers(6))] = True
    features[:, COSINE] = np.where(right, 0.9, 0.1)
    edges = np.array([(k, k, 0) for k in range(6)], np.int64).T
    features = compared(features, np.arange(6))
    graph = EvidenceGraph(features, edges, 6, 6, np.arange(6), rng.normal(size=6).astype(np.float32))
    return Row(graph, right, "made", f"question {seed}", answerable)


def test_a_memory_is_read_as_in_use(encoder: Any) -> None:
    made = MadeMemory(
        [("Ann Berg", "job", "baker", None, None), ("Ann Berg", "lives in", "Oslo", "1990", "1980"),
         ("Olav Lie", "job", "vet", "2001", None)],
        [("Vik", "Vik lies by the sea. The harbour was built in 1911.")],
        [Question("What is Ann Berg's job?", ("baker",), "facts"), Question("Who sings?", (), "none"),
         Question("When was the harbour of Vik built?", ("1911",), "squad")],
    )  # fmt: skip
    known, unknown, text = read_memory(made, True, encoder)
    assert (known.answerable, int(known.right.sum()), known.source) == (True, 1, "facts")
    assert not unknown.answerable and not unknown.right.any()
    assert text.right.any() and text.graph.features[text.right[text.graph.answer_of]][0, FEATURES.index("passage")] == 1


def test_training_learns_what_the_readings_do_not_say(tmp_path: Path) -> None:
    rows = [row(seed, seed % 4 > 0) for seed in range(120)]
    given = argparse.Namespace(seed=0, width=8, rate=1e-2, steps=60)
    network = trained(rows, given, tmp_path)
    count = lambda found: int(found["made"].split("/")[0])
    fresh = [row(seed) for seed in range(500, 560)]
    assert count(figures(None, fresh)) < 30 < 55 < count(figures(network, fresh))
    with torch.inference_mode():
        assert loss_of(network, rows) < 0.5 * loss_of(GraphNetwork(), rows)


def test_noise_is_on_the_relevance_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one = row(0)
    made = blurred(one, np.random.RandomState(0), 2.0)
    changed = [name for k, name in enumerate(FEATURES)
               if not np.allclose(made.graph.features[:, k], one.graph.features[:, k])]  # fmt: skip
    assert changed == ["relevance", "relevance below the best"]
    added = made.graph.base - one.graph.base
    assert made.graph.features[:, 0] - one.graph.features[:, 0] == pytest.approx(added / 4, abs=1e-5)
    assert np.std(added) > 0.5 and made.right is one.right


def test_supports_are_left_out_down_to_one() -> None:
    one = row(3)
    edges = np.concatenate([one.graph.edges, np.array([[0, 2, 4], [6, 6, 7], [TOPIC] * 3])], 1)
    whole = replace(one, graph=replace(one.graph, edges=edges, nodes=8))
    sizes, kept = set(), 0
    for seed in range(200):
        made = thinned(whole, np.random.RandomState(seed))
        graph, count = made.graph, len(made.graph.base)
        sizes.add(count)
        kept += bool(made.right.any())
        assert len(made.right) == graph.answers == len(set(graph.answer_of.tolist())) and graph.edges[0].max() < count
        assert graph.edges[1].max() < graph.nodes and len(graph.features) == count
        positions = [int(np.flatnonzero(whole.graph.base == value)[0]) for value in graph.base]
        assert np.allclose(graph.features[:, COSINE], whole.graph.features[positions, COSINE])
        assert made.right[graph.answer_of].tolist() == whole.right[positions].tolist()
        assert graph.features[:, FEATURES.index("cosine below the best")].max() == 0
    assert {1, 6} <= sizes and 150 < kept < 200
    assert thinned(replace(one, graph=made.graph, right=made.right), np.random.RandomState(0)).graph.answers >= 1


def test_the_command_writes_the_network_and_reads_memories_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], encoder: Any
) -> None:
    monkeypatch.setattr(memories, "use_of", lambda key: "network")
    out = tmp_path / "network.safetensors"
    options = ["--data", str(data), "--out", str(out), "--memories", "1", "--steps", "4", "--width", "8"]
    graph_network.main(options)
    first = load_graph_network(encoder.fingerprint, out)
    assert json.loads(capsys.readouterr().out)["questions"] > 20
    monkeypatch.setattr(graph_network, "read_memory", lambda *given: pytest.fail("it was read"))
    graph_network.main(options)
    again = load_graph_network(encoder.fingerprint, out)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
