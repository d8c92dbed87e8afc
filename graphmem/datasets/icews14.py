"""ICEWS14: events between political actors in 2014, by day (Garcia-Duran et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from graphmem.core.errors import InvalidValue
from graphmem.core.types import Fact
from graphmem.datasets.files import read_lines
from graphmem.datasets.path_question import plain

_PARTS = ("train", "valid", "test")
_YEAR = datetime(2014, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Event:
    """Who did what to whom on which day of 2014, counted from 0."""

    day: int
    subject: str
    relation: str
    object: str

    @property
    def fact(self) -> Fact:
        """The event as a fact that holds from its day on."""
        date = (_YEAR + timedelta(days=self.day)).strftime("%Y-%m-%d")
        return Fact(self.subject, self.relation, self.object, text=self.sentence, valid_from=date)

    @property
    def sentence(self) -> str:
        """The event in words: the names of ICEWS's relations are infinitives."""
        day = _YEAR + timedelta(days=self.day)
        return f"On {day.day} {day:%B %Y}, {self.subject} was reported to {self.relation}: {self.object}."


def load_events(folder: Path) -> list[Event]:
    """Return all events in the order of their days.

    Raises:
        InvalidValue: a file is missing, or a line does not consist of five numbers.
    """
    try:
        names, relations = (_names(folder / f"{what}2id.txt") for what in ("entity", "relation"))
        rows = [line.split() for part in _PARTS for line in read_lines(folder / f"{part}.txt")]
        verbs = {number: name[:1].lower() + name[1:] for number, name in relations.items()}
        found = [Event(int(t) // 24, names[int(s)], verbs[int(r)], names[int(o)]) for s, r, o, t, *_ in rows]
    except (ValueError, KeyError) as error:
        raise InvalidValue(f"{folder} holds no ICEWS14 that can be read: {error}") from error
    return sorted(found, key=lambda event: (event.day, event.subject, event.relation, event.object))


def _names(path: Path) -> dict[int, str]:
    pairs = (line.rsplit("\t", 1) for line in read_lines(path))
    return {int(number): plain(name) for name, number in pairs}
