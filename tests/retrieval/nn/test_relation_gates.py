from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.encoding.embedding_cache import arc_texts
from graphmem.retrieval.nn.relation_gates import RelationGateConfig, RelationGates, path_scores


def read(gates: RelationGates, encoder: Any, question: str, names: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    vector, tokens, mask = (torch.from_numpy(array) for array in encoder.encode_both([question]))
    doubled = torch.from_numpy(encoder.encode([name for name in names for _ in (0, 1)]))
    relations = gates.relations(
        doubled, torch.from_numpy(encoder.encode(arc_texts(names))), torch.arange(2 * len(names)) % 2
    )
    with torch.inference_mode():
        return gates(vector, tokens, mask, relations)


def test_untrained_gates_compare_texts(encoder: Any) -> None:
    torch.manual_seed(0)
    names = ["birthplace", "currency", "spouse"]
    steps, lengths = read(RelationGates().eval(), encoder, "what is the currency of it", names)
    assert steps.shape == (1, 4, 6) and lengths.shape == (1, 5)
    assert names[int(steps[0, 0, ::2].argmax())] == "currency" and not lengths.any()


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    gates = RelationGates(RelationGateConfig(dim=12, hops=2)).eval()
    for parameter in gates.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    question, tokens, relations = torch.randn(1, 12), torch.randn(1, 5, 12), torch.randn(4, 12)
    mask = torch.ones(1, 5, dtype=torch.bool)
    padded = torch.cat([tokens, torch.randn(1, 3, 12)], 1)
    wider = torch.cat([mask, torch.zeros(1, 3, dtype=torch.bool)], 1)
    for one, other in zip(
        gates(question, tokens, mask, relations), gates(question, padded, wider, relations), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_path_scores_its_steps_and_its_length() -> None:
    steps = torch.tensor([[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]])
    lengths = torch.tensor([[0.5, 0.1, 0.2, 0.3]])
    paths = torch.tensor([[[0, -1, -1], [1, 0, -1], [1, 1, 1], [-1, -1, -1]]])
    assert np.allclose(path_scores(steps, lengths, paths), [[1.1, 12.2, 222.3, 0.5]])


def test_sizes_are_checked() -> None:
    with pytest.raises(InvalidValue, match="hops.*0"):
        RelationGateConfig(hops=0)
