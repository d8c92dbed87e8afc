"""Evidence of a conversation: statements of former turns are read with a question, beside what the memory holds.

Each statement is read by itself and with those before it. Where one corrects its predecessor, the answer is looked
for in the correction, and the corrected statement answers no more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from graphmem.core.types import PASSAGE, Node
from graphmem.encoding.evidence_encoder import Reading, Span
from graphmem.encoding.evidence_text import passage_text
from graphmem.reasoning.evidence_graph import QuestionContext
from graphmem.reasoning.evidence_reader import EvidenceReader
from graphmem.reasoning.weighing import STRIPPED, Support, Weighed, WeighedAnswer, answers_of
from graphmem.retrieval.evidence import EvidenceUnit
from graphmem.text.answer_matching import contains
from graphmem.text.word_classes import STOP_WORDS

MAX_STATEMENTS, CONTEXT = 10, 2
"""Statements that are read, and statements before each that are read with it."""

MAX_SPANS = 5
"""Spans of a window that are looked at, to find one in its last turn."""

CORRECTION_MARGIN, NEAR_BEST = 3.0, 2.0
"""Logits above "not in this unit", or below the best span, from which a span of a correction is an answer instead of
one that is corrected."""


class Statement(NamedTuple):
    """A sentence of a former turn; ``corrects``: whether its turn corrects the previous turn."""

    text: str
    corrects: bool = False


class _Window(NamedTuple):
    """Statements ``first`` to ``last`` as one unit; ``starts`` are where they begin in its text."""

    unit: EvidenceUnit
    first: int
    last: int
    starts: tuple[int, ...]

    def turn_of(self, span: Span) -> int:
        """The statement that a span lies in."""
        return self.first + sum(start <= span.start for start in self.starts) - 1


def read_turns(reader: EvidenceReader, question: str, turns: Sequence[Statement]) -> Weighed:
    """What statements, the oldest first, say to a question; each answer has the weight of its best window.

    Only the last ``MAX_STATEMENTS`` are read.
    """
    turns = turns[-MAX_STATEMENTS:]
    windows = list(_windows(turns))
    if not windows:
        return Weighed()
    readings = reader.network.read(question, [window.unit.text for window in windows], max_spans=MAX_SPANS)
    corrections = [_correction(reader, question, *pair, turns) for pair in zip(windows, readings, strict=True)]
    withdrawn = {
        turn for window, span in zip(windows, corrections, strict=True) if span is not None
        for turn in _corrected(window.last, turns)
    }  # fmt: skip
    correcting = {window.last for window, span in zip(windows, corrections, strict=True) if span is not None}
    best: dict[str, Support] = {}
    for window, reading, correction in zip(windows, readings, corrections, strict=True):
        if correction is None and window.last in correcting:
            continue  # the correction is read with what it corrects
        span = correction or next(iter(reading.spans), None)
        if correction is None and span is not None and window.turn_of(span) in withdrawn:
            continue  # the window is relevant for what is withdrawn
        support = None if span is None else _support(window, reading, span)
        if support is not None and (support.text not in best or best[support.text].weight < support.weight):
            best[support.text] = support
    unit, reading = max(
        ((window.unit, reading) for window, reading in zip(windows, readings, strict=True)),
        key=lambda pair: pair[1].relevance + math.log(max(1e-9, 1 - pair[1].verdict[0])),
    )
    _, yes, no = reading.verdict
    side = ("yes", yes) if yes >= no else ("no", no)
    verdict = side[0], side[1] / max(1e-9, yes + no)
    relevance = max(reading.relevance for reading in readings)
    supports = reader.reweighed(list(best.values()), QuestionContext(question))
    return Weighed(answers_of(supports), verdict=verdict, verdict_unit=unit, relevance=relevance)


def joined(memory: Weighed, turns: Weighed, prior: float = 0.0) -> Weighed:
    """What the memory's evidence and former turns say together; ``prior``: nats added to the memory's answers."""
    if turns.verdict_unit is None:
        return memory
    held = [replace(one, weight=one.weight + prior) for answer in memory.answers for one in answer.support]
    supports = [*held, *(support for answer in turns.answers for support in answer.support)]
    better = memory.verdict_unit is None or turns.relevance > memory.relevance
    return replace(
        memory,
        answers=tuple(map(_stored_first, answers_of(supports))),
        verdict=turns.verdict if better else memory.verdict,
        verdict_unit=turns.verdict_unit if better else memory.verdict_unit,
        relevance=max(memory.relevance, turns.relevance),
    )


def _stored_first(answer: WeighedAnswer) -> WeighedAnswer:
    """The answer with what the memory holds before what was said in turns."""
    support = sorted(answer.support, key=lambda one: one.unit.passage is not None and one.unit.passage.id < 0)
    return replace(answer, text=support[0].text, node=support[0].node, support=tuple(support))


def _windows(turns: Sequence[Statement]) -> Iterator[_Window]:
    for last in range(len(turns)):
        for first in range(last, max(-1, last - CONTEXT - 1), -1):
            texts = [turn.text.replace("\n", " ").strip() for turn in turns[first : last + 1]]
            starts = tuple(sum(len(text) + 1 for text in texts[:at]) for at in range(len(texts)))
            passage = Node(-1, "turn", PASSAGE, "\n".join(texts))
            yield _Window(EvidenceUnit(passage_text("", passage.text), passage=passage), first, last, starts)


def _corrected(place: int, turns: Sequence[Statement]) -> Iterator[int]:
    """The turns that a correction replaces: the previous turn, and what that one corrects."""
    while place > 0 and turns[place].corrects:
        place -= 1
        yield place


def _correction(
    reader: EvidenceReader, question: str, window: _Window, reading: Reading, turns: Sequence[Statement]
) -> Span | None:
    """The best span in the last statement of a window, where that corrects the others and is likely enough.

    It must say something else than the best span of the window. Where the correction names the value that it withdraws
    ("not Turin, Genoa") and has no such span, the window is read again without that value.
    """
    if window.first == window.last or not turns[window.last].corrects or not reading.spans:
        return None
    text, spans, own = window.unit.text, reading.spans, window.starts[-1]
    least = min(reading.not_here + CORRECTION_MARGIN, spans[0].score - NEAR_BEST)
    old = text[spans[0].start : spans[0].end]
    value = _shared(old, text[:own], text[own:])
    found = _other(window, spans, value or old, least)
    if found is None and value:
        at = own + text[own:].casefold().find(value)
        blank = text[:at] + " " * len(value) + text[at + len(value) :]  # every character keeps its place
        again = reader.network.read(question, [blank], max_spans=MAX_SPANS)[0].spans
        found = _other(window, again, value, least) or _other(window, spans, old, least)
    return None if found is None else found._replace(score=spans[0].score)


def _other(window: _Window, spans: Sequence[Span], old: str, least: float) -> Span | None:
    """The best span of at least this score in the last statement that neither lies in the old value nor holds it."""
    words = set(old.casefold().split())
    for span in spans:
        own = {word.strip(STRIPPED) for word in window.unit.text[span.start : span.end].casefold().split()}
        if window.turn_of(span) == window.last and span.score >= least and not (own <= words or words <= own):
            return span
    return None


def _shared(span: str, before: str, correction: str) -> str:
    """The longest run of words of a span that stands in the text before a correction and in the correction.

    Empty where the span says more: "April" of "April 3" is no value of its own.
    """
    words = span.casefold().split()
    runs = (" ".join(words[a:b]).strip(STRIPPED) for a in range(len(words)) for b in range(a + 1, len(words) + 1))
    kept = (run for run in runs if contains(before, [run]) and contains(correction, [run]))
    found = max((run for run in kept if run in correction.casefold()), key=len, default="")
    return found if {word.strip(STRIPPED) for word in words} - set(found.split()) <= STOP_WORDS else ""


def _support(window: _Window, reading: Reading, span: Span) -> Support | None:
    """The answer of a window, with its place in the passage; None for a span of signs only."""
    part = window.unit.text[span.start : span.end].rstrip(STRIPPED)
    text = part.lstrip(STRIPPED)
    if not text:
        return None
    margin = span.score - reading.not_here
    weight = reading.relevance - math.log1p(math.exp(-max(-30.0, margin)))
    at = span.start + len(part) - len(text)
    return Support(window.unit, reading, text, -1, weight, "span", (at, at + len(text)))
