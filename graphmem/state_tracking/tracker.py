"""State tracker: the state of a story, kept in the graph with valid time, and questions answered from its history.

    tracker = StateTracker(memory, StateChangeExtractor.shipped(memory.encoder))
    tracker.read("Mary took the milk. She went to the garden.")
    tracker.ask("Where is the milk?")                         # "garden"

A state change becomes edits: a new place supersedes the old one, a thing taken is added, the interval of a thing left
is closed. Nothing is deleted, so "where was it before the kitchen?" is answered from past facts. A carried thing is
where its carrier is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphmem.core.edits import AddEdge, Edit, SupersedeEdge
from graphmem.core.errors import InvalidValue
from graphmem.core.history import recorded_facts
from graphmem.core.names import normalise
from graphmem.core.times import Time, end_micros, from_micros, to_micros
from graphmem.core.types import Fact
from graphmem.reading.candidates import check_text
from graphmem.state_tracking.extractor import CARRIES, IS_IN, EncodedSentence, StateChange, StateChangeExtractor
from graphmem.state_tracking.network import CONTEXT

COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NOTHING, UNKNOWN = "nothing", "unknown"
_TICK, _MAX_DEPTH = 1_000_000, 8
"""Microseconds from one sentence to the next; carriers of carriers that are followed."""


class StateTracker:
    """Writes changes into a memory, as facts ``X | is in | Y`` and ``X | carries | Y``, and answers from them.

    Story time is valid time: each sentence with a change happens a second after the last one, or at ``at``.
    """

    def __init__(self, memory: Any, extractor: StateChangeExtractor, *, source: str | None = None) -> None:
        self.memory, self.extractor, self.source = memory, extractor, source
        self._recent: list[EncodedSentence] = []
        facts = [fact for relation in (IS_IN, CARRIES) for fact in memory.facts(None, relation) if fact.valid_from]
        self._now = max((time for fact in facts for time in _interval(fact) if time < _OPEN), default=0)

    def read(self, text: str, *, at: Time | None = None) -> list[StateChange]:
        """Read a text of any length and return its changes. Writes, one transaction a sentence with a change.

        Args:
            text: sentences in the order of the story; those without a change are skipped.
            at: when it happens, later than what was read before; by default a second a sentence.

        Raises:
            InvalidValue: not a string, too long, or ``at`` lies before what was read.
            InvalidTime: ``at`` cannot be read.
        """
        check_text(text)
        time = to_micros(at)
        if time is not None and time < self._now:
            raise InvalidValue(f"at={at!r} lies before what was read, {from_micros(self._now)}; read in order")
        found: list[StateChange] = []
        for sentence, changes in self.extractor.read(text, self._recent):
            self._now = self._now + _TICK if time is None else time
            self._apply(changes)
            self._recent = [*self._recent, sentence][-CONTEXT:]
            found += changes
        return found

    def _apply(self, changes: Sequence[StateChange]) -> None:
        last = {_slot(change): change for change in changes}  # of two places at once the last one holds
        edits = [edit for change in last.values() for edit in self._edits(change)]
        if edits:
            self.memory.store.apply(edits, action="read", note=changes[0].sentence[:200])

    def _edits(self, change: StateChange) -> list[Edit]:
        when, relation = from_micros(self._now), IS_IN if change.kind == "placed" else CARRIES
        text, probability = change.sentence, change.probability
        new = AddEdge(change.subject, relation, change.object, text, when, None, probability, self.source)
        if change.kind == "placed":
            held = self.memory.facts(change.subject, IS_IN)
            others = [f for f in held if not _same(f.object, change.object)]
            return [SupersedeEdge(f.id, new, when) for f in others] or ([] if held else [new])
        held = self.memory.facts(None, CARRIES, change.object)
        if change.kind == "left":
            return [_closed(f, when) for f in held if _same(f.subject, change.subject)]
        others = [f for f in held if not _same(f.subject, change.subject)]
        return [*(_closed(f, when) for f in others), *([new] if len(others) == len(held) else [])]

    def ask(self, question: str) -> str:
        """Answer from the graph: a name, several joined by commas, a number word, yes or no, or ``unknown``.

        Raises:
            InvalidValue: the question is empty or not a string.
        """
        if not check_text(question).strip():
            raise InvalidValue(f"question must be visible text, not {question!r}")
        names = self.extractor.names(question)
        if not names:
            return UNKNOWN
        kind, first = self.extractor.question_kind(question, names), names[0].text
        if kind in ("count", "list"):
            held = self.memory.facts(first, CARRIES)
            carried = [f.object for f in sorted(held, key=lambda f: (_interval(f)[0], f.id))]
            return COUNTS[min(len(carried), 10)] if kind == "count" else ",".join(carried) or NOTHING
        places = self.places(first)
        if kind == "where" or len(names) < 2:
            return places[-1] if places else UNKNOWN
        second = names[1].text
        if kind == "whether":
            return "yes" if places and _same(places[-1], second) else "no"
        last = max((i for i, place in enumerate(places) if _same(place, second)), default=0)
        return places[last - 1] if last else UNKNOWN

    def places(self, name: str) -> list[str]:
        """Places of something, in order, the current one last; a carried thing has been where its carriers were."""
        times = {time for fact in self._moves(name, _MAX_DEPTH) for time in _interval(fact) if time <= self._now}
        found: list[str] = []
        for time in [*sorted(times), self._now]:
            place = self._place(name, time, _MAX_DEPTH)
            if place is not None and not (found and _same(found[-1], place)):
                found.append(place)
        return found

    def _place(self, name: str, time: int, depth: int) -> str | None:
        """Place at a time: its own last one, or that of whoever carried it since."""
        past = [f for f in self._history(name) if _interval(f)[0] <= time]
        own = max((f for f in past if f.relation == IS_IN and _same(f.subject, name)), key=_interval, default=None)
        carrier = max((f for f in past if f.relation == CARRIES and _same(f.object, name)), key=_interval, default=None)
        if carrier is None or depth == 0 or (own is not None and _interval(own)[0] > _interval(carrier)[0]):
            return own.object if own else None
        return self._place(carrier.subject, min(time, _interval(carrier)[1]), depth - 1)

    def _moves(self, name: str, depth: int) -> list[Fact]:
        """Facts that determine where something was: its own places, its carriers and theirs."""
        past = [f for f in self._history(name) if f.relation == IS_IN or _same(f.object, name)]
        carriers = {f.subject for f in past if f.relation == CARRIES and not _same(f.subject, name)}
        return past + [f for carrier in carriers if depth for f in self._moves(carrier, depth - 1)]

    def _history(self, name: str) -> list[Fact]:
        """Every fact about something, whenever it held."""
        node = self.memory.node(name)
        if node is None:
            return []
        facts = recorded_facts(self.memory.store, node.id)
        return [f for f in facts if f.relation in (IS_IN, CARRIES) and f.valid_from]


_OPEN = 2**62


def _interval(fact: Fact) -> tuple[int, int]:
    """Start and end of a fact, in microseconds."""
    end = end_micros(fact.valid_to)
    return to_micros(fact.valid_from) or 0, _OPEN if end is None else end


def _closed(fact: Fact, when: str | None) -> Edit:
    return AddEdge(fact.subject, fact.relation, fact.object, fact.text, fact.valid_from, when, fact.confidence)


def _slot(change: StateChange) -> tuple[str, ...]:
    """The slot that a change fills: a thing's place, a thing's carrier."""
    if change.kind == "placed":
        return "placed", normalise(change.subject)
    return change.kind, normalise(change.object), *([normalise(change.subject)] if change.kind == "left" else [])


def _same(a: str, b: str) -> bool:
    return normalise(a) == normalise(b)
