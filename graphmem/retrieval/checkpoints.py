"""Retriever checkpoints."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphmem.core.errors import WeightsMismatch
from graphmem.core.paths import WEIGHTS

SHIPPED = WEIGHTS / "retriever.safetensors"

FORMAT = "graphmem-retriever-1"


def save_weights(path: str | Path, modules: dict[str, Any], fingerprint: str) -> None:
    """Write modules (each with a ``config`` dataclass) as fp16 safetensors with their sizes in the metadata."""
    import torch
    from safetensors.torch import save_file

    tensors = {
        f"{name}.{key}": value.detach().to(torch.float16).contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    configs = {name: asdict(module.config) for name, module in modules.items()}
    save_file(tensors, str(path), {"format": FORMAT, "encoder": fingerprint, "configs": json.dumps(configs)})


def weights_header(path: str | Path) -> dict[str, str]:
    """Metadata of a weights file.

    Raises:
        WeightsMismatch: no such file, or not weights of this kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsMismatch(f"{path} cannot be read as retriever weights: {error}") from error
    if header.get("format") != FORMAT:
        raise WeightsMismatch(f"{path} says format {header.get('format')!r}; retriever weights say {FORMAT!r}")
    return header


def load_weights(path: str | Path, fingerprint: str | None = None) -> dict[str, Any]:
    """The modules of a weights file, in evaluation mode.

    Raises:
        WeightsMismatch: not such a file, made for another encoder than ``fingerprint``, or sizes do not fit.
    """
    import torch
    from safetensors.torch import load_file

    header = weights_header(path)
    if fingerprint is not None and header["encoder"] != fingerprint:
        raise WeightsMismatch(
            f"{path} was trained with encoder {header['encoder']}, this one is {fingerprint}; use that encoder or train"
        )
    configs, tensors = json.loads(header["configs"]), load_file(str(path))
    modules = {}
    for name, values in configs.items():
        module = _module(name, values)
        own = {
            key.removeprefix(f"{name}."): t.to(torch.float32)
            for key, t in tensors.items()
            if key.startswith(f"{name}.")
        }
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            raise WeightsMismatch(f"{path}: tensors of {name!r} do not fit its own sizes: {error}") from error
        modules[name] = module.eval()
    return modules


def _module(name: str, values: dict[str, int]) -> Any:
    from graphmem.retrieval.nn.path_aligner import PathAligner, PathAlignerConfig
    from graphmem.retrieval.nn.relation_gates import RelationGateConfig, RelationGates

    if name == "gates":
        return RelationGates(RelationGateConfig(**values))
    if name == "aligner":
        return PathAligner(PathAlignerConfig(**values))
    from graphmem.retrieval.nn.gnn import GNNConfig, RelevanceGNN

    return RelevanceGNN(GNNConfig(**values))
