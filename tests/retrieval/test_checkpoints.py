from __future__ import annotations

from pathlib import Path

import pytest
import torch

from graphmem.core.errors import WeightsMismatch
from graphmem.retrieval.checkpoints import SHIPPED, load_weights, save_weights
from graphmem.retrieval.nn.path_aligner import PathAligner, PathAlignerConfig
from graphmem.retrieval.nn.relation_gates import RelationGateConfig, RelationGates

SMALL = PathAlignerConfig(dim=16, width=8, heads=2, hops=2)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_weights(path, {"gates": RelationGates(RelationGateConfig(dim=16)), "aligner": PathAligner(SMALL)}, "enc-1")
    return path


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    torch.manual_seed(0)
    gates, aligner = RelationGates(RelationGateConfig(dim=16, hops=2)), PathAligner(SMALL)
    save_weights(tmp_path / "w", {"gates": gates, "aligner": aligner}, "enc-1")
    modules = load_weights(tmp_path / "w", "enc-1")
    assert modules["gates"].config == gates.config and modules["aligner"].config == aligner.config
    for name, module in (("gates", gates), ("aligner", aligner)):
        assert not modules[name].training
        for key, value in module.state_dict().items():
            assert torch.allclose(modules[name].state_dict()[key], value, atol=2e-3), key


def test_another_encoder_is_refused(saved: Path) -> None:
    with pytest.raises(WeightsMismatch, match="enc-1.*enc-2"):
        load_weights(saved, "enc-2")


def test_other_files_are_refused(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(WeightsMismatch, match="cannot read"):
        load_weights(tmp_path / "text")
    with pytest.raises(WeightsMismatch, match="cannot read"):
        load_weights(tmp_path / "missing")
    saved.write_bytes(saved.read_bytes()[:500])
    with pytest.raises(WeightsMismatch):
        load_weights(saved)


def test_the_shipped_weights_are_small_and_fits_the_default_encoder(encoder: object) -> None:
    assert SHIPPED.stat().st_size <= 5_000_000
    assert set(load_weights(SHIPPED, encoder.fingerprint)) == {"gates", "aligner"}  # type: ignore[attr-defined]
