"""Configuration of the write gate."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from graphmem.core.validation import require


@dataclass(frozen=True, slots=True)
class WriteGateConfig:
    """Thresholds of the write gate.

    Attributes:
        threshold: minimum probability of any write, 0..1; raise it to write less.
        trust_margin: how far a source's trust may lie below a held fact's confidence and still change that fact.
        min_trust: claims of sources below this are kept as episodes only, never as facts.
        states: update the state vectors of the nodes that a text mentions, and disambiguate names by them.
    """

    threshold: float = 0.25
    trust_margin: float = 0.4
    min_trust: float = 0.3
    states: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(0.0 <= value <= 1.0, name, value, "a number from 0 to 1")
