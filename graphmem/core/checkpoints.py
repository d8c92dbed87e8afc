"""Checkpoints: the one format of trained weights, a safetensors file with its kind and settings in the header.

Weights that were written before this format are read as well: their headers differ by part, and ``_LEGACY`` names them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graphmem.core.errors import WeightsMismatch
from graphmem.core.files import check_target, replacing

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

FORMAT: Final = "graphmem-checkpoint-1"

_LEGACY: Final = {  # format or kind in the header of an older file -> kind
    "graphmem-retriever-1": "retriever",
    "graphmem-fusion-1": "fusion",
    "graphmem-reader": "extractor",
    "graphmem-write-gate": "write-gate",
    "graphmem-node-states": "entity-states",
    "graphmem-states": "state-changes",
}
_LEGACY_KEYS: Final = {"sizes": "config", "configs": "config", "encoder": "fingerprint", "numbers": "features"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Content of a weights file; ``kind`` is the part of graphmem that it belongs to.

    Attributes:
        meta: ``config``, ``fingerprint`` of the encoder or base it fits, and more by kind.
        tensors: by name, as stored.
    """

    path: Path
    kind: str
    meta: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def load_into(self, module: Any, prefix: str = "") -> Any:
        """Copy the tensors whose names begin with ``prefix`` into a module, as float32; return it in eval mode.

        Raises:
            WeightsMismatch: names or shapes do not fit.
        """
        own = {k.removeprefix(prefix): v.float() for k, v in self.tensors.items() if k.startswith(prefix)}
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            raise WeightsMismatch(f"{self.path}: tensors do not fit their own config: {error}") from error
        return module.eval()

    def build(self, of: Callable[..., Any], **expected: Any) -> Any:
        """The module that ``of`` makes from the stored ``config``, with the stored tensors, in eval mode.

        Raises:
            WeightsMismatch: no config, other settings than ``expected``, or tensors that do not fit.
        """
        self.require(**expected)
        config = self.meta.get("config")
        if not isinstance(config, dict):
            raise WeightsMismatch(f"{self.path} names no config; train it again")
        return self.load_into(of(**config))

    def arrays(self) -> dict[str, np.ndarray]:
        """The tensors as float32 arrays."""
        return {name: tensor.float().numpy() for name, tensor in self.tensors.items()}

    def require(self, **expected: Any) -> None:
        """Raise WeightsMismatch where a setting has another value than the expected one."""
        for name, value in expected.items():
            if self.meta.get(name) != value:
                raise WeightsMismatch(f"{self.path} is of other {name} ({self.meta.get(name)}); train it again")


def save_module(
    path: str | Path, module: nn.Module | Mapping[str, Tensor], *, kind: str, dtype: torch.dtype | None = None,
    **meta: Any,
) -> Path:  # fmt: skip
    """Write a module, or tensors by name, with JSON values for the header; make the folder; return the file.

    Matrices are stored as ``dtype`` (bfloat16 when None), vectors as float32. Older weights are replaced.

    Raises:
        InvalidValue: a file that holds no weights, such as a memory, which is never written over.
    """
    import torch
    from safetensors.torch import save_file

    state = module.state_dict() if isinstance(module, torch.nn.Module) else module
    wide = torch.bfloat16 if dtype is None else dtype
    tensors = {
        name: value.detach().to(wide if value.ndim > 1 else torch.float32).cpu().contiguous()
        for name, value in state.items()
    }
    target = check_target(path, force=_holds_weights(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        save_file(tensors, temporary, {"format": FORMAT, "kind": kind, "meta": json.dumps(meta)})
    return target


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], *, kind: str, **meta: Any) -> Path:
    """Write arrays by name as ``save_module`` writes tensors; return the file."""
    import numpy as np
    import torch

    made = {name: torch.as_tensor(np.asarray(value, np.float32)) for name, value in arrays.items()}
    return save_module(path, made, kind=kind, **meta)


def _holds_weights(path: str | Path) -> bool:
    """Whether a file begins like safetensors: the length of a header, then the header in JSON."""
    try:
        with open(path, "rb") as file:
            size, start = int.from_bytes(file.read(8), "little"), file.read(1)
        return start == b"{" and 8 + size <= Path(path).stat().st_size
    except (OSError, ValueError, TypeError):
        return False


def read_meta(path: str | Path, *, kind: str) -> dict[str, Any]:
    """The settings of a weights file, without its tensors.

    Raises:
        WeightsMismatch: no such file, no safetensors file, or weights of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "numpy") as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsMismatch(f"cannot read {kind} weights at {path}: {error}") from error
    found, meta = _parse(header)
    if found != kind:
        raise WeightsMismatch(f"{path} holds {found or 'unknown'} weights, not {kind} weights")
    return meta


def load_module(path: str | Path, *, kind: str, fingerprint: str | None = None) -> Checkpoint:
    """Read a weights file of a kind, trained with the encoder of ``fingerprint``; None does not compare.

    Raises:
        WeightsMismatch: no such file, weights of another kind, or trained with another encoder.
    """
    from safetensors.torch import load_file

    meta = read_meta(path, kind=kind)
    trained_with = meta.get("fingerprint")
    if fingerprint is not None and trained_with != fingerprint:
        raise WeightsMismatch(
            f"{path} was trained with encoder {trained_with}, this one is {fingerprint}; use that encoder or train"
        )
    return Checkpoint(Path(path), kind, meta, load_file(str(path)))


def _parse(header: Mapping[str, str]) -> tuple[str | None, dict[str, Any]]:
    """Kind and settings of a header, older ones included."""
    if header.get("format") == FORMAT:
        return header.get("kind"), json.loads(header.get("meta", "{}"))
    kind = _LEGACY.get(header.get("kind", header.get("format", "")))
    if kind is None and "features" in header:
        return "passage-reranker", {"features": header["features"].split("|")}
    return kind, {_LEGACY_KEYS.get(k, k): _value(v) for k, v in header.items() if k not in ("format", "kind")}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
