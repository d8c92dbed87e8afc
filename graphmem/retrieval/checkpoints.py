"""Retriever checkpoints: relation gates and path aligner in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.paths import WEIGHTS

SHIPPED = WEIGHTS / "retriever.safetensors"
KIND = "retriever"


def save_weights(path: str | Path, modules: dict[str, Any], fingerprint: str) -> None:
    """Write modules, each with a ``config`` dataclass, as float16; ``fingerprint`` names their text encoder."""
    import torch

    tensors = {f"{name}.{key}": t for name, module in modules.items() for key, t in module.state_dict().items()}
    configs = {name: asdict(module.config) for name, module in modules.items()}
    save_module(path, tensors, kind=KIND, dtype=torch.float16, config=configs, fingerprint=fingerprint)


def load_weights(path: str | Path, fingerprint: str | None = None) -> dict[str, Any]:
    """The modules of a weights file by name, ``gates`` and, if it has one, ``aligner``, in eval mode.

    Raises:
        WeightsMismatch: no such file, other weights, trained with another encoder than ``fingerprint``, or wrong sizes.
    """
    from graphmem.retrieval.nn.path_aligner import PathAligner, PathAlignerConfig
    from graphmem.retrieval.nn.relation_gates import RelationGateConfig, RelationGates

    saved = load_module(path, kind=KIND, fingerprint=fingerprint)
    classes: dict[str, tuple[Any, Any]] = {
        "gates": (RelationGates, RelationGateConfig), "aligner": (PathAligner, PathAlignerConfig),
    }  # fmt: skip
    sizes = saved.meta["config"]
    modules = {name: of(config(**sizes[name])) for name, (of, config) in classes.items() if name in sizes}
    return {name: saved.load_into(module, f"{name}.") for name, module in modules.items()}
