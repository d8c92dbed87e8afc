"""Configuration of the fusion layers."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, dataclass, replace
from typing import Any

from graphmem.core.validation import require


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
        quiet: share of attention on the memory up to which a position reads exactly nothing, 0..1.
        quiet_text: the same for plain text, where nobody asked anything; None takes ``quiet``.
        quiet_topic: the same for plain text whose topic the memory was told by name; None takes ``quiet``.
        refusal: what the model is offered to say when the memory does not know; None lets it answer as without memory.
        trust: the memory's probability of holding the answer from which on it is believed, 0..1; 0 believes it always.
        silent: the same probability, below which it is not read at all, and the base answers as without it; not where
            a refusal is offered, or ``trust`` is 0. Chosen on unrelated questions of WikiMovies' dev half and on
            paraphrases of edits. A question that does not name what is known needs more, see ``answerability_threshold``.
        layers_path: dotted path of the stack of decoder layers, for models where it is not found.
    """

    layers: tuple[int, ...] | None = None
    heads: int = 4
    match_width: int = 256
    tap: int | None = None
    max_name_tokens: int = 48
    nodes: int = 32
    quiet: float = 0.0
    quiet_text: float | None = None
    quiet_topic: float | None = None
    refusal: str | None = None
    trust: float = 0.4
    silent: float = 0.4
    layers_path: str | None = None

    def __post_init__(self) -> None:
        require(self.heads >= 1, "heads", self.heads, "at least 1")
        require(
            self.match_width >= self.heads and self.match_width % self.heads == 0,
            "match_width", self.match_width, f"a multiple of heads ({self.heads})",
        )  # fmt: skip
        require(1 <= self.max_name_tokens <= 1024, "max_name_tokens", self.max_name_tokens, "between 1 and 1024")
        require(self.nodes >= 1, "nodes", self.nodes, "at least 1")
        require(0 <= self.quiet < 1, "quiet", self.quiet, "at least 0 and below 1")
        for name in ("quiet_text", "quiet_topic"):
            share = getattr(self, name)
            require(share is None or 0 <= share < 1, name, share, "None, or at least 0 and below 1")
        require(self.refusal is None or bool(self.refusal.strip()), "refusal", self.refusal, "None or visible text")
        require(0 <= self.trust <= 1, "trust", self.trust, "a probability, 0..1")
        require(0 <= self.silent <= 1, "silent", self.silent, "a probability, 0..1")
        require(self.layers is None or _rising(self.layers), "layers", self.layers, "None or rising layer numbers")
        require(self.tap is None or self.tap >= 0, "tap", self.tap, "None or a layer number")


def _rising(layers: tuple[int, ...]) -> bool:
    return bool(layers) and layers[0] >= 0 and all(a < b for a, b in zip(layers, layers[1:], strict=False))


class AttachedConfig(FusionConfig):
    """Config of the readings; whatever else is asked of it, or told it as ``Trainer`` does, concerns the base's."""

    __slots__ = ("_base",)

    @classmethod
    def beside(cls, config: FusionConfig, base: Any) -> AttachedConfig:
        """The same config, in front of a base's."""
        made = cls(**asdict(config))
        object.__setattr__(made, "_base", base)
        return made

    def changed(self, **values: Any) -> AttachedConfig:
        """The same with other values, in front of the same base's; ``dataclasses.replace`` would lose the base's."""
        return self.beside(replace(self, **values), self._base)

    def __getattr__(self, name: str) -> Any:
        if name == "_base" or name.startswith("__") or self._base is None:
            raise AttributeError(name)
        return getattr(self._base, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FusionConfig.__slots__ or self._base is None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        setattr(self._base, name, value)
