from __future__ import annotations

import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.retrieval.nn.path_aligner import PathAligner, PathAlignerConfig


def inputs(paths: list[list[int]], words: int = 5, dim: int = 16) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [
        torch.randn(1, dim), torch.randn(1, words, dim), torch.ones(1, words, dtype=torch.bool), torch.randn(4, dim),
        torch.randn(4, dim), torch.arange(4) % 2, torch.tensor([paths]), torch.zeros(1, len(paths)),
    ]  # fmt: skip


def small() -> PathAligner:
    torch.manual_seed(0)
    return PathAligner(PathAlignerConfig(dim=16, width=8, heads=2, hops=3)).eval()


def test_padding_of_words_and_paths_changes_nothing() -> None:
    aligner, given = small(), inputs([[0, 1, -1], [2, -1, -1]])
    scores, known = aligner(*given)
    wide = [*given]
    wide[1] = torch.cat([given[1], torch.randn(1, 3, 16)], 1)
    wide[2] = torch.cat([given[2], torch.zeros(1, 3, dtype=torch.bool)], 1)
    wide[6] = torch.cat([given[6], torch.full((1, 2, 3), -1)], 1)
    wide[7] = torch.zeros(1, 4)
    more, same = aligner(*wide)
    assert torch.allclose(more[:, :2], scores, atol=1e-4) and torch.allclose(same, known, atol=1e-4)
    assert (more[:, 2:] < -9000).all()


def test_the_order_of_paths_does_not_matter_and_that_of_steps_does() -> None:
    aligner = small()
    scores, _ = aligner(*inputs([[0, 1, -1], [1, 0, -1], [2, 3, 1]]))
    turned, _ = aligner(*inputs([[2, 3, 1], [0, 1, -1], [1, 0, -1]]))
    assert torch.allclose(scores[0, [2, 0, 1]], turned[0], atol=1e-4)
    assert not torch.isclose(scores[0, 0], scores[0, 1], atol=1e-4)


def test_sizes_are_checked() -> None:
    with pytest.raises(InvalidValue, match="heads"):
        PathAlignerConfig(width=10, heads=4)
    with pytest.raises(InvalidValue, match="hops.*0"):
        PathAlignerConfig(hops=0)
