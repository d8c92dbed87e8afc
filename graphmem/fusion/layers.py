"""Fusion layers: which decoder layers attend to the memory, their parameters, and the weights file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.decoder import Decoder
from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.cross_attention import GatedCrossAttention, LayerMemory
from graphmem.fusion.memory_tokens import MemoryTokens, TokenTable

WEIGHTS_FILE = "fusion.safetensors"

_RENAMED = {
    "readings": "memory_layers", "told": "continuation", "loud_standing": "prefix_gain",
    "null_standing": "null_prefix_bias", "standing": "prefix_bias", "again_bias": "repeated_bias",
    "early_bias": "premature_bias", "opening": "output_gate", "doubt": "compression",
}  # fmt: skip
"""Parts of the names of parameters in earlier weights."""

ADDED_LATER = ("prefix_bias", "prefix_gain", "agreement")
"""Ends of the names of parameters that older weights lack; they keep their initial values."""

CONTINUATION = ".continuation."
"""Part of the names of the parameters for plain text, which older weights lack as well."""


class FusionLayers(nn.Module):
    """All memory layers of a model, on the device of its decoder; ``config`` names layers and tap (``with_layers``)."""

    def __init__(self, decoder: Decoder, config: FusionConfig) -> None:
        super().__init__()
        self.config, self.tap, self.layers = config, config.tap or 0, config.layers or ()
        widths = (int(decoder.inputs.shape[1]), int(decoder.outputs.shape[1]))
        made = {str(i): GatedCrossAttention(decoder.width, widths, config) for i in self.layers}
        self.memory_layers = nn.ModuleDict(made)
        self.to(decoder.inputs.device)
        self.select_trainable(continuation=False)

    def __getitem__(self, layer: int) -> GatedCrossAttention:
        return self.memory_layers[str(layer)]  # type: ignore[return-value]

    def project(self, tokens: MemoryTokens, table: TokenTable, dtype: torch.dtype) -> dict[int, LayerMemory]:
        """Memory tokens projected for each layer."""
        return {layer: self[layer].project(tokens, table, dtype) for layer in self.layers}

    def set_min_attention(self, min_attention: float) -> None:
        """Set the attention mass up to which a position attends to nothing, in every layer."""
        for layer in self.layers:
            self[layer].min_attention = min_attention

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take saved parameters; those that older weights lack keep their initial values."""
        missing = lambda name: name.endswith(ADDED_LATER) or CONTINUATION in name
        initial = {name: value for name, value in self.state_dict().items() if missing(name)}
        self.load_state_dict({**initial, **state})

    def select_trainable(self, *, continuation: bool) -> None:
        """Train either continuation attention or the answering part; the other stays as it is."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_((CONTINUATION in name) == continuation)

    @property
    def reads_text(self) -> bool:
        """Whether continuation attention has been trained."""
        return any(self[layer].continuation.trained for layer in self.layers)

    def gates(self) -> dict[int, float]:
        """Gate of each layer, tanh(g), -1..1."""
        return {layer: float(torch.tanh(self[layer].gate.detach().float())) for layer in self.layers}

    def parameter_groups(self, rate: float, fast: float) -> list[dict[str, Any]]:
        """Optimizer groups: matrices at ``rate``, biases ``fast`` times as fast, gates and null slots between the two.

        A gate as fast as the biases closes before the null slot has been trained, and stays closed.
        """
        groups: dict[float, list[nn.Parameter]] = {1.0: [], fast**0.5: [], fast: []}
        for name, parameter in self.named_parameters():
            matrix = parameter.ndim == 2 and not name.endswith("_bias")
            between = name.endswith(".gate") or (".null" in name and matrix)
            if parameter.requires_grad:
                groups[fast**0.5 if between else 1.0 if matrix else fast].append(parameter)
        decay = lambda factor: {} if factor == 1.0 else {"weight_decay": 0.0}
        return [{"params": chosen, "lr": rate * factor, **decay(factor)} for factor, chosen in groups.items() if chosen]


def default_layers(depth: int) -> tuple[int, ...]:
    """Two late layers, in a stack of ``depth``."""
    return tuple(sorted({max(0, min(depth - 1, round(depth * share) - 1)) for share in (0.9, 0.97)}))


def default_tap(depth: int) -> int:
    """An early layer, whose states still encode the tokens just before."""
    return min(depth - 1, round(depth * 0.1))


def with_layers(config: FusionConfig, depth: int) -> FusionConfig:
    """The config with layers and tap chosen, for a stack of ``depth`` decoder layers.

    Raises:
        InvalidValue: it names a layer that does not exist.
    """
    layers = config.layers or default_layers(depth)
    tap = default_tap(depth) if config.tap is None else config.tap
    if layers[-1] >= depth:
        raise InvalidValue(f"layers must be below {depth}, the number of decoder layers, not {layers!r}")
    return replace(config, layers=layers, tap=min(tap, layers[0]))


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
        current = lambda name: ".".join(_RENAMED.get(part, part) for part in name.split("."))
        return config, saved.meta["base"], {current(name): value for name, value in saved.tensors.items()}
    except (KeyError, TypeError, ValueError, InvalidValue) as error:
        raise WeightsMismatch(f"{path} holds a config that this version cannot read: {error}") from error
