"""Weights of fused readings on disk: one safetensors file with its config and the base it fits in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.fusion.config import FusionConfig

WEIGHTS_FILE = "fusion.safetensors"
_FORMAT = "graphmem-fusion-1"


@dataclass(frozen=True, slots=True)
class SavedFusion:
    """What a file of readings holds: their state, the config they were made with, and the base they fit."""

    path: Path
    config: FusionConfig
    base: Mapping[str, Any]
    state: Mapping[str, Tensor]


def save_fusion(
    fusion: nn.Module, base: Mapping[str, Any], config: FusionConfig, folder: Path, notes: Mapping[str, Any]
) -> Path:
    """Write matrices in bfloat16 and the rest in float32; return the file."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: value.detach().to(torch.bfloat16 if value.ndim == 2 else torch.float32).cpu().contiguous()
        for name, value in fusion.state_dict().items()
    }
    metadata = {"format": _FORMAT, "config": json.dumps(asdict(config)), "base": json.dumps(dict(base))}
    metadata |= {name: json.dumps(value) for name, value in notes.items()}
    save_file(state, folder / WEIGHTS_FILE, metadata)
    return folder / WEIGHTS_FILE


def load_fusion(path: Path) -> SavedFusion:
    """Read a file that ``save_fusion`` wrote.

    Raises:
        WeightsMismatch: no such file, or a file of something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise WeightsMismatch(f"{path} is not a file of graphmem's fusion weights")
            values = json.loads(metadata["config"])
            values["layers"] = tuple(values["layers"]) if values["layers"] else None
            state = {name: file.get_tensor(name) for name in file.keys()}
            return SavedFusion(path, FusionConfig(**values), json.loads(metadata["base"]), state)
    except (OSError, SafetensorError) as error:
        raise WeightsMismatch(f"cannot read fusion weights at {path}: {error}") from error
    except (KeyError, TypeError, ValueError, InvalidValue) as error:
        raise WeightsMismatch(f"{path} holds a config that this version cannot read: {error}") from error
