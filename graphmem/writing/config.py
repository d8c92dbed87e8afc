"""Configuration of the write gate."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from graphmem.core.validation import require


@dataclass(frozen=True, slots=True)
class WriteGateConfig:
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
