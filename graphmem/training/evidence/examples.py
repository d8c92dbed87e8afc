"""Examples of questions with units of evidence, and the variations of names and wordings that use will bring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from graphmem.encoding.evidence_text import LINK, SEPARATOR, EvidenceText, fact_text
from graphmem.synthetic.templates import load
from graphmem.text.name_tagging import Tagger

NO_VERDICT, YES, NO = 0, 1, 2

KEEP = 0.72
"""Share of questions on facts that keep the fact that answers."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of evidence.

    Attributes:
        text: as the encoder reads it.
        spans: of the answer in it, in characters; empty where it holds none.
        relevant: whether it answers the question.
        verdict: what it says to a question that asks for yes or no; an index of ``VERDICTS``.
    """

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    relevant: bool = False
    verdict: int = NO_VERDICT


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its units; ``asks_verdict`` where yes or no answers it."""

    question: str
    units: tuple[Unit, ...]
    source: str
    asks_verdict: bool = False


def answer_unit(evidence: EvidenceText, field: str) -> Unit:
    """A unit whose ``subject``, ``object`` or ``dates`` is the answer; the year alone counts in dates too."""
    start, end = getattr(evidence, field)
    if field != "dates":
        return Unit(evidence.text, ((start, end),), True)
    found = re.finditer(r"(?:\d{1,2} )?(?:[A-Z][a-z]+ )?\d{4}", evidence.text[start:end])
    return Unit(evidence.text, tuple((start + m.start(), start + m.end()) for m in found), True)


def other_unit(fact: Sequence[str], rng: Random) -> Unit:
    return Unit(fact_text(fact[0], fact[1], fact[2], *random_dates(rng)).text)


def random_dates(rng: Random) -> tuple[str | None, str | None]:
    """An interval for a fifth of the facts."""
    if rng.random() > 0.2:
        return None, None
    year = rng.randint(1950, 2022)
    begin = rng.choice(
        (f"{year}", f"{year}-{rng.randint(1, 12):02d}", f"{year}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}")
    )
    return begin, (f"{year + rng.randint(1, 9)}" if rng.random() < 0.3 else None)


def occurrences(text: str, answer: str, start: int = 0) -> tuple[tuple[int, int], ...]:
    """Spans of an answer in a text from ``start`` on, as whole words, without regard to case."""
    if not answer.strip():
        return ()
    pattern = re.compile(rf"(?<!\w){re.escape(answer.strip())}(?!\w)", re.IGNORECASE)
    return tuple(match.span() for match in pattern.finditer(text, start))


def shuffled(example: Example, rng: Random, keep: float = 1.0) -> Example:
    """The example with its units in random order; with chance 1 - ``keep`` without the relevant ones."""
    units = [unit for unit in example.units if not unit.relevant] if rng.random() > keep else list(example.units)
    rng.shuffle(units)
    return replace(example, units=tuple(units or example.units))


def reworded(question: str, rng: Random) -> str:
    """A question as people type it: in lower case, without its mark, or between polite words."""
    chance, frames = rng.random(), load("requests")
    if chance < 0.2:
        question = question.lower()
    if rng.random() < 0.25:
        question = question.rstrip(" ?.")
    if rng.random() < 0.08:
        question = question.replace("'", "")
    if rng.random() < 0.15:
        frame = rng.choice(frames["frames"])
        question = frame.format(question if frame.startswith("{") or ". {" in frame else _lowered(question))
    return question


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def with_part_of_name(question: str, name: str, rng: Random, chance: float = 0.25) -> str:
    """The question with a name's first or last word in its place, as people say "Toby" of Tobias Renn."""
    words = name.split()
    if not 2 <= len(words) <= 3 or not all(word[:1].isupper() for word in words) or rng.random() > chance:
        return question
    return question.replace(name, words[0] if rng.random() < 0.7 else words[-1])


