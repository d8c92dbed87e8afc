"""Candidate facts, and competition between candidates that cannot all hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.names import unstorable
from graphmem.core.types import Fact
from graphmem.text.sentences import Stretch

MAX_CHARACTERS = 2_000_000
"""Longest text read at once."""
_MAX_RIVALS = 8
"""Rivals of one kind that a candidate is compared with."""


@dataclass(frozen=True, slots=True)
class RelationAlternative:
    """Another relation that a text may express between two mentions; ``inverted``: subject and object exchanged."""

    relation: str
    inverted: bool
    probability: float


@dataclass(frozen=True, slots=True)
class CandidateFact:
    """A fact extracted from a text, before any decision about writing it.

    Attributes:
        fact: by the names of the text; ``confidence`` is the extractor's.
        factuality: one of ``network.FACTUALITY``, or ``planned`` or ``reported`` from other extractors.
        factuality_probabilities: of each of ``FACTUALITY``, ``none`` first, float32 [5]; None from other extractors.
        subject_span, object_span: characters of the two mentions.
        object_kind: ``entity`` or ``literal``.
        surprise: mean negative log-likelihood of the tokens from one mention to the other, in nats.
        features: the network's features of the pair, float32 [W]; None from other extractors.
        is_known_relation: whether the relation is one of the vocabulary; else words of the text name it.
        as_received: subject and object as the text has them, before entity linking.
        sentence: mean hidden state of the frozen model over the sentence, float32 [2D]; None from other extractors.
        relation_probability: of the relation, among the vocabulary.
        alternatives: other relations, the likeliest first.
        span_probability: the lower one of the two mentions, coreference included.
        competition: by how much the strongest rival in the sentence is stronger, 0..1. A rival joins the same two
            names, or one of them by the same relation. The items of a list are about equally strong. A rival whose
            mention touches this one's, as the parts of a torn name do, counts with its full strength.
        probability: that the text says so, 0..1, by all that was read.
    """

    fact: Fact
    factuality: str = "asserted"
    factuality_probabilities: np.ndarray | None = None
    subject_span: Stretch = (0, 0)
    object_span: Stretch = (0, 0)
    object_kind: str = "entity"
    surprise: float = 0.0
    features: np.ndarray | None = None
    is_known_relation: bool = True
    as_received: tuple[str, ...] = ()
    sentence: np.ndarray | None = None
    relation_probability: float = 1.0
    alternatives: tuple[RelationAlternative, ...] = ()
    span_probability: float = 1.0
    competition: float = 0.0
    probability: float = 1.0

    @property
    def end(self) -> int:
        """Last character of the later mention."""
        return max(self.subject_span[1], self.object_span[1])


def mark_competition(found: Sequence[CandidateFact]) -> list[CandidateFact]:
    """Set the ``competition`` of every candidate."""
    by_key: dict[tuple[object, ...], list[int]] = {}
    for place, candidate in enumerate(found):
        for key in _rival_keys(candidate):
            by_key.setdefault(key, []).append(place)
    strength = [c.relation_probability * c.fact.confidence for c in found]
    competition = [0.0] * len(found)
    for places in by_key.values():
        strongest = sorted(places, key=lambda place: -strength[place])[:_MAX_RIVALS]
        for place, other in product(places, strongest):
            if place == other:
                continue
            ahead = strength[other] - (0.0 if _are_adjacent(found[place], found[other]) else strength[place])
            competition[place] = max(competition[place], ahead)
    return [replace(c, competition=value) for c, value in zip(found, competition, strict=True)]


def _are_adjacent(one: CandidateFact, other: CandidateFact) -> bool:
    """Whether mentions of the two touch, as the parts of a torn name do: "Hi" and "Yean" of "Hi Yean"."""
    ends = ((a, b) for a in (one.subject_span, one.object_span) for b in (other.subject_span, other.object_span))
    return any(0 <= max(a[0], b[0]) - min(a[1], b[1]) <= 1 for a, b in ends if a != b)


def _rival_keys(candidate: CandidateFact) -> list[tuple[object, ...]]:
    """Keys shared by rivals: one sentence with the same two names, or with one name and the relation."""
    fact, where = candidate.fact, (candidate.fact.text, candidate.factuality)
    return [(*where, frozenset((fact.subject, fact.object)))] + [
        (*where, fact.relation, name) for name in dict.fromkeys((fact.subject, fact.object))
    ]


def check_text(text: Any) -> str:
    """Return ``text``.

    Raises:
        InvalidValue: not a string, longer than ``MAX_CHARACTERS``, or no valid Unicode.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"only text can be read, not {type(text).__name__}: {text!r:.80}")
    if len(text) > MAX_CHARACTERS:
        limit = f"at most {MAX_CHARACTERS} are read at once; pass it piece by piece, as an iterable to read_stream"
        raise InvalidValue(f"the text has {len(text)} characters, {limit}")
    if reason := unstorable(text.replace("\0", " ")):
        raise InvalidValue(f"the text {reason}; decode it with errors='replace'")
    return text
