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
    *FACTUALITY, "held", "previously held", "conflict", "rivals", "functional", "functional conflict", "changeable",
    "novelty", "subject known", "object known", "surprise", "trust", "held trust", "trust gap", "superseded in text",
    "later", "confidence", "is known relation", "relation probability", "joined", "span probability", "competition",
    "margin", "inverted", "distance", "literal", "role agreement",
)  # fmt: skip
"""Inputs of the gate beside the extractor's features of the pair."""


@dataclass(frozen=True, slots=True)
class GraphContext:
    """What the graph holds near a candidate.

    Attributes:
        held: facts of the same subject and relation that hold now.
        previously_held: whether this very fact was held and is over.
        functional: how far the relation has one object a subject, 0..1, by this graph's counts and its text.
        changeable: how far the relation's value changes in time, 0..1, by its text.
        subject_known, object_known: whether the graph has such nodes.
        superseded_in_text: the held fact that the same text says is over, if any.
        sources: number of sources of held facts, by their id; one where it is not given.
        joined: whether another relation joins the two entities now, in either direction.
        role_agreement: whether the two have the same roles in other facts of the relation (1), exchanged roles (-1), or
            neither (0).
    """

    held: tuple[Fact, ...] = ()
    previously_held: bool = False
    functional: float = 0.5
    changeable: float = 0.5
    subject_known: bool = False
    object_known: bool = False
    superseded_in_text: Fact | None = None
    joined: bool = False
    role_agreement: float = 0.0
    sources: Mapping[int, int] = field(default_factory=dict)

    def same(self, candidate: Fact) -> Fact | None:
        """The held fact that the candidate repeats."""
        wanted = normalise(candidate.object)
        return next((fact for fact in self.held if normalise(fact.object) == wanted), None)

    def rival(self, candidate: Fact) -> Fact | None:
        """The held fact that the candidate conflicts with: the one said to be over, else the latest."""
        if self.superseded_in_text is not None:
            return self.superseded_in_text
        others = [fact for fact in self.held if normalise(fact.object) != normalise(candidate.object)]
        return max(others, key=held_order, default=None)


def held_order(fact: Fact) -> tuple[float, int]:
    """Key by which held facts are ordered in time: by their beginning, then as they were recorded."""
    return _start(fact), fact.id or 0


def gate_features(candidate: CandidateFact, near: GraphContext, trust: float) -> np.ndarray:
    """The gate's inputs, float32 [32], in the order of ``FEATURES``."""
    fact, held, rival = candidate.fact, near.same(candidate.fact), near.rival(candidate.fact)
    compared = held or rival
    similarity = max((float(name_features(fact.object, f.object)[4]) for f in near.held), default=0.0)
    held_trust = compared.confidence if compared else 0.0
    order = 0  # 1: later than the rival, -1: earlier
    if rival is not None and fact.valid_from is not None and rival.valid_from is not None:
        order = np.sign(_start(fact) - _start(rival))
    alternatives, literal = candidate.alternatives, has_literal_objects(fact.relation)
    first, second = sorted((candidate.subject_span, candidate.object_span))
    return np.array([
        *factuality_probabilities(candidate), held is not None, near.previously_held, rival is not None,
        np.log1p(len(near.held)), near.functional, near.functional * (rival is not None), near.changeable,
        0.0 if held else 1.0 - similarity, near.subject_known, near.object_known, candidate.surprise / 5.0, trust,
        held_trust, (trust - held_trust) * (compared is not None), near.superseded_in_text is not None,
        order, fact.confidence, candidate.is_known_relation,
        candidate.relation_probability, near.joined and held is None, candidate.span_probability,
        candidate.competition,
        candidate.relation_probability - max((other.probability for other in alternatives), default=0.0),
        sum(other.probability for other in alternatives if other.inverted and other.relation == fact.relation),
        np.log1p(max(0, second[0] - first[1])) / 5.0,
        0.0 if literal is None else 1.0 if literal == (candidate.object_kind == "literal") else -1.0,
        near.role_agreement,
    ], dtype=np.float32)  # fmt: skip


def _start(fact: Fact) -> float:
    start = to_micros(fact.valid_from)
    return -np.inf if start is None else float(start)


def role_agreement(fact: Fact, subjects: Collection[str], objects: Collection[str]) -> float:
    """``GraphContext.role_agreement``, from the normalised subjects and objects of other facts of the relation."""
    subject, value = normalise(fact.subject), normalise(fact.object)
    same = (subject in subjects) + (value in objects)
    return float(np.sign(same - (subject in objects) - (value in subjects)))


def factuality_probabilities(candidate: CandidateFact) -> Sequence[float] | np.ndarray:
    """Probability of each of ``FACTUALITY``; a candidate without them has its own label for certain."""
    if candidate.factuality_probabilities is not None:
        return candidate.factuality_probabilities
    return [float(label == candidate.factuality) for label in FACTUALITY]


def evidence_record(
    candidate: CandidateFact, near: GraphContext, probabilities: np.ndarray, trust: float
) -> dict[str, Any]:
    """The inputs and outputs of a decision, as the journal keeps them."""
    features = gate_features(candidate, near, trust).tolist()
    held = near.same(candidate.fact) or near.rival(candidate.fact)
    return {
        "factuality": candidate.factuality,
        "against": str(held) if held else None,
        "against_id": held.id if held else None,
        "probabilities": {a: round(float(p), 4) for a, p in zip(ACTIONS, probabilities, strict=True)},
        "subject_span": list(candidate.subject_span),
        "object_span": list(candidate.object_span),
        **{name.replace(" ", "_"): round(value, 4) for name, value in zip(FEATURES, features, strict=True)},
    }
