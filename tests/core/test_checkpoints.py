"""One checkpoint format: what is written is read back, older headers are read, anything else is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from graphmem.core.checkpoints import load_module, read_meta, save_arrays, save_module
from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.paths import WEIGHTS


def test_a_module_comes_back_with_its_settings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    path = save_module(
        tmp_path / "runs" / "a.safetensors", layer, kind="demo", dtype=torch.float32, config={"n": 4}, fingerprint="e"
    )
    read = load_module(path, kind="demo", fingerprint="e")
    assert read.meta == {"config": {"n": 4}, "fingerprint": "e"} == read_meta(path, kind="demo")
    other = read.load_into(nn.Linear(4, 3))
    assert torch.equal(other.weight, layer.weight) and torch.equal(other.bias, layer.bias) and not other.training


def test_matrices_are_stored_in_half_the_bytes_and_vectors_exactly(tmp_path: Path) -> None:
    layer = nn.Linear(4, 3)
    read = load_module(save_module(tmp_path / "a.safetensors", layer, kind="demo"), kind="demo")
    assert read.tensors["weight"].dtype is torch.bfloat16 and torch.equal(read.tensors["bias"], layer.bias)


def test_a_module_is_built_from_its_stored_config_where_the_settings_are_the_expected_ones(tmp_path: Path) -> None:
    config = {"in_features": 4, "out_features": 3}
    path = save_module(tmp_path / "a.safetensors", nn.Linear(4, 3), kind="demo", config=config, letters=["a", "b"])
    read = load_module(path, kind="demo")
    built = read.build(nn.Linear, letters=["a", "b"])
    assert torch.equal(built.bias, read.tensors["bias"]) and not built.training
    with pytest.raises(WeightsMismatch, match="of other letters"):
        read.build(nn.Linear, letters=["a"])
    with pytest.raises(WeightsMismatch, match="no config"):
        load_module(save_module(tmp_path / "b.safetensors", nn.Linear(4, 3), kind="demo"), kind="demo").build(nn.Linear)


def test_arrays_come_back_as_float32(tmp_path: Path) -> None:
    path = save_arrays(tmp_path / "a.safetensors", {"x": np.asarray([0.1, 2.0])}, kind="demo", note="n")
    read = load_module(path, kind="demo")
    assert read.arrays()["x"].dtype == np.float32 and read.arrays()["x"].tolist() == pytest.approx([0.1, 2.0])
    assert read.meta == {"note": "n"}


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = save_module(tmp_path / "a.safetensors", nn.Linear(4, 3), kind="demo", fingerprint="one")
    with pytest.raises(WeightsMismatch, match="demo weights, not other weights"):
        load_module(path, kind="other")
    with pytest.raises(WeightsMismatch, match="trained with encoder one, this one is two"):
        load_module(path, kind="demo", fingerprint="two")
    with pytest.raises(WeightsMismatch, match="do not fit"):
        load_module(path, kind="demo").load_into(nn.Linear(5, 3))
    with pytest.raises(WeightsMismatch, match="cannot read demo weights"):
        load_module(tmp_path / "none.safetensors", kind="demo")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(WeightsMismatch, match="cannot read demo weights"):
        load_module(tmp_path / "text.safetensors", kind="demo")
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsMismatch, match="unknown weights"):
        load_module(tmp_path / "foreign.safetensors", kind="demo")


@pytest.mark.parametrize(
    ("file", "kind", "keys"),
    [
        ("retriever.safetensors", "retriever", {"config", "fingerprint"}),
        ("states.safetensors", "state-changes", {"config", "fingerprint", "heads", "least"}),
        ("passages/scorer.safetensors", "passage-reranker", {"features"}),
        ("smollm2-135m/reader.safetensors", "extractor", {"config"}),
        ("smollm2-135m/gate.safetensors", "write-gate", {"config", "features"}),
        ("smollm2-135m/node_states.safetensors", "entity-states", {"config"}),
        ("smollm2-135m/fusion.safetensors", "fusion", {"config", "base"}),
    ],
)
def test_shipped_weights_are_read_whatever_header_they_have(file: str, kind: str, keys: set[str]) -> None:
    assert keys <= set(load_module(WEIGHTS / file, kind=kind).meta)


@pytest.mark.parametrize("content", [b"SQLite format 3\0 and more", b"", b"text", b"\xff" * 40])
def test_only_weights_are_replaced_by_weights(tmp_path: Path, content: bytes) -> None:
    target = tmp_path / "m.db"
    target.write_bytes(content)
    with pytest.raises(InvalidValue, match="exists"):
        save_module(target, nn.Linear(2, 2), kind="x")
    assert target.read_bytes() == content
    for _ in range(2):
        save_module(tmp_path / "new.safetensors", nn.Linear(2, 2), kind="x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.db", "new.safetensors"]
