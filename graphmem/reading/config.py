"""Configuration of the extraction network."""

from __future__ import annotations

from dataclasses import dataclass

from graphmem.core.validation import require


@dataclass(frozen=True, slots=True)
class ExtractorConfig:
    """Shape of an extraction network and its thresholds.

    Attributes:
        hidden_size: D of the frozen model.
        text_width: K of the text encoder of relation names.
        layers: the two entries of ``hidden_states`` used as input; both lie below the first fused layer, so that what
            is extracted from a text does not depend on the memory.
        width, heads, depth, feedforward: size of its own bidirectional blocks.
        fact_threshold: minimum probability, 0..1, that a text speaks about a pair.
        relation_threshold: minimum probability of a relation of the vocabulary; below it the words between the mentions
            name the relation.
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