class Strangers:
    """Units of the other kind that answer nothing: facts for questions on passages, passages for questions on facts.

    A fact gets the name of the passage's title, or one in the question, as its subject; a passage often a
    name of the facts as its title. So neither kind is relevant by its form, and a name alone makes nothing relevant.
    """

    def __init__(self, examples: Sequence[Example], tagger: Tagger) -> None:
        rows = [unit.text.split(SEPARATOR) for e in examples for unit in e.units if LINK not in unit.text]
        self.tails = [(row[1], row[2]) for row in rows if len(row) in (3, 4)]
        self.texts = [unit.text for e in examples for unit in e.units if not _is_fact(unit) and len(unit.text) > 120]
        self.tagger = tagger

    def beside(self, example: Example, rng: Random) -> Example:
        """The example with up to three strangers, in half of the cases."""
        if rng.random() < 0.5 or not self.texts or not self.tails:
            return example
        units = list(example.units)
        if any(_is_fact(unit) for unit in units):
            names = [unit.text.split(SEPARATOR)[0] for unit in units if _is_fact(unit)]
            text = rng.choice(self.texts).split(SEPARATOR)[-1][: rng.choice((160, 260))]
            units.append(Unit(f"{rng.choice(names)}{SEPARATOR}{text}" if rng.random() < 0.6 else text))
        else:
            spans = self.tagger([example.question])[0]
            names = [example.question[a:b] for a, b in spans] + [
                u.text.split(SEPARATOR)[0] for u in units if SEPARATOR in u.text
            ]
            for _ in range(rng.randint(1, 3)):
                relation, object = rng.choice(self.tails)
                units.append(Unit(SEPARATOR.join((rng.choice(names or ["it"]), relation, object))))
        rng.shuffle(units)
        return replace(example, units=tuple(units))


def with_wrong_chains(example: Example, rng: Random) -> Example:
    """The example with up to three chains that do not answer it, in two thirds of the questions on single facts.

    From the fact that answers, or would: another name with the same value; a further fact behind it; the asked relation
    at a neighbour of the topic. And now and then another name of the subject, which is no answer either.
    """
    facts = [unit for unit in example.units if _is_fact(unit) and LINK not in unit.text]
    single = sum(unit.relevant for unit in example.units) <= 1 and not any(LINK in unit.text for unit in example.units)
    if not facts or not single or example.asks_verdict or rng.random() > 0.67:
        return example
    rows = [unit.text.split(SEPARATOR)[:3] for unit in facts]
    at = next((k for k, unit in enumerate(facts) if unit.relevant), rng.randrange(len(facts)))
    gold, backward = rows[at], any(end <= len(rows[at][0]) for _, end in facts[at].spans)
    others = [row for row in rows if row is not gold] or [gold]
    beside, join = lambda: rng.choice(others), lambda *parts: LINK.join(SEPARATOR.join(part) for part in parts)
    answer = gold[0] if backward else gold[2]
    made = [join(gold, (answer, beside()[1], beside()[2])), join((beside()[0], beside()[1], answer), gold)]
    if not backward:
        made += [
            join(gold, (beside()[0], gold[1], gold[2])),
            join((gold[0], beside()[1], beside()[2]), (beside()[2], gold[1], beside()[2])),
            join((beside()[0], beside()[1], gold[0]), (beside()[0], gold[1], beside()[2])),
        ]
        made.pop(1)
    texts = rng.sample(made, rng.randint(1, min(3, len(made))))
    if rng.random() < 0.3:
        texts.append(SEPARATOR.join((gold[0], "also known as", gold[0].split()[0])))
    known = {unit.text for unit in example.units}
    units = [*example.units, *(Unit(text) for text in texts if text not in known)]
    rng.shuffle(units)
    return replace(example, units=tuple(units))


def _is_fact(unit: Unit) -> bool:
    """Whether a unit is a fact or a chain, by its separators."""
    return unit.text.split(LINK)[0].count(SEPARATOR) >= 2


def sample(rows: Sequence[Example], count: int, rng: Random) -> list[Example]:
    """Up to ``count`` of the rows."""
    return list(rows) if len(rows) <= count else rng.sample(list(rows), count)
