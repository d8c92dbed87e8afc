"""Sentences of a new domain, each with a question about its one fact, for ``graphmem experiment adapt``."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graphmem.core.times import Time
from graphmem.core.types import Fact
from graphmem.datasets.files import read_rows
from graphmem.datasets.icews14 import Event, load_events
from graphmem.datasets.webnlg import held_out_categories, words_of
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations

HELD_OUT = 3
"""Categories of WebNLG to ask about."""


SINCE = 304
"""Day of ICEWS14 (1 November, counted from 0) whose new actors are asked about."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A sentence of the new domain, a question about its one fact, and the answers that are right.

    Attributes:
        sentence: to read, and to train LoRA on.
        question, answers: about its fact.
        fact: given where the domain has records instead of text; the write gate then gets it without extraction.
    """

    sentence: str
    question: str
    answers: tuple[str, ...]
    fact: Fact | None = None

    def extract(self, text: str, at: Time | None = None) -> Sequence[Fact]:
        """The fact: a lesson with a record is its own extractor."""
        return [self.fact] if self.fact else []


def invented(count: int, seed: int) -> list[Lesson]:
    """Facts between invented names, of relations held out of training."""
    rng = random.Random(seed)
    known = split_relations("test")
    by_name = {relation.relation: relation for relation in known}
    world = World.sample(rng, entities=max(60, 3 * count), relations=known)
    ends = {(s, r): world.ends(s, r) for s, r, _ in world.triples}
    single = [(s, r, values[0]) for (s, r), values in ends.items() if len(values) == 1 and r in by_name]
    chosen = rng.sample(single, min(count, len(single)))
    lessons = []
    for s, r, o in chosen:
        text = by_name[r].statements[0].format(s=s, o=o).removesuffix(".")
        lessons.append(Lesson(f"{text[:1].upper()}{text[1:]}.", by_name[r].questions[0].format(s=s), (o,)))
    return lessons


def webnlg(path: Path, count: int, seed: int) -> list[Lesson]:
    """Sentences of WebNLG's held-out categories that state one fact between names; none was used in training."""
    every = read_rows(path)
    categories = held_out_categories(every, HELD_OUT, 0)
    rows = [row for row in every if len(row["triples"]) == 1 and row["category"] in categories]
    found: dict[tuple[str, str], Lesson] = {}
    for row in random.Random(seed).sample(rows, len(rows)):
        subject, relation, value = row["triples"][0]
        names = {m["entity"]: m["surface"] for m in row["mentions"] if m["type"] == "name"}
        if subject in names and value in names:
            question = f"What is the {words_of(relation)} of {names[subject]}?"
            found.setdefault((subject, relation), Lesson(row["text"], question, (value, names[value])))
    return list(found.values())[:count]


def icews(path: Path, count: int, seed: int) -> list[Lesson]:
    """Events of actors without an event before 1 November, by day; actor and relation once; drawn over all days."""
    every = load_events(path)
    old = {name for event in every if event.day < SINCE for name in (event.subject, event.object)}
    by_pair: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in every:
        if event.subject not in old:
            by_pair[event.subject, event.relation].append(event)
    single = [found[0] for found in by_pair.values() if len({event.object for event in found}) == 1]
    chosen = random.Random(seed).sample(single, min(count, len(single)))
    return [
        Lesson(e.sentence, f"Whom or what did {e.subject} {e.relation}?", (e.object,), e.fact)
        for e in sorted(chosen, key=lambda event: event.day)
    ]


def icews_before(path: Path, count: int, seed: int) -> list[Fact]:
    """A sample of the events before 1 November."""
    past = [event for event in load_events(path) if event.day < SINCE]
    return [event.fact for event in random.Random(seed).sample(past, min(count, len(past)))]
