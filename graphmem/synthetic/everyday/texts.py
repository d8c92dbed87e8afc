"""Generator of everyday texts: minutes, e-mails, letters, diaries, chats, notices, logs, hand-over notes, fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import Any, Final

from graphmem.synthetic.everyday.frames import Family, Status, Wordings, chosen, families, pieces, predicate
from graphmem.synthetic.everyday.references import Style
from graphmem.synthetic.everyday.times import TimeWriter
from graphmem.synthetic.everyday.world import Entity, EverydayWorld
from graphmem.synthetic.everyday.writer import EverydayText, EverydayWriter, Filling, subject_case
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation

GENRES: Final = ("minutes", "email", "letter", "diary", "chat", "notice", "log", "handover", "fields", "news", "table")
_WEIGHTS: Final = (3, 4, 3, 2, 3, 2, 2, 2, 2, 1, 1)
_WITH_AUTHOR: Final = frozenset(("email", "letter", "diary", "handover"))
_FORMAL: Final = {"minutes": 0.8, "letter": 0.4, "notice": 0.5, "log": 0.4, "news": 0.5, "handover": 0.3, "email": 0.3}
_STATUS_WEIGHTS: Final[dict[Status, int]] = {
    "asserted": 30, "past": 10, "begun": 12, "planned": 11, "negated": 8, "reported": 8, "uncertain": 9,
    "replaced": 11, "corrected": 4, "resumed": 4, "ended": 8,
}  # fmt: skip
_WRAPPED: Final[dict[Status, tuple[Status, ...]]] = {
    "reported": ("asserted", "asserted", "begun", "past"), "uncertain": ("asserted", "begun"), "negated": ("asserted",),
}  # fmt: skip
"""Statuses whose frames say something else inside of a wrapper."""
_FILLERS: Final = 0.5
_TYPES: Final = {"company": "firm", "organisation": "club"}
_TRIES: Final = 40


class EverydayTextGenerator:
    """Generator of everyday texts of 3 to 14 sentences about a small world of its own, with every fact marked.

    Args:
        rng: the source of all choices.
        wordings: which frames are used; those ``held`` are a measure of wordings never trained on.
        relations: relations of the lexicon whose statements are mixed in.
        first_day, last_day: the days between which texts are written.
    """

    def __init__(
        self, rng: Random, wordings: Wordings = "train", relations: Sequence[Relation] = (),
        first_day: date = date(2015, 1, 1), last_day: date = date(2031, 12, 31),
    ) -> None:  # fmt: skip
        self.rng, self.wordings = rng, wordings
        self.first_day, self.days = first_day, (last_day - first_day).days
        self._families = families(wordings)
        self._lexicon = [family for family in map(_plain, relations) if family is not None]
        self._style_lists: dict[str, Any] = load("everyday_style")

    def example(self, genre: str = "") -> EverydayText:
        """Return one text of a genre of ``GENRES``, a random one when empty."""
        rng = self.rng
        genre = genre or rng.choices(GENRES, _WEIGHTS)[0]
        times = TimeWriter(rng, self.first_day + timedelta(days=rng.randint(0, self.days)))
        world = EverydayWorld(rng, times)
        style = Style(
            speaker=world.author if genre in _WITH_AUTHOR else None,
            listener=world.reader if genre in ("email", "letter") else None,
            group=None if genre in ("fields", "table") or rng.random() < 0.15 else world.home,
            formal=rng.random() < _FORMAL.get(genre, 0.0),
            lower=genre in ("chat", "log", "email", "diary") and rng.random() < 0.15,
            stops=not (genre in ("chat", "log", "handover", "fields") and rng.random() < 0.6),
            abbreviations=self._abbreviations() if genre in ("chat", "log", "email", "handover") else {},
        )
        page = Page(self, EverydayWriter(rng, world, times, style), genre)
        page.write()
        result = page.writer.finish({"author": world.author, "group": style.group})
        result.genre = genre
        return result

    def _abbreviations(self) -> dict[str, str]:
        words: dict[str, str] = self._style_lists["abbreviations"]
        return {word: short for word, short in words.items() if self.rng.random() < 0.3} if self.rng.random() < 0.3 else {}

    def words(self, *keys: str) -> list[str]:
        """Return a list of templates of ``everyday_style.json``, those of the generator's set of wordings."""
        found: Any = self._style_lists
        for key in keys:
            found = found[key]
        return list(chosen(found, self.wordings, "/".join(keys)) or found)

    def family(self, status: Status, types: Sequence[str]) -> Family | None:
        """Return a random relation with frames of a status whose subject has one of the types; None if there is none."""
        found = [f for f in self._families if f.frames.get(status) and not set(types).isdisjoint(f.subjects)]
        others = [f for f in self._lexicon if f.frames.get(status) and not set(types).isdisjoint(f.subjects)]
        if others and self.rng.random() < 0.12:
            return self.rng.choice(others)
        return self.rng.choice(found) if found else None

    @property
    def subject_types(self) -> list[str]:
        """Types of the subjects of all relations, each as often as it occurs."""
        return [type for family in self._families for type in family.subjects]


