"""Settings, as frozen dataclasses that are checked once, when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphmem.errors import InvalidValue


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise InvalidValue, with the offending value in the message, unless the condition holds."""
    if not condition:
        raise InvalidValue(f"{name} must be {expected}, not {value!r}")


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """How a memory is read inside a language model.

    Attributes:
        layers: decoder layers, counted from 0, after which the memory is read; None takes late ones, by depth.
        heads: H, attention heads of each reading.
        match_width: width over all heads in which tokens and contexts are compared.
        tap: early layer whose output tells the readings what stood before the current token; None takes one by depth.
        max_name_tokens: most tokens of a name.
        nodes: most nodes of a retrieval that are handed to the model.
        refusal: what the model is offered to say when the memory does not know; None lets it answer as without memory.
        layers_path: dotted path of the stack of decoder layers, for models where it is not found.
    """

    layers: tuple[int, ...] | None = None
    heads: int = 4
    match_width: int = 256
    tap: int | None = None
    max_name_tokens: int = 48
    nodes: int = 32
    refusal: str | None = None
    layers_path: str | None = None

    def __post_init__(self) -> None:
        require(self.heads >= 1, "heads", self.heads, "at least 1")
        require(
            self.match_width >= self.heads and self.match_width % self.heads == 0,
            "match_width", self.match_width, f"a multiple of heads ({self.heads})",
        )  # fmt: skip
        require(1 <= self.max_name_tokens <= 1024, "max_name_tokens", self.max_name_tokens, "between 1 and 1024")
        require(self.nodes >= 1, "nodes", self.nodes, "at least 1")
        require(self.refusal is None or bool(self.refusal.strip()), "refusal", self.refusal, "None or visible text")
        require(self.layers is None or _rising(self.layers), "layers", self.layers, "None or rising layer numbers")
        require(self.tap is None or self.tap >= 0, "tap", self.tap, "None or a layer number")


def _rising(layers: tuple[int, ...]) -> bool:
    return bool(layers) and layers[0] >= 0 and all(a < b for a, b in zip(layers, layers[1:], strict=False))
