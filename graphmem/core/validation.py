"""Settings, as frozen dataclasses that are checked once, when they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from graphmem.core.errors import InvalidValue


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
        quiet: share of attention on the memory up to which a position reads exactly nothing, 0..1.
        quiet_text: the same for plain text, where nobody asked anything; None takes ``quiet``.
        quiet_topic: the same for plain text whose topic the memory was told by name; None takes ``quiet``.
        refusal: what the model is offered to say when the memory does not know; None lets it answer as without memory.
        trust: the memory's probability of holding the answer from which on it is believed, 0..1; 0 believes it always.
        silent: the same probability, below which it is not read at all, and the base answers as without it; not where
            a refusal is offered, or ``trust`` is 0. Chosen on unrelated questions of WikiMovies' dev half and on
            paraphrases of edits. A question that does not name what is known needs more, see ``hearing.least_sure``.
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


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """Shape of a reader and the thresholds it reads with.

    Attributes:
        hidden_size: D of the frozen model it reads from.
        text_width: K of the text encoder whose vectors stand for relations.
        layers: the two entries of ``hidden_states`` it sees; both lie below the first fused layer, so that what a
            text says does not depend on what the memory holds.
        width, heads, depth, feedforward: size of its own bidirectional blocks.
        fact_threshold: least probability, 0..1, that a pair is spoken about.
        relation_threshold: least probability of a named relation; below it the words between the mentions name it.

    """

    hidden_size: int = 576
    text_width: int = 384
    layers: tuple[int, int] = (12, 20)
    width: int = 256
    heads: int = 8
    depth: int = 2
    feedforward: int = 768
    dropout: float = 0.1
    fact_threshold: float = 0.5
    relation_threshold: float = 0.3

    def __post_init__(self) -> None:
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")
        for name in ("fact_threshold", "relation_threshold"):
            require(0.0 <= getattr(self, name) <= 1.0, name, getattr(self, name), "a probability, 0..1")


@dataclass(frozen=True, slots=True)
class GateConfig:
    """How the gate writes.

    Attributes:
        threshold: least probability of writing at all, 0..1; raise it to write less.
        trust_margin: how far below a held fact's confidence a source's trust may lie and still change that fact.
        least_trust: claims from sources below this are kept as episodes only, never as facts.
        states: move the state vectors of the nodes that a text speaks of, and tell namesakes apart by them.
    """

    threshold: float = 0.25
    trust_margin: float = 0.4
    least_trust: float = 0.3
    states: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(0.0 <= value <= 1.0, name, value, "a number from 0 to 1")
