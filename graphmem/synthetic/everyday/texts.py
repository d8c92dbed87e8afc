"""Generator of everyday texts: minutes, e-mails, letters, diaries, chats, notices, logs, hand-over notes, fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import Final

from graphmem.synthetic.everyday.frames import Family, Phrasebook, Status, Wordings
from graphmem.synthetic.everyday.references import Style
from graphmem.synthetic.everyday.statements import STATUS_WEIGHTS, StatementWriter
from graphmem.synthetic.everyday.times import TimeWriter
from graphmem.synthetic.everyday.world import Entity, EverydayWorld
from graphmem.synthetic.everyday.writer import EverydayText, EverydayWriter, Filling
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation

GENRES: Final = ("minutes", "email", "letter", "diary", "chat", "notice", "log", "handover", "fields", "news", "table")
_WEIGHTS: Final = (3, 4, 3, 2, 3, 2, 2, 2, 2, 1, 1)
_WITH_AUTHOR: Final = frozenset(("email", "letter", "diary", "handover"))
_FORMAL: Final = {"minutes": 0.8, "letter": 0.4, "notice": 0.5, "log": 0.4, "news": 0.5, "handover": 0.3, "email": 0.3}
_FILLERS: Final = 0.42
_ROW_TYPES: Final = ("person", "person", "firm", "club", "product", "project", "event", "pet", "vehicle")
_ANSWERS: Final[tuple[tuple[Status, str], ...]] = (
    ("asserted", "{-o}"), ("asserted", "{-o}, as always"), ("asserted", "it's {-o}"), ("begun", "{-o}, {since}"),
    ("uncertain", "{-o}, I think"), ("uncertain", "{-o}?"), ("negated", "not {-o}"), ("past", "it was {-o} {until}"),
    ("replaced", "{-o} now, no longer {-old}"), ("reported", "{-o}, according to {who}"), ("planned", "{-o} {next}"),
)  # fmt: skip


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
        self.rng, self.book = rng, Phrasebook(wordings, relations)
        self.first_day, self.days = first_day, (last_day - first_day).days

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
        writer = EverydayWriter(rng, world, times, style)
        _Page(self.book, writer, genre).write()
        result = writer.finish({"author": world.author, "group": style.group})
        result.genre = genre
        return result

    def _abbreviations(self) -> dict[str, str]:
        if self.rng.random() < 0.7:
            return {}
        words: dict[str, str] = load("everyday_style")["abbreviations"]
        return {word: short for word, short in words.items() if self.rng.random() < 0.3}


class _Page:
    """One text in the making: the lines of its genre."""

    def __init__(self, book: Phrasebook, writer: EverydayWriter, genre: str) -> None:
        self.book, self.writer, self.genre = book, writer, genre
        self.statements = StatementWriter(book, writer)
        self._stated = False
        self.rng, self.world, self.style = writer.rng, writer.world, writer.style

    def write(self) -> None:
        """Write the whole text."""
        forms: dict[str, Callable[[], None]] = {
            "chat": self._chat, "log": self._log, "fields": self._cards, "table": self._table,
            "minutes": self._list, "handover": self._list,
        }  # fmt: skip
        if self.genre not in ("letter", "diary", "chat", "table") and self.rng.random() < 0.75:
            self._heading(self.book.words("titles", self.genre))
        elif self.genre == "diary" and self.rng.random() < 0.7:
            self._heading(["{date}"])
        forms.get(self.genre, self._prose)()

    def _heading(self, templates: Sequence[str]) -> None:
        self.writer.line()
        template = self.rng.choice(templates)
        self.writer.sentence(lambda: self.writer.template(template), "")
        self.writer.line()

    def _prose(self) -> None:
        letter, rng, words = self.genre in ("email", "letter"), self.rng, self.book.words
        if letter and rng.random() < 0.85:
            self._salutation()
            if rng.random() < 0.6:
                self.statements.filler("opening")
        for number in range(rng.randint(3, 9)):
            self._any()
            if number and rng.random() < 0.12:
                self.writer.line()
        if letter and rng.random() < 0.6:
            self.statements.filler("closing")
        if letter and rng.random() < 0.8:
            self.writer.line()
            sign = rng.choice(words("fillers", "sign"))
            self.writer.sentence(lambda: self.writer.template(f"{sign},"), "")
            self.writer.line()
            self.writer.sentence(lambda: self._signature(), "")

    def _salutation(self) -> None:
        greeting = self.rng.choice(self.book.words("fillers", "greeting"))
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
            if chance < 0.14:
                count -= self._bullets(marks or "- ")
                continue
            if chance < 0.24:
                self._heading(self.book.words("headings"))
            elif chance < 0.6 and marks:
                self.writer.line()
                self.writer.result.text += marks
            elif chance < 0.7:
                self.writer.line()
            self._any()
            count -= 1

    def _bullets(self, mark: str) -> int:
        """A name as a heading and what is new about it, without the name; returns the number of sentences."""
        one = self.statements.likely_subject()
        self.writer.line()
        heading = self._label(one)
        count = 0
        for _ in range(self.rng.randint(2, 4)):
            found = self.statements.without_subject(one)
            if found is None or found[1].family.plain:
                continue
            words = found[0].removeprefix("^is ") if self.rng.random() < 0.5 else found[0]
            found[1].subject_mentions = [heading]
            self.writer.line()
            self.writer.result.text += mark
            self.writer.sentence(partial(self.writer.clause, words, found[1]), self.statements.stop())
            count += 1
        self.writer.line()
        self.writer.result.text += "\n"
        return 1 + count

    def _label(self, one: Entity, mark: str = ":") -> int:
        """Write a name with a colon as a sentence of its own; return the number of its mention."""

        def body() -> None:
            self.writer.refer(one, "full" if self.rng.random() < 0.6 else "name", "")
            self.writer.write(mark)

        self.writer.sentence(body, "")
        return len(self.writer.result.mentions) - 1

    def _log(self) -> None:
        rng, minutes = self.rng, self.rng.randint(360, 900)
        form = rng.choice(("{:02d}:{:02d} ", "{}.{:02d}h - ", "[{:02d}:{:02d}] ", "{:02d}{:02d} ", "- "))
        for _ in range(rng.randint(4, 11)):
            self.writer.line()
            self.writer.result.text += form.format(*divmod(minutes, 60))
            minutes += rng.randint(1, 45)
            if rng.random() < _FILLERS:
                self.statements.filler("log")
            else:
                self.statements.statement(note=0.4)

    def _chat(self) -> None:
        """Lines of two speakers, each with its own "I"; a question is answered at times by a mere value."""
        rng, pair = self.rng, [self.world.author, self.world.reader]
        for _ in range(rng.randint(5, 13)):
            if rng.random() < 0.7:
                pair.reverse()
            self._speak(pair)
            if rng.random() < 0.18 and (asked := self._question()) is not None:
                pair.reverse()
                self._speak(pair)
                self._answer(*asked)
                continue
            self._any()
            if rng.random() < 0.2:
                self._any()

    def _speak(self, pair: Sequence[Entity]) -> None:
        self.writer.line()
        self.style.speaker, self.style.listener = None, None
        self.writer.label(pair[0])
        self.style.speaker, self.style.listener = pair

    def _question(self) -> tuple[Family, Entity, int] | None:
        """Write a question of the lexicon; return its relation, its subject and the number of the mention of that."""
        families = [f for f in self.book.families if f.name in self.book.questions]
        if not families:
            return None
        family = self.rng.choice(families)
        one = self.world.some(family.subjects, [self.world.author, self.world.reader])
        before, _, after = self.rng.choice(self.book.questions[family.name]).partition("{s}")

        def body() -> None:
            self.writer.write(before)
            self.writer.refer(one, "name")
            self.writer.write(after)

        self.writer.sentence(body, "")
        asked = next(n for n, m in reversed(list(enumerate(self.writer.result.mentions))) if m.entity == one.id)
        return family, one, asked

    def _answer(self, family: Family, one: Entity, asked: int) -> None:
        if self.rng.random() < 0.25:
            words = self.rng.choice(self.book.words("no_answers"))
            self.writer.sentence(lambda: self.writer.template(words), self.statements.stop())
            return
        status, frame = self.rng.choice(_ANSWERS)
        filling = self.statements.filled(family, status, frame, one)
        filling.subject_mentions, filling.subjects = [asked], [one]
        self.writer.sentence(partial(self.statements.wrapped, frame, "{x}", filling), self.statements.stop())

    def _cards(self) -> None:
        """Lists of fields about one thing after another."""
        for _ in range(self.rng.randint(1, 3)):
            if len(self.writer.result.sentences) > 8:
                break
            one = self.statements.likely_subject()
            self.writer.line()
            heading = self._label(one, self.rng.choice(("", "", ":")))
            families = self.book.of(one.type)
            for family in self.rng.sample(families, min(len(families), self.rng.randint(2, 6))):
                self._field(one, heading, family)
        self.writer.line()
        if self.rng.random() < 0.5:
            self._any()

    def _field(self, one: Entity, heading: int, family: Family) -> None:
        rng, noun = self.rng, self.rng.choice(family.nouns)
        self.writer.line()
        if rng.random() < 0.3:
            words = rng.choice(self.book.words("fields", "empty")).replace("{n}", noun)
            self.writer.sentence(lambda: self.writer.template(words), "")
            return
        usable: list[Status] = [s for s in STATUS_WEIGHTS if s in load("everyday_style")["fields"]]
        status = rng.choices(usable, [20 if s == "asserted" else 2 for s in usable])[0]
        frame = rng.choice(self.book.words("fields", status)).replace("{n}", noun)
        filling = self.statements.filled(family, status, frame, one)
        filling.subject_mentions, filling.subjects = [heading], [one]
        self.writer.sentence(partial(self.statements.wrapped, frame, "{x}", filling), "")

    def _table(self) -> None:
        """A table: a heading with the names of relations, and a row for each of some persons or firms."""
        rng, bar = self.rng, self.rng.choice((" | ", "\t", "; "))
        type = rng.choice(_ROW_TYPES)
        families = self.book.of(type)
        columns = rng.sample(families, min(len(families), rng.randint(1, 3)))
        writer, spans = self.writer, list[tuple[int, int]]()

        def head() -> None:
            writer.write(rng.choice(("Name", "Who", "Item", "")))
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
        number = self.writer.refer(one, "full", "")
        for family, span in zip(columns, spans, strict=True):
            self.writer.write(bar)
            if self.rng.random() < 0.15:
                self.writer.write(self.rng.choice(("-", "?", "n/a")))
                continue
            filling = Filling(family, "asserted", [one], [self.statements.object_of(family, one)])
            filling.subject_mentions, filling.words = [number], [span]
            self.writer.clause("{-o}", filling)

    def _any(self) -> None:
        """Write one sentence, with a fact or without."""
        if self.rng.random() < (_FILLERS - 0.1 if self._stated else _FILLERS + 0.12):
            self._stated = False
            own = self.genre if self.genre in ("minutes", "notice", "handover", "diary", "chat") else "general"
            self.statements.filler(own, own, "general", "named", "named", "dated", "questions")
        else:
            self._stated = True
            self.statements.statement()
