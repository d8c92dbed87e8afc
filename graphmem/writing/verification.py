"""Second look: each candidate as a statement that the evidence encoder verifies against the text.

The statement is put as a claim, "Is it true that Ada lives in Surrey?", the form in which the encoder's verdicts were
trained; its unit is the sentence that gave the candidate, with the sentences before it where that does not name the
subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphmem.core.times import Time, as_text
from graphmem.core.types import Fact
from graphmem.encoding.evidence_encoder import EvidenceEncoder
from graphmem.encoding.evidence_text import passage_text, relation_words
from graphmem.reading.candidates import CandidateFact
from graphmem.reading.extraction import Candidate
from graphmem.text.sentences import sentences

CLAIM = "Is it true that {} {} {}?"
"""A candidate as a question; one of the wordings of ``data/templates/requests.json``."""

MAX_BEFORE = 2
"""Sentences before the one of a candidate that may name its subject."""

Item = Candidate | Fact | CandidateFact


def verified(items: Sequence[Item], text: str, network: EvidenceEncoder, *, at: Time | None = None) -> list[Item]:
    """The items; the confidence of each ``Candidate`` times the probability that the text bears it out.

    Asserted facts are borne out by "yes", negated ones by "no", others where the text says either. ``Fact`` and
    ``CandidateFact`` are left as they are.
    """
    places = [place for place, item in enumerate(items) if isinstance(item, Candidate)]
    chosen = [item for item in items if isinstance(item, Candidate)]
    units = _units(chosen, text, as_text(at))
    claims = [CLAIM.format(item.subject.text, relation_words(item.relation.text), item.object.text) for item in chosen]
    found: list[Item] = list(items)
    for place, item, verdict in zip(places, chosen, network.verdicts(claims, units), strict=True):
        found[place] = replace(item, confidence=item.confidence * _support(item, verdict))
    return found


def _support(item: Candidate, verdict: tuple[float, float, float]) -> float:
    """Probability that a text bears out a candidate, from the verdict on its statement."""
    neither, yes, no = verdict
    over = item.view is not None and item.view.factuality == "ended"
    if item.factuality == "asserted" and not over:
        return yes
    return no if item.factuality == "negated" else 1.0 - neither


def _units(chosen: Sequence[Candidate], text: str, date: str | None) -> list[str]:
    """What each candidate is verified against."""
    bounds = sentences(text)
    starts: dict[Any, int] = {start: at for at, (start, _) in enumerate(bounds)}
    units = []
    for item in chosen:
        start, end = item.sentence
        at = starts.get(start, 0)
        for before in range(1, MAX_BEFORE + 1):
            if item.subject.text in text[start:end] or at < before:
                break
            start = bounds[at - before][0]
        units.append(passage_text("", " ".join(text[start:end].split()), date).text)
    return units