class Page:
    """One text in the making: the lines of its genre, and sentences with and without facts."""

    def __init__(self, generator: EverydayTextGenerator, writer: EverydayWriter, genre: str) -> None:
        self.generator, self.writer, self.genre = generator, writer, genre
        self.rng, self.world, self.style = generator.rng, writer.world, writer.style
        self.topic: Entity | None = None
        self._stated: set[tuple[str, int]] = set()

    def write(self) -> None:
        """Write the whole text."""
        forms: dict[str, Callable[[], None]] = {
            "chat": self._chat, "log": self._log, "fields": self._cards, "table": self._table,
            "minutes": self._list, "handover": self._list,
        }  # fmt: skip
        if self.genre not in ("letter", "diary", "chat", "table") and self.rng.random() < 0.75:
            self._heading(self.generator.words("titles", self.genre))
        elif self.genre == "diary" and self.rng.random() < 0.7:
            self._heading(["{date}"])
        forms.get(self.genre, self._prose)()

    def _heading(self, templates: Sequence[str]) -> None:
        self.writer.line()
        template = self.rng.choice(templates)
        self.writer.sentence(lambda: self.writer.template(template), "")
        self.writer.line()

    def _prose(self) -> None:
        letter, rng, words = self.genre in ("email", "letter"), self.rng, self.generator.words
        if letter and rng.random() < 0.85:
            self._salutation()
            if rng.random() < 0.6:
                self._filler("opening")
        for number in range(rng.randint(3, 9)):
            self._any()
            if number and rng.random() < 0.12:
                self.writer.line()
        if letter and rng.random() < 0.6:
            self._filler("closing")
        if letter and rng.random() < 0.8:
            self.writer.line()
            sign = rng.choice(words("fillers", "sign"))
            self.writer.sentence(lambda: self.writer.template(f"{sign},"), "")
            self.writer.line()
            self.writer.sentence(lambda: self._signature(), "")

    def _salutation(self) -> None:
        greeting = self.rng.choice(self.generator.words("fillers", "greeting"))
        named = self.style.listener is not None and "{p}" in greeting
        self.style.listener = self.style.listener if named else None

        def body() -> None:
            before, slot, after = greeting.partition("{p}")
            self.writer.write(before)
            if slot:
                self.writer.refer(self.world.reader, "name")
            self.writer.write(after)

        self.writer.sentence(body, "")
        self.writer.line()

    def _signature(self) -> None:
        self.writer.refer(self.world.author, "name")
        if self.style.group is not None and self.rng.random() < 0.5:
            self.writer.write(self.rng.choice((", ", " - ", " / ")))
            self.writer.refer(self.style.group, "name")

    def _list(self) -> None:
        """Headings with paragraphs and bullets, of which some leave out their subject."""
        rng, marks = self.rng, self.rng.choice(("- ", "* ", "• ", "1. ", ""))
        count = rng.randint(4, 12)
        while count > 0:
            chance = rng.random()
            if chance < 0.25:
                count -= self._bullets(marks or "- ")
                continue
            if chance < 0.35:
                self._heading(self.generator.words("headings"))
            elif chance < 0.6 and marks:
                self.writer.line()
                self.writer.result.text += marks
            elif chance < 0.7:
                self.writer.line()
            self._any()
            count -= 1

    def _bullets(self, mark: str) -> int:
        """A name as a heading and what is new about it, without the name; returns the number of sentences."""
        one = self._subject(())
        self.writer.line()
        self.writer.sentence(lambda: self._mention_heading(one), "")
        heading = len(self.writer.result.mentions) - 1
        count = 0
        for _ in range(self.rng.randint(2, 4)):
            found = self._fact(one, lambda frame: predicate(frame) is not None)
            if found is None:
                continue
            frame, filling = found
            words = (predicate(frame) or "").replace("^[", "[^")
            words = words.removeprefix("^is ") if self.rng.random() < 0.5 else words
            filling.subject_mentions, filling.subjects = [heading], [one]
            self.writer.line()
            self.writer.result.text += mark
            self.writer.sentence(partial(self.writer.clause, words, filling), self._stop())
            count += 1
        self.writer.line()
        return 1 + count

    def _mention_heading(self, one: Entity) -> None:
        self.writer.refer(one, "name", "")
        self.writer.write(":")

    def _log(self) -> None:
        rng, hour, minute = self.rng, self.rng.randint(6, 20), self.rng.randint(0, 59)
        for _ in range(rng.randint(4, 11)):
            self.writer.line()
            self.writer.result.text += rng.choice((f"{hour:02d}:{minute:02d} ", f"{hour}.{minute:02d}h - "))
            hour, minute = min(23, hour + rng.choice((0, 0, 1))), (minute + rng.randint(3, 40)) % 60
            if rng.random() < _FILLERS:
                self._filler("log")
            else:
                self._sentence(note=0.4)

    def _chat(self) -> None:
        """Lines of two speakers, each with its own "I"."""
        rng, pair = self.rng, [self.world.author, self.world.reader]
        answer: Callable[[], None] | None = None
        for _ in range(rng.randint(5, 13)):
            if rng.random() < 0.7:
                pair.reverse()
            self.writer.line()
            self.style.speaker, self.style.listener = None, None
            self.writer.sentence(lambda: self._mention_heading(pair[0]), "")
            self.style.speaker, self.style.listener = pair
            self._any()
            if rng.random() < 0.2:
                self._any()
        del answer

    def _cards(self) -> None:
        """Lists of fields about one thing after another."""
        for _ in range(self.rng.randint(1, 3)):
            one = self._subject(())
            self.writer.line()
            self.writer.sentence(lambda one=one: self.writer.refer(one, "name", "") and None, "")  # type: ignore[misc]
            heading = len(self.writer.result.mentions) - 1
            families = [f for f in self.generator._families if one.type in f.subjects and f.nouns]
            for family in self.rng.sample(families, min(len(families), self.rng.randint(2, 6))):
                self._field(one, heading, family)
        self.writer.line()
        if self.rng.random() < 0.5:
            self._any()

    def _field(self, one: Entity, heading: int, family: Family) -> None:
        rng, noun = self.rng, self.rng.choice(family.nouns)
        self.writer.line()
        if rng.random() < 0.3:
            words = rng.choice(self.generator.words("fields", "empty")).replace("{n}", noun)
            self.writer.sentence(lambda: self.writer.template(words), "")
            return
        usable: list[Status] = [s for s in _STATUS_WEIGHTS if s in self.generator._style_lists["fields"]]
        status = rng.choices(usable, [20 if s == "asserted" else 2 for s in usable])[0]
        frame = rng.choice(self.generator.words("fields", status)).replace("{n}", noun)
        filling = self._filled(family, status, frame, one)
        filling.subject_mentions = [heading]
        self.writer.sentence(partial(self._wrapped, frame, "{x}", filling), "")

    def _table(self) -> None:
        """A table: a heading with the names of relations, and a row for each of some persons or firms."""
        rng, bar = self.rng, self.rng.choice((" | ", "\t", "; "))
        type = rng.choice(("person", "person", "firm", "club", "product", "project", "event", "pet", "vehicle"))
        families = [f for f in self.generator._families if type in f.subjects and f.nouns]
        columns = rng.sample(families, min(len(families), rng.randint(1, 3)))
        writer, spans = self.writer, list[tuple[int, int]]()

        def head() -> None:
            writer.write("Name")
            for family in columns:
                writer.write(bar)
                start = writer.length
                writer.write(rng.choice(family.nouns))
                spans.append((start, writer.length))

        writer.sentence(head, "")
        rows: list[Entity] = []
        for _ in range(rng.randint(2, 6)):
            writer.line()
            rows.append(self.world.some((type,), rows))
            writer.sentence(partial(self._row, rows[-1], columns, spans, bar), "")
        writer.line()
        if rng.random() < 0.5:
            self._any()

    def _row(self, one: Entity, columns: Sequence[Family], spans: Sequence[tuple[int, int]], bar: str) -> None:
        number = self.writer.refer(one, "name", "")
        for family, span in zip(columns, spans, strict=True):
            self.writer.write(bar)
            if self.rng.random() < 0.15:
                self.writer.write(self.rng.choice(("", "-", "?", "n/a")))
                continue
            filling = Filling(family, "asserted", [one], [self._object(family, [one])], subject_mentions=[number])
            filling.words.append(span)
            self.writer.clause("{-o}", filling)

    def _any(self) -> None:
        """Write one sentence, with a fact or without."""
        if self.rng.random() < _FILLERS:
            own = self.genre if self.genre in ("minutes", "notice", "handover", "diary", "chat") else "general"
            self._filler(self.rng.choice((own, own, "general", "named", "named", "dated", "questions")))
        else:
            self._sentence()

    def _filler(self, kind: str) -> None:
        template = self.rng.choice(self.generator.words("fillers", kind))
        if self.style.speaker is None and kind not in ("minutes", "log"):
            usable = [words for words in self.generator.words("fillers", kind) if not _first_person(words)]
            template = self.rng.choice(usable or [template])
        self.writer.sentence(lambda: self.writer.template(template), self._stop())

    def _stop(self) -> str:
        return self.rng.choice((".", ".", ".", ".", ".", "!")) if self.style.stops else ""

    def _sentence(self, note: float = 0.05) -> None:
        """Write a sentence with a fact, or with two, or with two subjects or objects."""
        found = self._fact(None, lambda frame: True, note)
        if found is None:
            return self._filler("general")
        frame, filling = found
        filling.subject_mentions, wrapper = [], self._wrapper(filling.status, frame)
        second = self._second(frame, filling, wrapper)

        def body() -> None:
            self._wrapped(frame, wrapper, filling)
            if second is not None and filling.aside is None and not filling.family.plain and second[1].subjects:
                self.writer.write(self.rng.choice(self.generator.words("joiners")))
                second[1].subject_mentions = filling.subject_mentions
                second[1].person = filling.person
                self.writer.clause(second[0], second[1])

        if second is not None and predicate(frame) and self.rng.random() < 0.35 and filling.subjects[0].type == "person":
            filling.aside, second = partial(self._aside, second, filling), None
        self.writer.sentence(body, self._stop())

    def _second(self, frame: str, filling: Filling, wrapper: str) -> tuple[str, Filling] | None:
        """A second fact of the same subject: what follows "and", with the same verb form."""
        alone = wrapper != "{x}" or len(filling.subjects) > 1 or "{his}" in frame or frame[-1:] == "?"
        if alone or not predicate(frame) or self.rng.random() > 0.25:
            return None
        found = self._fact(filling.subjects[0], lambda frame: predicate(frame) is not None)
        if found is None or found[0][-1:] == "?" or found[1].family.plain:
            return None
        return (predicate(found[0]) or "").replace("^[", "[^"), found[1]

    def _aside(self, second: tuple[str, Filling], filling: Filling) -> None:
        """Write a relative clause after the subject, where a name stands for it."""
        last = self.writer.result.mentions[filling.subject_mentions[0]]
        if last.kind == "pronoun" or len(filling.subjects) > 1:
            return
        self.writer.write(", who ")
        second[1].subject_mentions, second[1].person = filling.subject_mentions, filling.person
        self.writer.clause(*second)
        self.writer.write(",")

    def _wrapper(self, status: Status, frame: str) -> str:
        """A frame around the sentence, mostly none; a question and a frame of lists stand alone."""
        if frame[-1:] == "?" or "^" not in frame and "{s" not in frame:
            return "{x}"
        key = {"past": "asserted", "begun": "asserted"}.get(status, status)
        chance = 1.0 if status in _WRAPPED and self._wraps else 0.35 if status == "asserted" else 0.15
        if self.rng.random() > chance:
            return "{x}"
        found = self.generator.words("wrappers", key)
        found = found if self.style.speaker is not None else [w for w in found if not _first_person(w)]
        return self.rng.choice(found or ["{x}"])

    def _wrapped(self, frame: str, wrapper: str, filling: Filling) -> None:
        """Write a clause in its wrapper, whose ``{who}`` is the source of what it says."""
        before, _, after = wrapper.partition("{x}")
        for words in (before, None, after):
            if words is None:
                self.writer.clause(frame, filling)
                continue
            for piece in pieces(words):
                if piece == "{who}":
                    who = self.world.some(("person",), [*filling.subjects, *filling.objects, *self._spoken()])
                    filling.source = self.writer.refer(who, "name")
                else:
                    self.writer.write(piece)
        if after and filling.source is not None:
            self._add_source(filling)

    def _add_source(self, filling: Filling) -> None:
        """Facts were marked before the name of who says them was written."""
        from dataclasses import replace

        facts, count = self.writer.result.facts, len(filling.subjects) * len(filling.objects)
        for number in range(len(facts) - count, len(facts)):
            facts[number] = replace(facts[number], source=filling.source)

    def _spoken(self) -> list[Entity]:
        return [one for one in (self.style.speaker, self.style.listener) if one is not None]

    def _fact(
        self, subject: Entity | None, usable: Callable[[str], bool], note: float = 0.0
    ) -> tuple[str, Filling] | None:
        """A frame and what fills it, of a relation that was not yet stated of its subject; None where none is left."""
        rng = self.rng
        for _ in range(_TRIES):
            status = rng.choices(tuple(_STATUS_WEIGHTS), tuple(_STATUS_WEIGHTS.values()))[0]
            self._wraps = status in _WRAPPED and rng.random() < (0.95 if status == "reported" else 0.45)
            own = rng.choice(_WRAPPED[status]) if self._wraps and subject is None else status
            self._wraps = self._wraps and subject is None
            one = subject or self._subject(())
            family = self.generator.family(own, (one.type,))
            if family is None or (family.name, one.id) in self._stated:
                continue
            frames = list(family.frames[own])
            if own == "asserted" and rng.random() < note and family.frames.get("note"):
                frames, self._wraps = list(family.frames["note"]), False
                status = "asserted"
            frame = rng.choice(frames)
            if not usable(frame) or self._wraps and frame[-1:] == "?" or not self._suits(frame, one):
                continue
            self._stated.add((family.name, one.id))
            self.topic = one
            return frame, self._filled(family, status, frame, one)
        return None

    def _suits(self, frame: str, one: Entity) -> bool:
        """Whether "I" and "you" can stand in the slot of the subject, if it is the speaker or the listener."""
        if one not in self._spoken():
            return True
        before, slot, after = (frame.replace("^[", "[^").partition("{s's}") if "{s's}" in frame else
                               frame.replace("^[", "[^").partition("{s}"))  # fmt: skip
        return subject_case(slot.strip("{}"), before, after) in ("subject", "possessive", "object")

    def _filled(self, family: Family, status: Status, frame: str, one: Entity) -> Filling:
        rng, objects = self.rng, [self._object(family, [one])]
        filling = Filling(family, status, [one], objects)
        if "{old}" in frame or "{an old}" in frame:
            filling.old = self._object(family, [one, *objects], (objects[0].type,))
        listed = family.many and frame.count("{o}") == 1 and not frame.startswith("{o}") and "[{o}]" not in frame
        if listed and rng.random() < 0.18 and filling.old is None and "{o} is" not in frame:
            for _ in range(rng.choice((1, 1, 2))):
                filling.objects = [*filling.objects, self._object(family, [one, *filling.objects], (objects[0].type,))]
        shared = family.shared and predicate(frame) is not None and "{o's}" not in frame and one not in self._spoken()
        if shared and one.type in ("person", "firm") and rng.random() < 0.15:
            filling.subjects = [one, self.world.some((one.type,), [one, *filling.objects, *self._spoken()])]
        return filling

    def _object(self, family: Family, apart: Sequence[Entity], types: Sequence[str] = ()) -> Entity:
        return self.world.some(types or family.objects, [*apart, *self._spoken()])

    def _subject(self, apart: Sequence[Entity]) -> Entity:
        """Whom the next fact is about: that of the last one, the author, the author's group, or another."""
        rng, chance = self.rng, self.rng.random()
        if self.topic is not None and self.topic not in apart and chance < 0.4:
            return self.topic
        if self.style.speaker is not None and chance < 0.55:
            return self.style.speaker
        if self.style.group is not None and chance < 0.65:
            return self.style.group
        return self.world.some((rng.choice(self.generator.subject_types),), apart)


def _first_person(words: str) -> bool:
    padded = f" {words} "
    return any(word in padded for word in (" I ", " I'", " my ", " me "))


def _plain(relation: Relation) -> Family | None:
    """A relation of the lexicon as a family whose frames take names alone."""
    frames = {
        "asserted": relation.statements, "replaced": relation.updates, "ended": relation.ends,
    }  # fmt: skip
    kept = {
        status: tuple(t[:-1] for t in templates if t.endswith(".") and t.startswith("{")) for status, templates in frames.items()
    }
    subject = _TYPES.get(relation.subject, relation.subject)
    return Family(
        relation.relation, (subject,), (_TYPES.get(relation.object, relation.object),), False, False, (relation.noun,),
        kept, plain=True,
    ) if kept["asserted"] and subject in ("person", "firm", "club", "city", "software") else None  # fmt: skip
