"""Files of a training run: nested values with tensors, in one safetensors file that cannot run code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from graphmem.core.errors import WeightsMismatch

T = TypeVar("T")

_TREE = "tree"  # name of the tensor that holds the JSON text
_FORMER = (".pt", ".pkl", ".pickle")


def save_value(path: Path, value: Any) -> None:
    """Write a value made of numbers, texts, lists, tuples, dicts, tensors, arrays and dataclasses, whole or not."""
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_packed(value, tensors)).encode()
    tensors[_TREE] = torch.frombuffer(bytearray(tree), dtype=torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    save_file(tensors, part)
    part.replace(path)


def load_value(path: Path, *classes: type) -> Any:
    """The value that ``save_value`` wrote; ``classes`` are the dataclasses that it may hold.

    Raises:
        WeightsMismatch: another kind of file, or damaged.
    """
    try:
        tensors = load_file(path)
        tree = json.loads(tensors.pop(_TREE).numpy().tobytes())
        return _unpacked(tree, tensors, {cls.__name__: cls for cls in classes})
    except (OSError, ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
        raise WeightsMismatch(
            f"{path} is damaged ({error}); remove the folder of the run and start it again"
        ) from error


def cached(path: Path, make: Callable[[], T], *classes: type) -> T:
    """A value that an earlier call wrote into the run's own folder, else made and written there."""
    refuse_former(path)
    if not path.exists():
        save_value(path, make())
    value: T = load_value(path, *classes)
    return value


def refuse_former(path: Path) -> None:
    """Raise where the run's folder holds this file as one that Python's pickle reads, which could run code.

    Raises:
        WeightsMismatch: it does.
    """
    for ending in _FORMER:
        if (former := path.with_suffix(ending)).exists():
            raise WeightsMismatch(
                f"{former} is a pickle, which could run code, and is not read; remove the folder of the run "
                "and start it again"
            )


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor | np.ndarray):
        kind, name = ("tensor", "array")[isinstance(value, np.ndarray)], str(len(tensors))
        tensors[name] = torch.as_tensor(value).detach().cpu().clone().contiguous()
        return {kind: name}
    if isinstance(value, list):
        return [_packed(item, tensors) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_packed(item, tensors) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_packed(key, tensors), _packed(item, tensors)] for key, item in value.items()]}
    if is_dataclass(value):
        inside = [_packed(getattr(value, field.name), tensors) for field in fields(value)]
        return {"class": [type(value).__name__, inside]}
    raise TypeError(f"a run's file cannot hold {type(value).__name__}")


def _unpacked(tree: Any, tensors: Mapping[str, Tensor], classes: Mapping[str, Any]) -> Any:
    if isinstance(tree, list):
        return [_unpacked(item, tensors, classes) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, inside),) = tree.items()
    if kind in ("tensor", "array"):
        return tensors[inside] if kind == "tensor" else tensors[inside].numpy()
    items = _unpacked(inside[1] if kind == "class" else inside, tensors, classes)
    if kind == "class":
        cls = classes[inside[0]]
        return cls(**dict(zip((field.name for field in fields(cls)), _sequence(items), strict=True)))
    return {"tuple": tuple, "dict": dict}[kind](_sequence(items))


def _sequence(items: Any) -> Sequence[Any]:
    if not isinstance(items, list):
        raise TypeError(f"{type(items).__name__} instead of a list")
    return items
