"""Fusion weights on disk: the parameters of the memory layers, their config and the fingerprint of the base."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.fusion.config import FusionConfig

WEIGHTS_FILE = "fusion.safetensors"

_RENAMED = (
    (r"^readings\.", "memory_layers."),
    (r"\.told\.", ".continuation."),
    (r"\.loud_standing$", ".prefix_gain"),
    (r"\.null_standing$", ".null_prefix_bias"),
    (r"\.standing$", ".prefix_bias"),
    (r"\.again_bias$", ".repeated_bias"),
    (r"\.early_bias$", ".premature_bias"),
    (r"\.opening$", ".output_gate"),
    (r"\.doubt$", ".compression"),
)
"""Names of parameters in earlier weights."""


def save_fusion(
    fusion: nn.Module, base: Mapping[str, Any], config: FusionConfig, folder: Path, notes: Mapping[str, Any]
) -> Path:
    """Write ``fusion.safetensors`` into a folder, matrices as bfloat16 and the rest as float32; return the file."""
    return save_module(folder / WEIGHTS_FILE, fusion, kind="fusion", config=asdict(config), base=dict(base), **notes)


def load_fusion(path: Path) -> tuple[FusionConfig, Mapping[str, Any], dict[str, Tensor]]:
    """Config, fingerprint of the base they fit, and parameters of a file that ``save_fusion`` wrote.

    Raises:
        WeightsMismatch: no such file, weights of another kind, or a config that cannot be read.
    """
    saved = load_module(path, kind="fusion")
    try:
        config = FusionConfig.from_dict(saved.meta["config"])
        return config, saved.meta["base"], {_current(k): v for k, v in saved.tensors.items()}
    except (KeyError, TypeError, ValueError, InvalidValue) as error:
        raise WeightsMismatch(f"{path} holds a config that this version cannot read: {error}") from error


def _current(name: str) -> str:
    for old, new in _RENAMED:
        name = re.sub(old, new, name)
    return name
