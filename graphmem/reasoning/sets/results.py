"""Results of operations on sets: members with their facts and values, what was compared, and how sure the set is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from graphmem.core.types import Fact
from graphmem.reasoning.values import Value

CENTRE, SCALE = 0.0, 2.0
"""Logit of relevance of a result that is as likely wrong as right, and logits by which its odds change e-fold."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a result: its name, node and facts, and the value that was compared."""

    text: str
    node: int
    facts: tuple[Fact, ...] = field(repr=False)
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation gives.

    Attributes:
        operation: ``count``, ``list``, ``intersect``, ``except``, ``superlative``, ``sum``, ``difference`` or
            ``verify``.
        members: of the answer, at most ``MAX_NAMED``; none where what was compared has no such answer.
        compared: of a superlative, a sum and a difference, everything with a value.
        count: number of members, the number that a fact states, or a sum or difference in base units.
        stated: whether a fact states the number; its object is the only member.
        complete: whether every member was looked at.
        score: logits of the hypothesis.
        relevance: mean logit of the readings that it rests on.
        steps: what was computed: patterns of facts with ``?`` for the members, conditions, what was compared.
    """

    operation: str
    members: tuple[Member, ...]
    compared: tuple[Member, ...] = ()
    count: float = 0
    stated: bool = False
    complete: bool = True
    score: float = 0.0
    relevance: float = 0.0
    steps: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """The steps in one line."""
        return "; ".join(self.steps)

    @property
    def confidence(self) -> float:
        """Probability, from the readings, that the set is the one that is asked for, 0..1."""
        logit = (self.relevance + min(0.0, self.score) - CENTRE) / SCALE
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All facts that were used, those of the answer first."""
        return tuple(dict.fromkeys(fact for member in (*self.members, *self.compared) for fact in member.facts))
