"""Contract of extractors: a text and its date in, candidate facts with their places in the text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Protocol, runtime_checkable

from graphmem.core.errors import InvalidTime
from graphmem.core.times import Time, end_micros, to_micros
from graphmem.core.types import Fact, Factuality
from graphmem.reading.candidates import CandidateFact
from graphmem.text.sentences import Stretch

MentionKind = Literal["entity", "literal"]


@dataclass(frozen=True, slots=True)
class Mention:
    """Words for an entity, a value or a relation, and their characters in the text.

    ``text`` may differ from the words there, as a name in the place of a pronoun does. Start and end are equal where
    the text has no words for it.
    """

    text: str
    start: int = 0
    end: int = 0
    kind: MentionKind = "entity"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fact that a text may state.

    Attributes:
        factuality: what is over is ``asserted``, with its end.
        valid_from, valid_to: as the text dates it, with the precision that it gives; None where it does not say.
        confidence: calibrated probability, 0..1, that the text says so.
        sentence: characters of the sentence that says it.
        qualifiers: what holds of the fact itself, by name: "a price for a product in a year".
        view: what the write gate sees of it beside this; None from extractors that give no features.
    """

    subject: Mention
    relation: Mention
    object: Mention
    factuality: Factuality = "asserted"
    valid_from: str | None = None
    valid_to: str | None = None
    confidence: float = 1.0
    sentence: Stretch = (0, 0)
    qualifiers: Mapping[str, str] = field(default_factory=dict)
    view: CandidateFact | None = field(default=None, repr=False)


@runtime_checkable
class Extractor(Protocol):
    """Anything that finds facts in a text: the shipped one, rules over a parser, a prompt to a large model."""

    def extract(self, text: str, at: Time | None = None) -> Sequence[Candidate | Fact]:
        """Facts that the text states, in order; ``at``: time of the text, None for now."""


def gate_view(item: Candidate | Fact | CandidateFact, text: str, at: Time | None = None) -> CandidateFact:
    """A candidate as the write gate sees it; a ``Fact`` counts as stated by the whole text.

    An asserted fact whose interval ends by the time of the text, ``at`` (now when None), is ``ended``.
    """
    if isinstance(item, CandidateFact):
        found = item
    elif isinstance(item, Fact):
        found = CandidateFact(item, item.factuality, probability=item.confidence)
    elif item.view is not None:
        found = replace(item.view, probability=item.confidence)
    else:
        words = " ".join(text[slice(*item.sentence)].split())
        ends = item.subject.text, item.relation.text, item.object.text
        held = item.valid_from, item.valid_to, item.confidence
        fact = Fact(*ends, words, *held, factuality=item.factuality, qualifiers=item.qualifiers)
        spans = (item.subject.start, item.subject.end), (item.object.start, item.object.end)
        found = CandidateFact(
            fact, item.factuality, None, *spans, item.object.kind, probability=item.confidence,
        )  # fmt: skip
    if found.factuality == "asserted" and _is_past(found.fact, at):
        return replace(found, factuality="ended")
    return found


def _is_past(fact: Fact, at: Time | None) -> bool:
    """Whether a fact's interval ends by a time, now when None."""
    with suppress(InvalidTime):
        end, moment = end_micros(fact.valid_to), to_micros(datetime.now(UTC) if at is None else at)
        return end is not None and moment is not None and end <= moment
    return False


def candidate_of(found: CandidateFact, sentence: Stretch) -> Candidate:
    """A candidate of the shipped extractor by the contract; an ended fact is asserted, with its end where it is said.

    Hearsay and questions are ``uncertain``.
    """
    fact, known = found.fact, found.factuality
    factuality: Factuality = "asserted" if known == "ended" else known  # type: ignore[assignment]
    return Candidate(
        Mention(fact.subject, *found.subject_span), Mention(fact.relation),
        Mention(fact.object, *found.object_span, "literal" if found.object_kind == "literal" else "entity"),
        factuality, fact.valid_from, fact.valid_to, found.probability, sentence, view=found,
    )  # fmt: skip
