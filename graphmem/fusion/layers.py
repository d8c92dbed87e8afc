"""Fusion layers: which decoder layers attend to the memory, and their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from graphmem.core.errors import InvalidValue
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.cross_attention import GatedCrossAttention, LayerMemory
from graphmem.fusion.memory_tokens import MemoryTokens
from graphmem.fusion.token_embeddings import TokenTable

UNLEARNT = ("standing", "agreement")
"""Ends of the names of parameters that older weights lack; they keep what they are made with."""

CONTINUATION = ".told."
"""Stands in the names of the parameters for plain text, which older weights lack as well: they then read nothing."""


class FusionLayers(nn.Module):
    """The readings of all fused layers. Holds parameters and nothing else.

    Args:
        width: D.
        token_widths: widths of input and output embeddings.
        layers: decoder layers, counted from 0, after which the memory is read.
        tap: layer whose output is the early state.
        config: sizes.
    """

    def __init__(
        self, width: int, token_widths: tuple[int, int], layers: Sequence[int], tap: int, config: FusionConfig
    ) -> None:
        super().__init__()
        self.config, self.tap, self.layers = config, tap, tuple(layers)
        self.readings = nn.ModuleDict({str(i): GatedCrossAttention(width, token_widths, config) for i in self.layers})
        self.teach(telling=False)

    def __getitem__(self, layer: int) -> GatedCrossAttention:
        return self.readings[str(layer)]  # type: ignore[return-value]

    def project(self, tokens: MemoryTokens, table: TokenTable, dtype: torch.dtype) -> dict[int, LayerMemory]:
        """Slots as every fused layer sees them."""
        return {layer: self[layer].project(tokens, table, dtype) for layer in self.layers}

    def quieten(self, quiet: float) -> None:
        """Set the share of attention up to which a position reads nothing, in every reading."""
        for layer in self.layers:
            self[layer].quiet = quiet

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take saved parameters; what older weights lack keeps what it is made with."""
        unlearnt = lambda name: name.endswith(UNLEARNT) or CONTINUATION in name
        fresh = {name: value for name, value in self.state_dict().items() if unlearnt(name)}
        self.load_state_dict({**fresh, **state})

    def teach(self, telling: bool) -> None:
        """Choose what learns: going on with plain text, or answering; the other half stays as it is."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_((CONTINUATION in name) == telling)

    @property
    def tells(self) -> bool:
        """Whether the readings have learnt to go on with plain text."""
        return any(self[layer].told.opened for layer in self.layers)

    def gates(self) -> dict[int, float]:
        """How far each layer's gate is open, tanh(g), -1..1."""
        return {layer: float(torch.tanh(self[layer].gate.detach().float())) for layer in self.layers}

    def parameter_groups(self, rate: float, fast: float) -> list[dict[str, Any]]:
        """For an optimizer: matrices at ``rate``, biases ``fast`` times as quick, gates and null slots between the two.

        A gate as quick as the biases closes before the null slot has learnt when not to read, and stays closed.
        """
        groups: dict[float, list[nn.Parameter]] = {1.0: [], fast**0.5: [], fast: []}
        learns = ((name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad)
        for name, parameter in learns:
            between = name.endswith("gate") or (".null" in name and parameter.ndim == 2 and "standing" not in name)
            slow = parameter.ndim == 2 and not name.endswith(("_bias", "standing"))
            groups[fast**0.5 if between else 1.0 if slow else fast].append(parameter)
        return [
            {"params": chosen, "lr": rate * factor, **({} if factor == 1.0 else {"weight_decay": 0.0})}
            for factor, chosen in groups.items()
            if chosen
        ]


def default_layers(depth: int) -> tuple[int, ...]:
    """Late layers: the graph reasons, the last layers speak."""
    return tuple(sorted({max(0, min(depth - 1, round(depth * share) - 1)) for share in (0.9, 0.97)}))


def default_tap(depth: int) -> int:
    """An early layer, where a state still tells which tokens stood before it."""
    return min(depth - 1, round(depth * 0.1))


def with_layers(config: FusionConfig, depth: int) -> FusionConfig:
    """The config with its layers and tap chosen, for a stack of ``depth`` decoder layers.

    Raises:
        InvalidValue: it names a layer that there is not.
    """
    layers = config.layers or default_layers(depth)
    tap = default_tap(depth) if config.tap is None else config.tap
    if layers[-1] >= depth:
        raise InvalidValue(f"layers must be below {depth}, the number of decoder layers, not {layers!r}")
    return replace(config, layers=layers, tap=min(tap, layers[0]))
