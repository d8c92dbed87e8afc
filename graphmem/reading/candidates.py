"""Candidate facts, and competition between candidates that cannot all hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.types import Fact
from graphmem.text.sentences import Stretch

MAX_CHARACTERS = 2_000_000
"""Longest text read at once; more than this is handed in piece by piece."""
_STRONGEST = 8
"""Rivals of one kind that a candidate is weighed against."""


@dataclass(frozen=True, slots=True)
class CandidateFact:
    """A fact as a text speaks of it, before anything was decided.

    Attributes:
        fact: by the names that the text uses; ``confidence`` is the reader's own.
        mood: ``stated``, ``ended``, ``denied`` or ``doubted``, see ``reader.MOODS``.
        moods: probability of each mood, ``none`` first, float32 [5].
        subject_span, object_span: where the two stand, in characters.
        object_kind: ``entity`` or ``literal``.
        surprise: mean negative log-likelihood of the tokens from one mention to the other, in nats.
        features: the reader's view of the pair, float32 [W]; None from readers that have none.
        named: whether the relation is a known one; else the words of the text name it.
        heard: subject and object as the text has them, before they were resolved.
        sentence: mean hidden state of the frozen model over its sentence, float32 [2D]; None from other readers.
        sure: probability of the relation among all that could have been meant.
        others: other relations that may be meant, the likeliest first.
        spotted: probability of the less sure of the two names, as it was cut from the text or as a pronoun's meaning.
        contested: by how much the strongest rival in its sentence is stronger, 0..1. A rival joins the same two names,
            or one of them by the same relation; those of a list ("hip hop and jazz") are about as strong as each other.
            A rival whose name touches this one's, as torn names do, counts with all its strength.
    """

    fact: Fact
    mood: str = "stated"
    moods: np.ndarray | None = None
    subject_span: Stretch = (0, 0)
    object_span: Stretch = (0, 0)
    object_kind: str = "entity"
    surprise: float = 0.0
    features: np.ndarray | None = None
    named: bool = True
    heard: tuple[str, ...] = ()
    sentence: np.ndarray | None = None
    sure: float = 1.0
    others: tuple[RelationAlternative, ...] = ()
    spotted: float = 1.0
    contested: float = 0.0


def mark_competition(found: Sequence[CandidateFact]) -> list[CandidateFact]:
    """Tell each candidate how much stronger the strongest rival in its sentence is, see ``CandidateFact.contested``."""
    by_key: dict[tuple[object, ...], list[int]] = {}
    for place, candidate in enumerate(found):
        for key in _rivalries(candidate):
            by_key.setdefault(key, []).append(place)
    strength = [c.sure * c.fact.confidence for c in found]
    against = [0.0] * len(found)
    for places in by_key.values():
        strongest = sorted(places, key=lambda place: -strength[place])[:_STRONGEST]
        for place, other in product(places, strongest):
            if place == other:
                continue
            ahead = strength[other] - (0.0 if _torn(found[place], found[other]) else strength[place])
            against[place] = max(against[place], ahead)
    return [replace(c, contested=value) for c, value in zip(found, against, strict=True)]


def _torn(one: CandidateFact, other: CandidateFact) -> bool:
    """Whether names of the two touch, as parts of one name do that was torn: "Hi" and "Yean" of "Hi Yean"."""
    ends = ((a, b) for a in (one.subject_span, one.object_span) for b in (other.subject_span, other.object_span))
    return any(0 <= max(a[0], b[0]) - min(a[1], b[1]) <= 1 for a, b in ends if a != b)


def _rivalries(candidate: CandidateFact) -> list[tuple[object, ...]]:
    """What only one candidate of a sentence can well be: the one between two names, or of one name and a relation."""
    fact, where = candidate.fact, (candidate.fact.text, candidate.mood)
    return [(*where, frozenset((fact.subject, fact.object)))] + [
        (*where, fact.relation, name) for name in dict.fromkeys((fact.subject, fact.object))
    ]


def check_text(text: Any) -> str:
    """Return ``text``, or say why it cannot be read.

    Raises:
        InvalidValue: not text, or longer than ``MAX_CHARACTERS``.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"only text can be read, not {type(text).__name__}: {text!r:.80}")
    if len(text) > MAX_CHARACTERS:
        raise InvalidValue(
            f"the text has {len(text)} characters, {MAX_CHARACTERS} at most are read at once; "
            "hand it in piece by piece, or as an iterable to read_stream"
        )
    return text


@dataclass(frozen=True, slots=True)
class RelationAlternative:
    """A relation that a text may mean between two mentions; ``turned``: the other one is the subject."""

    relation: str
    turned: bool
    probability: float
