"""Fingerprint of a base model: which weights a checkpoint was trained for."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.adapters.transformers import text_config
from graphmem.core.decoder import Decoder

_SKETCH_ROWS, _SKETCH_COLUMNS = 32, 16
_SAME = 0.98  # minimum cosine of two sketches of the same weights: quantisation noise stays above, retraining far below


def identity(model: nn.Module, decoder: Decoder) -> dict[str, Any]:
    """Fingerprint of a base model: its sizes, and a sketch of its embeddings that survives dtype and quantisation."""
    config = text_config(model)
    name = str(getattr(config, "name_or_path", "") or "").rstrip("/").rpartition("/")[2]
    return {
        **({"name": name} if name else {}),
        "model_type": str(getattr(config, "model_type", type(model).__name__)),
        "width": decoder.width,
        "depth": len(decoder.layers),
        "vocabulary": int(decoder.inputs.shape[0]),
        "sketch": base64.b64encode(_sketch(decoder.inputs).astype(np.float16).tobytes()).decode(),
    }


def described(fits: Mapping[str, Any], name: str) -> str:
    """A base's fingerprint in words."""
    sizes = ", ".join(f"{key} {fits.get(key)}" for key in ("width", "depth", "vocabulary"))
    return f"{(fits.get('name') or name)!r} ({fits.get('model_type')}, {sizes})"


def mismatch(wanted: Mapping[str, Any], have: Mapping[str, Any]) -> str | None:
    """Reason why weights of one base do not fit another; None when they do."""
    for key in ("model_type", "width", "depth", "vocabulary"):
        if wanted[key] != have[key]:
            return f"{key} is {have[key]!r}, the weights are for {wanted[key]!r}"
    a, b = _decode(wanted["sketch"]), _decode(have["sketch"])
    if not a.size or not b.size:
        return None  # one of them is on the meta device
    cosine = float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
    return None if cosine >= _SAME else f"the token embeddings differ (cosine {cosine:.3f}): another checkpoint"


def _sketch(table: Tensor) -> np.ndarray:
    if table.is_meta:
        return np.zeros(0, np.float32)  # no values
    rows = torch.linspace(0, table.shape[0] - 1, _SKETCH_ROWS).long().unique()
    columns = torch.linspace(0, table.shape[1] - 1, _SKETCH_COLUMNS).long().unique()
    return table.detach()[rows.to(table.device)][:, columns.to(table.device)].float().cpu().numpy().ravel()


def _decode(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float16).astype(np.float32)
