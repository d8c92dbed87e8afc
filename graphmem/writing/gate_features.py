"""Features of the write gate: the graph context of a candidate fact, as numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from graphmem.core.names import normalise
from graphmem.core.times import to_micros
from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact
from graphmem.reading.network import FACTUALITY
from graphmem.text.relation_synonyms import has_literal_objects
from graphmem.writing.entity_linking import name_features

Action = Literal["skip", "add", "update", "retire"]
ACTIONS: Final[tuple[Action, ...]] = ("skip", "add", "update", "retire")
FEATURES: Final = (
    "none", "stated", "ended", "denied", "doubted", "held", "once held", "conflict", "rivals", "functional",
    "functional conflict", "changeable", "novelty", "subject known", "object known", "surprise", "trust", "held trust",
    "trust gap", "says old is over", "later", "reader", "named", "relation", "joined", "spotted", "contested", "margin",
    "turned", "apart", "literal", "casts",
)  # fmt: skip
"""What the gate sees beside the reader's view of the pair."""


@dataclass(frozen=True, slots=True)
class GraphContext:
    """What the graph holds near a candidate.

    Attributes:
        held: facts of the same subject and relation that hold now.
        past: whether the very fact was held once and is over.
        functional: how far the relation has one object a subject, 0..1, by this graph's counts and its text.
        changeable: how far the relation's value changes in time, 0..1, by its text.
        subject_known, object_known: whether the graph has such nodes.
        says_old: the held fact that the same text says is over, if any.
        joined: whether another relation joins the two things now, either way round.
        casts: whether the two play the parts in other facts of the relation that they play here (1), or each other's
            (-1), or neither is known to play any (0).
    """

    held: tuple[Fact, ...] = ()
    past: bool = False
    functional: float = 0.5
    changeable: float = 0.5
    subject_known: bool = False
    object_known: bool = False
    says_old: Fact | None = None
    joined: bool = False
    casts: float = 0.0

    def same(self, candidate: Fact) -> Fact | None:
        """The held fact that the candidate repeats."""
        wanted = normalise(candidate.object)
        return next((fact for fact in self.held if normalise(fact.object) == wanted), None)

    def rival(self, candidate: Fact) -> Fact | None:
        """The held fact that the candidate stands against: the one said to be over, else the latest."""
        if self.says_old is not None:
            return self.says_old
        others = [fact for fact in self.held if normalise(fact.object) != normalise(candidate.object)]
        return max(others, key=lambda fact: (fact.valid_from or "", fact.id or 0), default=None)


def gate_features(candidate: CandidateFact, near: GraphContext, trust: float) -> np.ndarray:
    """What the gate sees in numbers, float32 [32], in the order of ``FEATURES``."""
    fact, held, rival = candidate.fact, near.same(candidate.fact), near.rival(candidate.fact)
    against = held or rival
    alike = max((float(name_features(fact.object, f.object)[4]) for f in near.held), default=0.0)
    believed = against.confidence if against else 0.0
    return np.array([
        *_moods(candidate),
        held is not None,
        near.past,
        rival is not None,
        np.log1p(len(near.held)),
        near.functional,
        near.functional * (rival is not None),
        near.changeable,
        0.0 if held else 1.0 - alike,
        near.subject_known,
        near.object_known,
        candidate.surprise / 5.0,
        trust,
        believed,
        (trust - believed) * (against is not None),
        near.says_old is not None,
        _order(fact.valid_from, rival.valid_from if rival else None),
        fact.confidence,
        candidate.named,
        candidate.sure,
        near.joined and held is None,
        candidate.spotted,
        candidate.contested,
        candidate.sure - max((other.probability for other in candidate.others), default=0.0),
        sum(other.probability for other in candidate.others if other.turned and other.relation == fact.relation),
        np.log1p(_apart(candidate.subject_span, candidate.object_span)) / 5.0,
        _literal_fits(fact.relation, candidate.object_kind),
        near.casts,
    ], dtype=np.float32)  # fmt: skip


def _apart(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Characters between two stretches."""
    return max(0, max(one[0], other[0]) - min(one[1], other[1]))


def _literal_fits(relation: str, kind: str) -> float:
    """1 where a relation tells numbers or dates and the object is one, or tells neither; -1 where not; 0 unknown."""
    told = has_literal_objects(relation)
    return 0.0 if told is None else 1.0 if told == (kind == "literal") else -1.0


def role_agreement(fact: Fact, subjects: Collection[str], objects: Collection[str]) -> float:
    """See ``GraphContext.casts``: from the normalised subjects and objects of other facts of the relation."""
    subject, value = normalise(fact.subject), normalise(fact.object)
    straight = (subject in subjects) + (value in objects)
    return float(np.sign(straight - (subject in objects) - (value in subjects)))


def _moods(candidate: CandidateFact) -> Sequence[float] | np.ndarray:
    """Probability of each of ``FACTUALITY``; of readers that give none the mood is taken for certain."""
    return candidate.moods if candidate.moods is not None else [float(name == candidate.mood) for name in FACTUALITY]


def _order(first: str | None, second: str | None) -> float:
    """1 if the first time is later, -1 if earlier, 0 if that is not known."""
    if first is None or second is None:
        return 0.0
    a, b = to_micros(first) or 0, to_micros(second) or 0
    return float(np.sign(a - b))


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """What a decision saw, as the journal keeps it."""

    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, candidate: CandidateFact, near: GraphContext, chances: np.ndarray, trust: float) -> EvidenceRecord:
        """Collect it."""
        seen = gate_features(candidate, near, trust).tolist()
        numbers = {name: round(value, 4) for name, value in zip(FEATURES, seen, strict=True)}
        held = near.same(candidate.fact) or near.rival(candidate.fact)
        return cls({
            "mood": candidate.mood,
            "against": str(held) if held else None,
            "against_id": held.id if held else None,
            "probabilities": {a: round(float(p), 4) for a, p in zip(ACTIONS, chances, strict=True)},
            "subject_span": list(candidate.subject_span),
            "object_span": list(candidate.object_span),
            **{name.replace(" ", "_"): value for name, value in numbers.items()},
        })  # fmt: skip
