"""Files of runs keep nested values exactly, hold no code, and say so when they cannot be read."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.core.errors import WeightsMismatch
from graphmem.core.types import Fact, Place
from graphmem.fusion.candidates import Candidates
from graphmem.training.fusion.examples import EXAMPLE_CLASSES, Example
from graphmem.training.loop import LoopConfig, run
from graphmem.training.run_files import cached, load_value, save_value


@dataclass(frozen=True, slots=True)
class Pair:
    one: Any
    two: Any


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor | np.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Pair):
        return same((a.one, a.two), (b.one, b.two))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -0.1, 1e-300, "naïve \u2028 \0 🙂", [], (), {}, [(1, [2.5], ("x",))],
        {1: "a", "1": (2,), (3, 4): {None: False}}, torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
        torch.zeros(0, 4), torch.tensor(2.0), np.array([[True, False]]), np.float32([1, 2]), np.arange(3)[::2],
        Pair(Pair(1, torch.ones(2)), [np.int64([7])]), {"tuple": [1], "class": ["Pair", []]},
    ],
)  # fmt: skip
def test_a_value_comes_back_as_it_was(tmp_path: Path, value: Any) -> None:
    save_value(tmp_path / "run" / "v.safetensors", value)
    assert same(load_value(tmp_path / "run" / "v.safetensors", Pair), value)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["v.safetensors"]


def test_views_of_one_tensor_are_kept_apart(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    save_value(tmp_path / "v", {"a": whole[:3], "b": whole[:3], "c": whole})
    assert same(load_value(tmp_path / "v"), {"a": whole[:3], "b": whole[:3], "c": whole})


def test_examples_come_back_as_they_were(tmp_path: Path) -> None:
    found = Candidates(("Ann", "Bo"), np.float32([[1, 2], [3, 4]]), 0.5, (1, -1))
    made = [(0.25, [Example((1, 2), (3,), found, gold="Ann", scored=(0,)), Example((1,), (2,))])]
    back = cached(tmp_path / "m.safetensors", lambda: made, *EXAMPLE_CLASSES)
    again = cached(tmp_path / "m.safetensors", lambda: [], *EXAMPLE_CLASSES)
    for share, (first, second) in (*back, *again):
        assert share == 0.25 and second == made[0][1][1] and first.ids == (1, 2, 3) and first.gold == "Ann"
        assert np.array_equal(first.found.features, found.features) and first.found.ids == (1, -1)


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    fact = Fact("Ann", "works at", "Acme", confidence=0.5, place=Place(1, 2, 3))
    assert cached(tmp_path / "f.safetensors", lambda: [fact], Fact, Place) == [fact]


def test_a_class_that_is_not_named_is_not_made(tmp_path: Path) -> None:
    save_value(tmp_path / "v", Pair(1, 2))
    with pytest.raises(WeightsMismatch, match="start it again"):
        load_value(tmp_path / "v", Example)


def test_what_cannot_be_kept_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="set"):
        save_value(tmp_path / "v", {"a": {1}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 40, b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_file_is_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(WeightsMismatch, match="start it again"):
        load_value(tmp_path / "checkpoint.safetensors")
    layer = torch.nn.Linear(2, 1)
    with pytest.raises(WeightsMismatch):
        run(layer, torch.optim.AdamW(layer.parameters()), lambda _: ({}, {}), LoopConfig(1), tmp_path)


def test_every_cut_of_a_file_is_a_typed_error(tmp_path: Path) -> None:
    save_value(tmp_path / "v", [1, (torch.ones(2), "x")])
    whole = (tmp_path / "v").read_bytes()
    for end in range(len(whole)):
        (tmp_path / "v").write_bytes(whole[:end])
        with pytest.raises(WeightsMismatch):
            load_value(tmp_path / "v")


class Harm:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("harmed"),)


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.pkl", "checkpoint.pickle"])
def test_pickles_of_an_old_run_are_refused_and_not_read(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Harm()))
    layer = torch.nn.Linear(2, 1)
    with pytest.raises(WeightsMismatch, match="start it again"):
        run(layer, torch.optim.AdamW(layer.parameters()), lambda _: ({}, {}), LoopConfig(1), tmp_path)
    with pytest.raises(WeightsMismatch, match="pickle"):
        cached(tmp_path / "checkpoint.safetensors", lambda: 1)
    assert not (tmp_path / "harmed").exists()


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    def trained(folder: str, stop: int | None) -> list[torch.Tensor]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(layer.parameters(), 0.1)

        def losses(step: int) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
            if step == stop:
                raise KeyboardInterrupt
            data = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
            return {"loss": layer(data).square().mean()}, {}

        try:
            run(layer, optimizer, losses, LoopConfig(12, save_every=4, log_every=3), tmp_path / folder)
        except KeyboardInterrupt:
            return trained(folder, None)
        return [parameter.detach() for parameter in layer.parameters()]

    for a, b in zip(trained("whole", None), trained("stopped", 9), strict=True):
        assert torch.equal(a, b)
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == ["checkpoint.safetensors", "log.jsonl"]
