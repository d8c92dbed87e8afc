"""Writer of everyday sentences that marks, by construction, every mention, time and fact in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Final, Literal

from graphmem.synthetic.annotated_texts import GoldMention
from graphmem.synthetic.everyday.frames import Family, Status, factuality, inflected, pieces
from graphmem.synthetic.everyday.references import References, Style
from graphmem.synthetic.everyday.times import TimeWriter
from graphmem.synthetic.everyday.world import Entity, EverydayWorld
from graphmem.synthetic.templates import capitalise, fit_article

Case = Literal["subject", "object", "possessive", "name", "inverted", "full"]
_TIME_SLOTS: Final = frozenset("begin end at next since until span day".split())
_STARTS: Final = frozenset(("begin", "since", "at", "next"))
_ENDS: Final = frozenset(("end", "until", "at"))
_FIRST_PERSON = re.compile(r"\b(I|[Mm]e|[Mm]y|[Ww]e|us|[Oo]ur)\b")
_VERB_FOLLOWS = re.compile(
    r" (?:\w+ ){0,2}\[?\^| (?:will|might|may|would|could|must|should|can|can't|won't|would not)\b"
)
_INVERTED = re.compile(r"\b(?:does|do|is|are|was|could|should|would|will|can|has|might|did)$")
_PREPOSITION = re.compile(r"\b(?:with|by|to|from|of|for|on|than|between)\]? $")
_ARTICLES: Final = frozenset(("", "a", "an", "the"))
_WORD = re.compile(r"[A-Za-z][\w'-]*")


@dataclass(frozen=True, slots=True)
class TimeMention:
    """Characters ``start`` to ``end`` name a time.

    Attributes:
        value: the time in EDTF, as ``core.times`` reads it.
        precision: as in ``times.TimePart``; a week is approximately its first day.
        relative: whether the value depends on the day of writing.
    """

    start: int
    end: int
    value: str
    precision: str
    relative: bool


@dataclass(frozen=True, slots=True)
class EverydayFact:
    """A fact that a sentence speaks of.

    Attributes:
        relation: its name.
        subject: number of the mention of its subject, ``object``: of its object.
        status: what the sentence says of it.
        sentence: number of the sentence.
        words: spans of the words that name the relation; none where there are none.
        valid_from: when it began, ``valid_to``: when it ended, in EDTF; None where that is not said.
        times: numbers of the mentions of times that say so.
        old: number of the mention of the value that it replaces or corrects.
        source: number of the mention of who says it.
    """

    relation: str
    subject: int
    object: int
    status: Status
    sentence: int
    words: tuple[tuple[int, int], ...] = ()
    valid_from: str | None = None
    valid_to: str | None = None
    times: tuple[int, ...] = ()
    old: int | None = None
    source: int | None = None

    @property
    def factuality(self) -> str:
        """``asserted``, ``planned``, ``negated``, ``reported`` or ``uncertain``."""
        return factuality(self.status)


@dataclass(slots=True)
class EverydayText:
    """A text with its sentences, mentions, times and facts.

    Attributes:
        day: on which it was written; relative times refer to it.
        author: id of who writes it, ``group``: id of that for which "we" stands; None where nothing does.
        mentions: ``kind`` is ``entity``, ``literal`` or ``pronoun``; mentions of the same ``entity`` corefer.
        entities: what the mentions stand for, by id.
    """

    day: date
    genre: str = ""
    text: str = ""
    author: int | None = None
    group: int | None = None
    sentences: list[tuple[int, int]] = field(default_factory=list)
    mentions: list[GoldMention] = field(default_factory=list)
    times: list[TimeMention] = field(default_factory=list)
    facts: list[EverydayFact] = field(default_factory=list)
    entities: dict[int, Entity] = field(default_factory=dict)

    def surface(self, mention: int) -> str:
        """Return the characters of a mention, by its number."""
        found = self.mentions[mention]
        return self.text[found.start : found.end]


@dataclass(slots=True)
class Filling:
    """What a frame is filled with, and what was written so far."""

    family: Family
    status: Status
    subjects: Sequence[Entity]
    objects: Sequence[Entity]
    old: Entity | None = None
    subject_mentions: list[int] = field(default_factory=list)
    object_mentions: list[int] = field(default_factory=list)
    old_mention: int | None = None
    source: int | None = None
    words: list[tuple[int, int]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    valid_from: str | None = None
    valid_to: str | None = None
    person: str = "one"
    paired: bool = False
    aside: Callable[[], None] | None = None


class EverydayWriter:
    """Writes sentences into ``result``; a frame's slots are filled by names, pronouns and descriptions."""

    def __init__(self, rng: Random, world: EverydayWorld, times: TimeWriter, style: Style) -> None:
        self.rng, self.world, self.times, self.style = rng, world, times, style
        self.result = EverydayText(times.day)
        self.references = References(rng, style)
        self._starts = True
        self.person = "one"

    @property
    def length(self) -> int:
        """Characters so far."""
        return len(self.result.text)

    def line(self) -> None:
        """Begin a new line, if anything stands on this one."""
        if self.result.text and not self.result.text.endswith("\n"):
            self.result.text += "\n"

    def sentence(self, body: Callable[[], None], stop: str = ".") -> None:
        """Write one sentence by ``body``, then ``stop`` unless it ends with a stop of its own."""
        if self.result.text and not self.result.text.endswith(("\n", " ")):
            self.result.text += " " if self.result.text[-1] in '.!?:,;"' else "\n"
        start, self._starts = self.length, True
        body()
        self.result.text = self.result.text.rstrip(" ")
        if stop and self.result.text[-1:] not in '.!?:,"':
            self.result.text += stop
        self.result.sentences.append((start, self.length))
        self.references.end_sentence()

    def label(self, one: Entity) -> None:
        """Write the name of a speaker before its sentences; it stands outside of them."""
        self._starts = True
        self.refer(one, "name")
        self.write(":")
        self.references.end_sentence()

    def write(self, words: str) -> None:
        """Append words, with a capital where a sentence begins; "I" and "we" are marked as mentions."""
        if self._starts and words.strip():
            words, self._starts = capitalise(words) if words[0] != " " else words, False
        for old, new in self.style.abbreviations.items() if self.style.abbreviations else ():
            words = re.sub(rf"\b{old}\b", new, words)
        start = self.length
        self.result.text += words
        for found in _FIRST_PERSON.finditer(words):
            one = self.style.speaker if found[0].lower() in ("i", "me", "my") else self.style.group
            if one is not None:
                self._mark(start + found.start(), start + found.end(), "pronoun", one)

    def template(self, template: str, apart: Sequence[Entity] = ()) -> None:
        """Append words without a fact, with slots for names (``{p}``, ``{city}``, ``{firm}``, ``{club}``) and times.

        None of ``apart`` is named.
        """
        used: list[Entity] = list(apart)
        for piece in pieces(template):
            slot = piece.strip("{}")
            if piece[0] != "{":
                self.write(piece)
            elif slot == "date":
                self.write(self.times.written(self.times.day))
            elif slot in _TIME_SLOTS:
                self.time(slot)
            else:
                apart = [*used, *(one for one in (self.style.speaker,) if one)]
                used.append(self.world.some(("person",) if slot == "p" else (slot,), apart))
                self.refer(used[-1], "name")

    def time(self, slot: str) -> list[int]:
        """Append an expression of time; return the numbers of its mentions."""
        numbers = []
        for part in self.times.expression(slot):
            if part.value is None:
                self.write(part.words)
                continue
            numbers.append(len(self.result.times))
            start = self.length
            self.result.text += capitalise(part.words) if self._starts else part.words
            self._starts = False
            self.result.times.append(TimeMention(start, self.length, part.value, part.precision, part.relative))
        return numbers

    def refer(self, one: Entity, case: Case, determiner: str = "the") -> int:
        """Append a mention of an entity and return its number.

        Args:
            case: how it stands in the sentence; ``name``, ``full`` and ``inverted`` allow no "I" and "we".
            determiner: "the", "a" or "" before common nouns.
        """
        reference = self.references.choose(one, case)
        self.person = reference.person
        words, article = reference.words, reference.article
        determined = self.result.text.lower().endswith(("the ", " a ", " an ", " our "))
        if reference.kind != "pronoun" and article and not determined:
            before = "the" if reference.known else determiner
            self.write(f"{before} " if before else "")
        elif determiner == "a" and reference.kind != "pronoun" and not article:
            self.write("a ")
        if self.result.text.endswith(" a ") or self.result.text.endswith("\na "):
            self.result.text = fit_article(self.result.text, words)
        if self._starts and _WORD.match(words) and "@" not in words and "." not in words:
            words = capitalise(words)
        self._starts = False
        start = self.length
        self.result.text += words
        number = self._mark(start, self.length, reference.kind, one)
        self.write(reference.after)
        return number

    def _mark(self, start: int, end: int, kind: str, one: Entity) -> int:
        self.result.mentions.append(GoldMention(start, end, kind, one.id))
        self.result.entities[one.id] = one
        self.references.note(one)
        if one.time is not None and one.time.value is not None:
            self.result.times.append(TimeMention(start, end, one.time.value, one.time.precision, one.time.relative))
        return len(self.result.mentions) - 1

    def clause(self, frame: str, filling: Filling) -> None:
        """Append a frame and mark its facts."""
        parts, opened = pieces(frame), -1
        for place, piece in enumerate(parts):
            after = "".join(parts[place + 1 :])
            if piece == "[":
                opened = self.length
            elif piece == "]":
                self._close(opened, filling)
            elif piece[0] == "^":
                self.write(inflected(piece[1:], filling.person))
            elif piece[0] == "{":
                before = "".join(part for part in parts[:place])
                self._slot(piece.strip("{}"), before, after, filling)
            else:
                self.write(piece)
        self._record(filling)

    def _close(self, opened: int, filling: Filling) -> None:
        """Mark the words of the relation since ``opened``, unless only a mention and its article stand there."""
        text, end = self.result.text, self.length
        opened += len(text[opened:]) - len(text[opened:].lstrip(" "))
        covered = {place for m in self.result.mentions for place in range(max(m.start, opened), m.end)}
        if "".join(text[place] for place in range(opened, end) if place not in covered).strip() not in _ARTICLES:
            filling.words.append((opened, end))

    def _slot(self, slot: str, before: str, after: str, filling: Filling) -> None:
        if slot.rstrip("?") in _TIME_SLOTS:
            self._timed(slot, before, filling)
        elif slot in ("s", "s's"):
            self._subject(slot, before, after, filling)
        elif slot == "his":
            self._possessive(filling)
        elif slot.split()[-1].strip("-'s") == "old":
            assert filling.old is not None
            filling.old_mention = self.refer(filling.old, "name", _determiner(slot))
        else:
            self._objects(slot, before, after, filling)

    def _timed(self, slot: str, before: str, filling: Filling) -> None:
        if slot.endswith("?"):
            if self.rng.random() < 0.5:
                return
            slot = slot[:-1]
            self.write(" ")
        numbers = self.time(slot)
        filling.times += numbers
        values = [self.result.times[number].value for number in numbers]
        if slot in _STARTS or slot == "span":
            filling.valid_from = values[0]
        if slot in _ENDS or slot == "span":
            filling.valid_to = values[-1]
        if not before and self.rng.random() < 0.4:
            self.write(",")

    def _subject(self, slot: str, before: str, after: str, filling: Filling) -> None:
        case = subject_case(slot, before, after) if not filling.family.plain else "name"
        persons = []
        for number, one in enumerate(filling.subjects):
            if number:
                self.write(" and " if number == len(filling.subjects) - 1 else ", ")
            listed: Case = "name" if len(filling.subjects) > 1 else case
            filling.subject_mentions.append(self.refer(one, listed))
            persons.append(self.person)
        filling.person = persons[0] if len(persons) == 1 else "many"
        if slot == "s's" and self.result.text[-1:] and not self._is_possessive(filling.subject_mentions[-1]):
            self.write("'s")
        if filling.aside is not None and not before:
            aside, filling.aside = filling.aside, None
            aside()

    def _is_possessive(self, mention: int) -> bool:
        found = self.result.mentions[mention]
        return found.kind == "pronoun" and not self.result.surface(mention).lower().startswith("the ")

    def _possessive(self, filling: Filling) -> None:
        one = filling.subjects[0]
        words = self.references.possessive(one, filling.person)
        start = self.length
        self.result.text += words
        self._mark(start, self.length, "pronoun", one)

    def _objects(self, slot: str, before: str, after: str, filling: Filling) -> None:
        objective = bool(_PREPOSITION.search(before)) and not after.startswith(" and") and not filling.family.plain
        case: Case = "object" if objective and len(filling.objects) == 1 else "name"
        for number, one in enumerate(filling.objects):
            if number:
                last = " or " if filling.status == "negated" else " and "
                self.write(last if number == len(filling.objects) - 1 else ", ")
            filling.object_mentions.append(self.refer(one, case, _determiner(slot)))
        if slot == "o's":
            self.write("'s" if not self._is_possessive(filling.object_mentions[-1]) else "")

    def _record(self, filling: Filling) -> None:
        if filling.family.name == "role" and filling.status in ("asserted", "begun") and len(filling.subjects) == 1:
            self.references.describe(filling.subjects[0], filling.objects[0].name)
        pairs = [(s, o) for s in filling.subject_mentions[: len(filling.subjects)] for o in filling.object_mentions]
        if filling.paired:
            pairs = list(zip(filling.subject_mentions, filling.object_mentions, strict=True))
        for subject, object in pairs:
            self.result.facts.append(
                EverydayFact(
                    filling.family.name, subject, object, filling.status, len(self.result.sentences),
                    tuple(filling.words), filling.valid_from, filling.valid_to, tuple(filling.times),
                    filling.old_mention, filling.source,
                )
            )  # fmt: skip

    def finish(self, entities: Mapping[str, Entity | None]) -> EverydayText:
        """Return the text; ``entities`` names its ``author`` and ``group``."""
        result = self.result
        author, group = entities.get("author"), entities.get("group")
        result.author, result.group = author.id if author else None, group.id if group else None
        for one in (author, group):
            if one is not None:
                result.entities[one.id] = one
        result.text = result.text.rstrip("\n ")
        if self.style.lower and len(result.text.lower()) == len(result.text):
            result.text = result.text.lower()
        return result


def _determiner(slot: str) -> str:
    return "a" if slot.startswith("an ") else "" if slot.startswith("-") else "the"


def subject_case(slot: str, before: str, after: str) -> Case:
    """How a subject stands in a frame, by the words before and after its slot."""
    if slot == "s's":
        return "possessive"
    if _INVERTED.search(before.rstrip(" [")) and before.endswith((" ", "[")) and not _VERB_FOLLOWS.match(after):
        return "inverted"
    if _VERB_FOLLOWS.match(after):
        return "subject"
    if before.endswith(("of ", "of] ")):
        return "name"
    named = not before or before.endswith((", ", "and ")) or after.startswith((" and", ":"))
    return "name" if named else "object"
