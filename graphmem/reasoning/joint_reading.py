"""Joint reading: the evidence of the best answers read as one text, in which the encoder compares it.

A unit that is read alone is weighed without the others: of "Rosa | drives | Truck 22" alone, nothing says that another
unit goes on to the truck's make. Read together, one unit a line, the start and end logits of the answers' spans are of
one softmax, "not here" among them (listwise reranking; the span heads of BERT, 1810.04805).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphmem.encoding.evidence_encoder import EvidenceEncoder, Reading
from graphmem.encoding.evidence_text import SEPARATOR, joined_text
from graphmem.reasoning.weighing import Support, answers_of, set_of
from graphmem.text.sentences import sentences

ANSWERS = 5
"""Best answers whose evidence is read together."""

LONGEST = 240
"""Characters of a unit above which only the sentence of its answer is read."""

SHARE = 0.2
"""Nats of weight for a nat by which an answer's span is likelier than none; chosen with the people's sets, which are
for development, in view."""

BOUND = 12.0
"""Nats to which the joint reading of one answer is bounded."""

SPANS = 20
"""Spans of the joint text that are compared with the answers' places."""


def read_jointly(encoder: EvidenceEncoder, question: str, supports: Sequence[Support]) -> list[Support]:
    """The supports with their weights changed by a joint reading of the best answers' surest units.

    Supports of other answers change as the least likely of these, so that reading moves none of them up. Where all of
    the best answers come from facts, nothing changes: facts are compared by their relations already. Nothing changes
    either where the encoder has no reader of joint texts, which is loaded for the first question that needs it.
    """
    best = answers_of(supports)[:ANSWERS]
    if all(answer.support[0].unit.passage is None for answer in best):
        return list(supports)
    if (reader := encoder.joint) is None:
        return list(supports)
    lines = [line_of(answer.support[0]) for answer in best]
    text, starts = joined_text([line for line, _ in lines])
    (reading,) = reader.read(question, [text], max_spans=SPANS)
    places = [(start + first, start + last) for start, (_, (first, last)) in zip(starts, lines, strict=True)]
    gains = [SHARE * _above_none(reading, place) for place in places]
    kinds = [set_of(answer.support[0]) for answer in best]  # answers of one set do not compete
    gains = [
        gain if kind is None else max(other for other, its in zip(gains, kinds, strict=True) if its == kind)
        for gain, kind in zip(gains, kinds, strict=True)
    ]
    of = {id(one): gain for answer, gain in zip(best, gains, strict=True) for one in answer.support}
    least = min(gains)
    return [replace(one, weight=one.weight + of.get(id(one), least)) for one in supports]


def line_of(support: Support) -> tuple[str, tuple[int, int]]:
    """A unit's text for a joint reading, and the characters of its answer; of a long passage, the answer's sentence."""
    unit, text, passage = support.unit, support.unit.text, support.unit.passage
    if passage is not None and len(text) > LONGEST:
        title = text[slice(*unit.evidence.subject)]
        start, end = next(
            ((a, b) for a, b in sentences(passage.text) if a <= support.span[0] < b), support.span
        )  # fmt: skip
        text = passage.text[start : max(end, support.span[1])].strip()
        text = f"{title}{SEPARATOR}{text}" if title else text
    at = max(0, text.find(support.text) if support.field == "subject" else text.rfind(support.text))
    return text, (at, at + len(support.text))


def _above_none(reading: Reading, place: tuple[int, int]) -> float:
    """Nats by which the best span that overlaps a place is likelier than "not here", bounded."""
    scores = [span.score for span in reading.spans if span.start < place[1] and span.end > place[0]]
    score = max(scores) if scores else min((span.score for span in reading.spans), default=-BOUND)
    return max(-BOUND, min(BOUND, score - reading.not_here))
