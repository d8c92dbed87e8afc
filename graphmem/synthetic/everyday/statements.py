"""Sentences of everyday texts: what is said of whom, alone or joined, and sentences that say nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from graphmem.synthetic.everyday.frames import Family, Phrasebook, Status, is_clause, pieces, predicate
from graphmem.synthetic.everyday.world import Entity
from graphmem.synthetic.everyday.writer import EverydayWriter, Filling, subject_case

STATUS_WEIGHTS: Final[dict[Status, int]] = {
    "asserted": 30, "past": 10, "begun": 12, "planned": 11, "negated": 8, "reported": 12, "uncertain": 12,
    "replaced": 11, "corrected": 4, "resumed": 4, "ended": 8,
}  # fmt: skip
_WRAPPED: Final[dict[Status, tuple[Status, ...]]] = {
    "reported": ("asserted", "asserted", "begun", "past"), "uncertain": ("asserted", "begun"), "negated": ("asserted",),
}  # fmt: skip
"""Statuses that a wrapper around a frame of another status can give."""
_WRAPS: Final[dict[Status, float]] = {"reported": 0.95, "uncertain": 0.45, "negated": 0.3}
_WRAPPERS: Final = {"past": "asserted", "begun": "asserted"}
_TRIES: Final = 40
_WE = re.compile(r"\b(we|our)\b")

Statement = tuple[str, Filling, bool]
"""A frame, what fills it, and whether a wrapper is to give it its status."""


class StatementWriter:
    """Writes the sentences of one text; no relation is stated twice of one subject, but for changes of it."""

    def __init__(self, book: Phrasebook, writer: EverydayWriter) -> None:
        self.book, self.writer = book, writer
        self.rng, self.world, self.style = writer.rng, writer.world, writer.style
        self.topic: Entity | None = None
        self._stated: set[tuple[str, int]] = set()
        self._held: list[tuple[Family, Entity, Entity]] = []

    def filler(self, *kinds: str) -> None:
        """Write a sentence without a fact, of one of the kinds of ``everyday_style.json``."""
        kind = self.rng.choice(kinds)
        found = self.book.words("fillers", kind)
        if self.style.speaker is None:
            found = [words for words in found if not _first_person(words)] or found
        template = self.rng.choice(found)
        self.writer.sentence(lambda: self.writer.template(template), self.stop())
        if kind in ("minutes", "notice", "questions"):
            self.writer.references.forget()

    def stop(self) -> str:
        """Return what ends a sentence."""
        return ("!" if self.rng.random() < 0.05 else ".") if self.style.stops else ""

    def statement(self, note: float = 0.05) -> None:
        """Write a sentence with a fact, at times with two facts, subjects or objects; ``note``: share of mere notes."""
        chance = self.rng.random()
        if chance < 0.1 and self._held:
            found = self._change()
        elif 0.1 <= chance < 0.12 and (both := self._respectively()):
            return self.writer.sentence(both, self.stop())
        else:
            found = self.pick(None, lambda frame: True, note)
        if found is None:
            return self.filler("general")
        frame, filling, wraps = found
        wrapper = self._wrapper(filling.status, frame, wraps)
        second = self._second(frame, filling, wrapper)
        person = filling.subjects[0].type == "person" and len(filling.subjects) == 1
        if predicate(frame) and person and wrapper == "{x}" and self.rng.random() < 0.12:
            filling.aside = partial(self._apposition, filling)
        elif second is not None and person and self.rng.random() < 0.35:
            filling.aside, second = partial(self._aside, second, filling), None
        self.writer.sentence(partial(self._body, frame, wrapper, filling, second), self.stop())

    def _body(self, frame: str, wrapper: str, filling: Filling, second: Statement | None) -> None:
        alone = wrapper == "{x}" and is_clause(frame)
        if alone and self.rng.random() < 0.1:
            self._around_names("leads", filling)
        self.wrapped(frame, wrapper, filling)
        if second is not None:
            self.writer.write(self.rng.choice(self.book.words("joiners")))
            second[1].subject_mentions, second[1].person = filling.subject_mentions, filling.person
            self.writer.clause(second[0], second[1])
            return
        chance = self.rng.random() if alone else 1.0
        if chance < 0.08:
            self._chain(filling)
        elif chance < 0.2:
            self._around_names("tails", filling)
        elif chance < 0.3 and (other := self.pick(None, is_clause)) is not None and not other[2]:
            self.writer.write(self.rng.choice(self.book.words("between")))
            self.writer.clause(other[0], other[1])

    def _around_names(self, key: str, filling: Filling) -> None:
        """Write words before or after a clause that state nothing and may name others."""
        found = self.book.words(key)
        if self.style.speaker is None:
            found = [words for words in found if not _first_person(words)]
        self.writer.template(self.rng.choice(found), [*filling.subjects, *filling.objects])

    def _second(self, frame: str, filling: Filling, wrapper: str) -> Statement | None:
        """A second fact of the same subject, without its name: what follows "and"."""
        alone = wrapper != "{x}" or len(filling.subjects) > 1 or frame[-1:] == "?"
        if alone or not predicate(frame) or self.rng.random() > 0.3 or filling.family.plain:
            return None
        return self.without_subject(filling.subjects[0])

    def without_subject(self, one: Entity) -> Statement | None:
        """Return a fact of a subject, by a frame without its name."""
        found = self.pick(one, lambda frame: predicate(frame) is not None and frame[-1:] != "?")
        if found is None:
            return None
        found[1].subjects = [one]
        return predicate(found[0]) or "", found[1], False

    def _aside(self, second: Statement, filling: Filling) -> None:
        """Write a relative clause after the subject, where a name stands for it."""
        if self.writer.result.mentions[filling.subject_mentions[0]].kind == "pronoun":
            return
        self.writer.write(", who ")
        second[1].subject_mentions, second[1].person = filling.subject_mentions, filling.person
        self.writer.clause(second[0], second[1])
        self.writer.write(",")

    def _apposition(self, filling: Filling) -> None:
        """Write the subject's role after its name: ``Ana Holt, our new treasurer,``."""
        one = filling.subjects[0]
        pronoun = self.writer.result.mentions[filling.subject_mentions[0]].kind == "pronoun"
        if pronoun or ("role", one.id) in self._stated:
            return
        family = next((f for f in self.book.families if f.name == "role"), None)
        if family is None or filling.family is family:
            return
        self._stated.add(("role", one.id))
        status, words = self.rng.choice(_APPOSITIONS)
        inner = Filling(family, status, [one], [self._object(family, [one])], subject_mentions=filling.subject_mentions)
        self.writer.write(", ")
        self.writer.clause(words, inner)
        self.writer.write(",")

    def _chain(self, filling: Filling) -> None:
        """Go on about the object at the end of the sentence: ``..., which is based in Bergen``."""
        one, last = filling.objects[-1], self.writer.result.mentions[filling.object_mentions[-1]]
        if last.end != self.writer.length or last.kind == "pronoun" or one.kind != "entity":
            return
        found = self.without_subject(one)
        if found is None or found[1].family.plain:
            return
        self.writer.write(", who " if one.type == "person" else ", which ")
        found[1].subject_mentions = [filling.object_mentions[-1]]
        self.writer.clause(found[0], found[1])

    def _respectively(self) -> Callable[[], None] | None:
        """``Ana and Ben live in Bergen and Narvik respectively``: two subjects, each with its own object."""
        one = self.world.some(("person",), self._spoken())
        family = self.book.family(self.rng, "asserted", "person")
        frames = [f for f in family.frames["asserted"] if _shareable(f) and f.endswith("{o}")] if family else []
        if family is None or not family.shared or not frames or (family.name, one.id) in self._stated:
            return None
        other = self.world.some(("person",), [one, *self._spoken()])
        objects = [self._object(family, [one, other])]
        objects.append(self._object(family, [one, other, *objects], (objects[0].type,)))
        self._stated |= {(family.name, one.id), (family.name, other.id)}
        filling, frame = Filling(family, "asserted", [one, other], objects, paired=True), self.rng.choice(frames)

        def body() -> None:
            self.writer.clause(frame, filling)
            self.writer.write(self.rng.choice((" respectively", ", respectively")))

        return body

    def _change(self) -> Statement | None:
        """A change, correction or end of a fact that was stated before in the text."""
        family, one, before = self._held.pop(self.rng.randrange(len(self._held)))
        changes: tuple[Status, ...] = ("replaced", "corrected", "ended")
        usable = [s for s in changes if family.frames.get(s)]
        if not usable:
            return None
        status = self.rng.choice(usable)
        frames = [f for f in family.frames[status] if self._suits(f, one) and (status == "ended" or "old}" in f)]
        if not frames:
            return None
        if status == "ended":
            return self.rng.choice(frames), Filling(family, status, [one], [before]), False
        new = self._object(family, [one, before], (before.type,))
        return self.rng.choice(frames), Filling(family, status, [one], [new], old=before), False

    def _wrapper(self, status: Status, frame: str, wraps: bool) -> str:
        """A frame around the sentence, mostly none; questions, requests and entries of lists stand alone."""
        chance = 1.0 if wraps else 0.35 if status == "asserted" else 0.15
        key = _WRAPPERS.get(status, status)
        if not is_clause(frame) or self.rng.random() > chance or status in _WRAPPED and not wraps:
            return "{x}"
        found = self.book.words("wrappers", key)
        if self.style.speaker is None:
            found = [words for words in found if not _first_person(words)]
        return self.rng.choice(found or ["{x}"])

    def wrapped(self, frame: str, wrapper: str, filling: Filling) -> None:
        """Write a clause in its wrapper; ``{who}`` in either is the source of what is said."""
        before, _, after = wrapper.partition("{x}")
        first = len(self.writer.result.facts)
        self._around(before, filling)
        left, slot, right = frame.partition("{who}")
        self.writer.clause(left, filling)
        self._around(slot + right, filling)
        self._around(after, filling)
        facts = self.writer.result.facts
        for number in range(first, len(facts)):
            if facts[number].relation == filling.family.name and filling.source is not None:
                facts[number] = replace(facts[number], source=filling.source)

    def _around(self, words: str, filling: Filling) -> None:
        for piece in pieces(words):
            if piece == "{who}":
                who = self.world.some(("person",), [*filling.subjects, *filling.objects, *self._spoken()])
                filling.source = self.writer.refer(who, "name")
            else:
                self.writer.write(piece)

    def _spoken(self) -> list[Entity]:
        return [one for one in (self.style.speaker, self.style.listener) if one is not None]

    def pick(self, subject: Entity | None, usable: Callable[[str], bool], note: float = 0.0) -> Statement | None:
        """Return a frame with its filling, of a relation not yet stated of its subject; None where none is found.

        Args:
            subject: of the fact; a likely one when None.
            usable: which frames may be taken.
            note: share of entries of lists among what is asserted.
        """
        rng, likely = self.rng, subject or self.likely_subject()
        for attempt in range(_TRIES):
            status = rng.choices(tuple(STATUS_WEIGHTS), tuple(STATUS_WEIGHTS.values()))[0]
            wraps = subject is None and rng.random() < _WRAPS.get(status, 0.0)
            own = rng.choice(_WRAPPED[status]) if wraps else status
            one = subject or (likely if attempt < _TRIES // 3 else self.likely_subject())
            family = self.book.family(rng, own, one.type)
            if family is None or (family.name, one.id) in self._stated:
                continue
            notes = family.frames.get("note", ()) if own == status == "asserted" and rng.random() < note else ()
            frame = rng.choice(notes or family.frames[own])
            if not usable(frame) or wraps and not is_clause(frame) or not self._suits(frame, one):
                continue
            self._stated.add((family.name, one.id))
            self.topic = one
            filling = self.filled(family, status, frame, one)
            if status in ("asserted", "begun") and len(filling.objects) == len(filling.subjects) == 1:
                self._held.append((family, one, filling.objects[0]))
            return frame, filling, wraps
        return None

    def _suits(self, frame: str, one: Entity) -> bool:
        """Whether "I", "you" and "we" can stand in the slot of the subject, if it is one of those."""
        if one is self.style.group and _WE.search(frame) or self.style.speaker is None and _first_person(frame):
            return False
        if one not in self._spoken():
            return True
        frame = frame.replace("^[", "[^")
        slot = "{s's}" if "{s's}" in frame else "{s}"
        before, _, after = frame.partition(slot)
        return subject_case(slot.strip("{}"), before, after) in ("subject", "possessive", "object")

    def filled(self, family: Family, status: Status, frame: str, one: Entity) -> Filling:
        """Return what fills a frame about ``one``; at times several objects or subjects."""
        rng, we = self.rng, _WE.search(frame)
        objects = [self._object(family, [one, *([self.style.group] if we and self.style.group else [])])]
        filling = Filling(family, status, [one], objects)
        if "old}" in frame:
            filling.old = self._object(family, [one, *objects], (objects[0].type,))
        one_slot = frame.count("{o}") == 1 and "[{o}" not in frame and "{o} is" not in frame
        if family.many and one_slot and not frame.startswith("{o}") and filling.old is None and rng.random() < 0.18:
            for _ in range(rng.choice((1, 1, 2))):
                filling.objects = [*filling.objects, self._object(family, [one, *filling.objects], (objects[0].type,))]
        shared = family.shared and _shareable(frame) and one not in self._spoken()
        if shared and one.type in ("person", "firm") and rng.random() < 0.15:
            filling.subjects = [one, self.world.some((one.type,), [one, *filling.objects, *self._spoken()])]
        return filling

    def _object(self, family: Family, apart: Sequence[Entity], types: Sequence[str] = ()) -> Entity:
        return self.world.some(types or family.objects, [*apart, *self._spoken()])

    def object_of(self, family: Family, one: Entity) -> Entity:
        """Return a likely object of a relation."""
        return self._object(family, [one])

    def likely_subject(self) -> Entity:
        """Return whom the next fact is about: that of the last one, the author, the author's group, or another."""
        chance, rng = self.rng.random(), self.rng
        recent = self.writer.references.recent()
        if recent and chance < 0.5:
            return self.topic if self.topic in recent and self.topic and rng.random() < 0.6 else rng.choice(recent)
        if self.topic is not None and chance < (0.55 if self.topic in self._spoken() else 0.62):
            return self.topic
        if self.style.speaker is not None and chance < 0.72:
            return self.style.speaker
        if self.style.group is not None and chance < 0.78:
            return self.style.group
        return self.world.some((rng.choice(self.book.subject_types),))


_APPOSITIONS: Final[tuple[tuple[Status, str], ...]] = (
    ("asserted", "our {o}"), ("asserted", "the {o}"), ("begun", "our new {o}"), ("past", "our former {o}"),
    ("asserted", "{an o}"), ("planned", "soon to be our {o}"), ("begun", "the new {o}"), ("past", "once our {o}"),
)  # fmt: skip


def _shareable(frame: str) -> bool:
    """Whether two subjects can share a frame: "are a member" is no English."""
    return predicate(frame) is not None and not re.search(r"\^is \[?(?:a|an|the) |\{an o", frame)


def _first_person(words: str) -> bool:
    return not {"I", "my", "me"}.isdisjoint(words.replace("'", " ").replace(",", " ").split())
