"""Configuration of the extraction network."""

from __future__ import annotations

from dataclasses import dataclass

from graphmem.core.validation import require


@dataclass(frozen=True, slots=True)
class ExtractorConfig:
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
