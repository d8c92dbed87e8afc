"""Configuration of the fusion layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass, replace
from typing import Any, Final

from graphmem.core import arguments
from graphmem.core.validation import require

REFUSAL: Final = "I don't know."
"""Default refusal."""

_OLD_KEYS: Final = {
    "quiet": "min_attention", "quiet_text": "min_attention_text", "quiet_topic": "min_attention_topic",
    "silent": "min_answerability", "nodes": "max_nodes",
}  # fmt: skip
"""Names of settings in the headers of earlier weights."""


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """How memory layers attend to a retrieval inside a language model.

    Attributes:
        layers: decoder layers, counted from 0, after which the memory is read; None chooses late ones, by depth.
        heads: H, attention heads of each memory layer.
        match_width: width over all heads of queries and keys.
        tap: early layer whose output encodes the tokens before the current one; None chooses one by depth.
        max_name_tokens: longest name, in tokens.
        max_nodes: most nodes of a retrieval that become candidates.
        min_attention: attention mass up to which a position attends to exactly nothing, 0..1.
        min_attention_text: the same for plain text without a question; None takes ``min_attention``.
        min_attention_topic: the same for plain text whose topic was given as a name; None takes ``min_attention``.
        refusal: candidate answer for questions that the memory cannot answer; None offers none.
        trust: answerability from which on it is treated as certain, 0..1; 0 treats every retrieval so.
        min_answerability: answerability below which nothing is attended to, 0..1, unless a refusal is offered or
            ``trust`` is 0. Chosen on unrelated questions of WikiMovies' dev half and on paraphrases of edits.
        layers_path: dotted path of the stack of decoder layers, for models where it is not found.
    """

    layers: tuple[int, ...] | None = None
    heads: int = 4
    match_width: int = 256
    tap: int | None = None
    max_name_tokens: int = 48
    max_nodes: int = 32
    min_attention: float = 0.0
    min_attention_text: float | None = None
    min_attention_topic: float | None = None
    refusal: str | None = None
    trust: float = 0.4
    min_answerability: float = 0.4
    layers_path: str | None = None

    def __post_init__(self) -> None:
        for name in ("heads", "match_width", "max_nodes"):
            arguments.whole(getattr(self, name), name)
        arguments.whole(self.max_name_tokens, "max_name_tokens", most=1024)
        multiple = self.match_width >= self.heads and self.match_width % self.heads == 0
        require(multiple, "match_width", self.match_width, f"a multiple of heads ({self.heads})")
        for name in ("min_attention", "min_attention_text", "min_attention_topic"):
            if (share := getattr(self, name)) is not None or name == "min_attention":
                arguments.number(share, name, "at least 0 and below 1", 0, 1 - 1e-9)
        arguments.text(self.refusal, "refusal", optional=True, blank=False)
        arguments.text(self.layers_path, "layers_path", optional=True)
        for name in ("trust", "min_answerability"):
            arguments.number(getattr(self, name), name, "a probability, 0..1", 0, 1)
        layers = (0,) if self.layers is None else self.layers
        numbers = isinstance(layers, (tuple, list)) and all(type(layer) is int for layer in layers)
        require(numbers, "layers", self.layers, "None or rising layer numbers")
        rising = min(layers, default=-1) >= 0 and sorted({*layers}) == list(layers)
        require(rising, "layers", self.layers, "None or rising layer numbers")
        if self.tap is not None:
            arguments.whole(self.tap, "tap", 0)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FusionConfig:
        """A config from JSON values; names of settings in earlier weights are accepted."""
        known = {_OLD_KEYS.get(key, key): value for key, value in values.items()}
        return cls(**(known | {"layers": tuple(known["layers"]) if known.get("layers") else None}))


class AttachedConfig(FusionConfig):
    """Fusion config that passes other attributes, read or set (as ``Trainer`` does), through to the base's config."""

    __slots__ = ("_base",)

    @classmethod
    def wrap(cls, config: FusionConfig, base: Any) -> AttachedConfig:
        """The config in front of a base's."""
        made = cls(**asdict(config))
        object.__setattr__(made, "_base", base)
        return made

    def replaced(self, **values: Any) -> AttachedConfig:
        """The same with other values; ``dataclasses.replace`` would lose the base's config."""
        return self.wrap(replace(self, **values), self._base)

    def __getattr__(self, name: str) -> Any:
        if name == "_base" or name.startswith("__") or self._base is None:
            raise AttributeError(name)
        return getattr(self._base, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FusionConfig.__slots__ or self._base is None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        setattr(self._base, name, value)
