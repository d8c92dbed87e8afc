"""Situation: the state of a story, kept in the graph with valid time, and questions answered out of its history.

    situation = Situation(memory, StateReader.shipped(memory.encoder))
    situation.read("Mary took the milk. She went to the garden.")
    situation.ask("Where is the milk?")                       # "garden"

What a sentence changes becomes Edits: a new place supersedes the old one, what is taken is added, what is left has its
interval closed. Nothing is deleted, so "where was it before the kitchen?" is a look at the past. What is carried is
where its carrier is, while it is carried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphmem.core.edits import AddEdge, Edit, SupersedeEdge
from graphmem.core.errors import InvalidValue
from graphmem.core.history import recorded_facts
from graphmem.core.names import normalise
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import Fact
from graphmem.reading.candidates import check_text
from graphmem.state_tracking.extractor import HOLDS, PLACE, EncodedSentence, StateChange, StateChangeExtractor

COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NOTHING, UNKNOWN = "nothing", "unknown"
_TICK = 1_000_000
_DEPTH = 8


class StateTracker:
    """Reads sentences into a memory as changes of state, and answers from them.

    Args:
        memory: a ``GraphMemory``; the facts ``X | is in | Y`` and ``X | carries | Y`` are kept in it.
        reader: finds the changes.
        source: where the text comes from.

    Story time is valid time: each sentence that changes something happens a second after the last one, or at ``at``.
    """

    def __init__(self, memory: Any, reader: StateChangeExtractor, *, source: str | None = None) -> None:
        self.memory, self.reader, self.source = memory, reader, source
        self._recent: list[EncodedSentence] = []
        self._now = self._latest()

    # ---------------------------------------------------------------- reading

    def read(self, text: str, *, at: Time | None = None) -> list[StateChange]:
        """Read a text of any length; returns what changed. Writes, one transaction a sentence that tells of a change.

        Args:
            text: sentences in the order of the story. What is no change is passed over.
            at: when it happens, later than what was read before; by default a second a sentence.

        Raises:
            InvalidValue: no text, too long, or ``at`` lies before what was read.
            InvalidTime: ``at`` cannot be read.
        """
        check_text(text)
        time = to_micros(at)
        if time is not None and time < self._now:
            raise InvalidValue(f"at={at!r} lies before what was read, {from_micros(self._now)}; read in order")
        changed: list[StateChange] = []
        for told, changes in self.reader.read(text, self._recent):
            self._now = self._now + _TICK if time is None else time
            self._apply(changes)
            self._recent = [*self._recent, told][-2:]
            changed += changes
        return changed

    def _apply(self, changes: Sequence[StateChange]) -> None:
        last = {_ends_with(change): change for change in changes}  # of two places at once the last one holds
        edits = [edit for change in last.values() for edit in self._edits(change)]
        if edits:
            self.memory.store.apply(edits, action="read", note=changes[0].sentence[:200])

    def _edits(self, change: StateChange) -> list[Edit]:
        when, text = from_micros(self._now), change.sentence
        new = AddEdge(
            change.first, PLACE if change.what == "placed" else HOLDS, change.second, text, when, None, change.sure,
            self.source,
        )  # fmt: skip
        if change.what == "placed":
            old = [f for f in self.memory.facts(change.first, PLACE) if not _same(f.object, change.second)]
            here = len(self.memory.facts(change.first, PLACE)) > len(old)
            return [SupersedeEdge(f.id, new, when) for f in old] or ([] if here else [new])
        held = self.memory.facts(None, HOLDS, change.second)
        if change.what == "left":
            return [_closed(f, when) for f in held if _same(f.subject, change.first)]
        others = [f for f in held if not _same(f.subject, change.first)]
        known = len(others) < len(held)
        return [*(_closed(f, when) for f in others), *([] if known else [new])]

    # ---------------------------------------------------------------- answering

    def ask(self, question: str) -> str:
        """Answer out of the graph: a name, several joined by commas, a number word, yes or no, or ``unknown``.

        Raises:
            InvalidValue: the question is empty or no text.
        """
        if not check_text(question).strip():
            raise InvalidValue(f"question must be visible text, not {question!r}")
        names = self.reader.names_in(question)
        if not names:
            return UNKNOWN
        kind, first = self.reader.kind_of(question, names), names[0].text
        if kind in ("count", "list"):
            held = self._held(first)
            return COUNTS[min(len(held), 10)] if kind == "count" else ",".join(held) or NOTHING
        places = self.places(first)
        if kind == "where" or len(names) < 2:
            return places[-1] if places else UNKNOWN
        second = names[1].text
        if kind == "whether":
            return "yes" if places and _same(places[-1], second) else "no"
        return _before(places, second)

    def places(self, name: str) -> list[str]:
        """Where something has been, in order, the last one now; what was carried has been where its carriers were."""
        times = sorted({time for fact in self._moves(name, _DEPTH) for time in _ends(fact) if time <= self._now})
        found: list[str] = []
        for time in [*times, self._now]:
            place = self._place(name, time, _DEPTH)
            if place is not None and not (found and _same(found[-1], place)):
                found.append(place)
        return found

    def _held(self, name: str) -> list[str]:
        return [f.object for f in sorted(self.memory.facts(name, HOLDS), key=lambda f: (_ends(f)[0], f.id))]

    def _place(self, name: str, time: int, depth: int) -> str | None:
        """Where it was at a time: at its own last place, or with who carried it since."""
        begun = [f for f in self._past(name) if _ends(f)[0] <= time]
        own = max((f for f in begun if f.relation == PLACE and _same(f.subject, name)), key=_ends, default=None)
        carried = max((f for f in begun if f.relation == HOLDS and _same(f.object, name)), key=_ends, default=None)
        if carried is None or depth == 0 or (own is not None and _ends(own)[0] > _ends(carried)[0]):
            return own.object if own else None
        return self._place(carried.subject, min(time, _ends(carried)[1]), depth - 1)

    def _moves(self, name: str, depth: int) -> list[Fact]:
        """Facts that bear on where something was: its own places, its carriers and theirs."""
        past = [f for f in self._past(name) if f.relation == PLACE or _same(f.object, name)]
        carriers = {f.subject for f in past if f.relation == HOLDS and not _same(f.subject, name)}
        return past + [f for carrier in carriers if depth for f in self._moves(carrier, depth - 1)]

    def _past(self, name: str) -> list[Fact]:
        """Every fact about something, whenever it held."""
        node = self.memory.node(name)
        if node is None:
            return []
        facts = recorded_facts(self.memory.store, node.id)
        return [f for f in facts if f.relation in (PLACE, HOLDS) and f.valid_from]

    def _latest(self) -> int:
        """Valid time of the last change in the memory, so that a story goes on where it stopped."""
        return max((max(t for t in _ends(f) if t < _OPEN) for r in (PLACE, HOLDS) for f in self._all(r)), default=0)

    def _all(self, relation: str) -> list[Fact]:
        return [fact for fact in self.memory.facts(None, relation) if fact.valid_from]


_OPEN = 2**62


def _ends(fact: Fact) -> tuple[int, int]:
    """When a fact begins and ends, in microseconds."""
    end = to_micros(fact.valid_to)
    return to_micros(fact.valid_from) or 0, _OPEN if end is None else end


def _closed(fact: Fact, when: str | None) -> Edit:
    return AddEdge(fact.subject, fact.relation, fact.object, fact.text, fact.valid_from, when, fact.confidence)


def _ends_with(change: StateChange) -> tuple[str, ...]:
    """What a change leaves room for only once: a place of each thing, a carrier of each thing."""
    if change.what == "placed":
        return "placed", normalise(change.first)
    return change.what, normalise(change.second), *([normalise(change.first)] if change.what == "left" else [])


def _same(a: str, b: str) -> bool:
    return normalise(a) == normalise(b)


def _before(places: Sequence[str], place: str) -> str:
    """The place before the last time at ``place``."""
    last = max((i for i, name in enumerate(places) if _same(name, place)), default=0)
    return places[last - 1] if last else UNKNOWN
