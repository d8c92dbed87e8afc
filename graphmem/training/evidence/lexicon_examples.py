"""Examples from the relation lexicon over invented names: both directions, past values, dates, yes and no."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from graphmem.encoding.evidence_text import SEPARATOR, fact_text, passage_text, relation_words
from graphmem.synthetic.names import CLOSED, KINDS, NameGenerator
from graphmem.synthetic.templates import fill, load
from graphmem.text.lexicon import Relation, load_lexicon
from graphmem.training.evidence.examples import (
    KEEP,
    NO,
    YES,
    Example,
    Unit,
    answer_unit,
    occurrences,
    other_unit,
    random_dates,
    reworded,
    shuffled,
    with_part_of_name,
)


def lexicon(rng: Random, each: int = 20) -> Iterator[Example]:
    """Questions of the relation lexicon over invented names: both directions, past values, dates, yes and no."""
    relations = [r for r in load_lexicon() if r.subject in KINDS and r.object in KINDS]
    by_subject: dict[str, list[Relation]] = defaultdict(list)
    for relation in relations:
        by_subject[relation.subject].append(relation)
    maker = _Names(rng)
    for relation in relations:
        for _ in range(each):
            yield _Question(relation, by_subject[relation.subject], maker, rng).example()


class _Names:
    """Pools of invented names by type."""

    def __init__(self, rng: Random, size: int = 400) -> None:
        made = NameGenerator(rng)
        self.pools = {kind: list(CLOSED[kind]) if kind in CLOSED else made.names(kind, size) for kind in sorted(KINDS)}
        self.rng = rng

    def one(self, kind: str, but: str = "") -> str:
        """A name of a type, another than ``but``."""
        found = self.rng.choice(self.pools[kind])
        return found if found != but else self.one(kind, but) if len(self.pools[kind]) > 1 else found


class _Question:
    """One relation of one subject, and what is needed to ask about it.

    Attributes:
        s, o, r: subject, object and relation of the fact that answers.
        old: another object, which the relation has had.
        begin, middle: years in which the old object's and the present one's time begins.
        beside: other relations of the subject.
        others: units that do not answer; the question adds to them.
    """

    def __init__(self, relation: Relation, siblings: Sequence[Relation], names: _Names, rng: Random) -> None:
        self.relation, self.names, self.rng, self.forms = relation, names, rng, load("requests")
        named = lambda r: rng.choice((r.relation, r.relation, r.noun, *r.paraphrases))
        self.s, self.o, self.r = names.one(relation.subject), names.one(relation.object), named(relation)
        self.year = rng.randint(1960, 2020)
        self.begin, self.middle = str(self.year), str(self.year + rng.randint(1, 12))
        self.old = names.one(relation.object, self.o)
        drawn = lambda: [one for one in rng.sample(list(siblings), min(3, len(siblings))) if one is not relation]
        facts = [(self.s, named(other), names.one(other.object)) for other in drawn()]
        facts += [(names.one(relation.subject, self.s), self.r, names.one(relation.object, self.o)) for _ in range(2)]
        self.others = [other_unit(fact, rng) for fact in facts]
        self.beside = drawn()
        if self.beside and rng.random() < 0.4:  # a text about the subject that says other things
            text = " ".join(self._other_statements())
            self.others.append(Unit(passage_text(rng.choice(("", self.s, "Notes")), text).text))

    def example(self) -> Example:
        """The question with the units, in any order."""
        chance = self.rng.random()
        if 0.36 <= chance < 0.54:
            question, gold = self._verdict()
            return shuffled(
                Example(reworded(question, self.rng), (gold, *self.others), "lexicon", True), self.rng, 0.85
            )
        question, gold = self._inverse() if chance < 0.22 else self._dates() if chance < 0.36 else self._lookup()
        return shuffled(Example(reworded(question, self.rng), (gold, *self.others), "lexicon"), self.rng, KEEP)

    def _other_statements(self) -> list[str]:
        """Statements of the other relations of the subject."""
        return [fill(self.rng.choice(t.statements), {"s": self.s, "o": self.names.one(t.object)}) for t in self.beside]

    def _inverse(self) -> tuple[str, Unit]:
        """Who or what has the object: the subject is wanted."""
        rng, relation, o = self.rng, self.relation, self.o
        question = fill(rng.choice(relation.inverse_questions), {"o": o})
        gold = answer_unit(fact_text(self.s, self.r, o, *random_dates(rng)), "subject")
        if relation.subject == relation.object:
            self.others.append(Unit(fact_text(o, self.r, self.names.one(relation.object, o)).text))
        return with_part_of_name(question, o, rng), gold

    def _dates(self) -> tuple[str, Unit]:
        """Since or until when the fact holds."""
        rng, begin, middle = self.rng, self.begin, self.middle
        key = rng.choice(("since", "until"))
        question = rng.choice(self.forms[key]).format(s=self.s, o=self.o, r=self.relation.noun)
        unit = fact_text(self.s, self.r, self.o, *((middle, None) if key == "since" else (begin, middle)))
        gold = answer_unit(unit, "dates")
        if key == "until":  # the later year alone
            gold = Unit(unit.text, tuple(span for span in gold.spans if unit.text[span[0] : span[1]] == middle), True)
        former = (begin, middle) if key == "since" else (middle, None)
        self.others.append(Unit(fact_text(self.s, self.r, self.old, *former).text))
        return with_part_of_name(question, self.s, rng), gold

    def _verdict(self) -> tuple[str, Unit]:
        """Whether the fact, or one with another object, holds."""
        rng, relation, o = self.rng, self.relation, self.o
        no = rng.random() < 0.5
        asked = self.names.one(relation.object, o) if no else o
        if rng.random() < 0.5:
            claim = fill(rng.choice(relation.statements), {"s": self.s, "o": asked}).rstrip(".")
            question = rng.choice(self.forms["claim"]).format(claim)
        else:
            question = rng.choice(self.forms["verdict"]).format(s=self.s, o=asked, r=relation.noun)
        says = (NO if relation.functional else 0) if no else YES
        gold = Unit(fact_text(self.s, self.r, o).text, (), says > 0, says)
        return with_part_of_name(question, self.s, rng), gold

    def _lookup(self) -> tuple[str, Unit]:
        """The object, now or then; the fact stands alone or in a text."""
        rng, relation, s, o = self.rng, self.relation, self.s, self.o
        question = fill(rng.choice(relation.questions), {"s": s})
        if rng.random() < 0.12:  # asked by the owner of the memory, whose name is not said
            question = rng.choice(self.forms["ours"]).format(r=relation.noun)
            self.others = [unit for unit in self.others if unit.text.split(SEPARATOR)[1:2] != [relation_words(self.r)]]
        dated: tuple[str | None, str | None] = (None, None)
        if relation.functional and rng.random() < 0.35:
            question, dated = self._at_a_time(question)
        gold = answer_unit(fact_text(s, self.r, o, *dated), "object")
        if dated == (None, None) and rng.random() < 0.2:  # the same fact in a text
            sentence = fill(rng.choice(relation.statements), {"s": s, "o": o})
            more = self._other_statements()
            title = rng.choice(("", s, "Notes"))
            text = passage_text(title, " ".join(rng.sample([sentence, *more], len(more) + 1))).text
            gold = Unit(text, occurrences(text, o), True)
        return with_part_of_name(question, s, rng), gold

    def _at_a_time(self, question: str) -> tuple[str, tuple[str | None, str | None]]:
        """The question about the value then, or now, and the dates of the fact that answers it."""
        rng, forms = self.rng, self.forms
        past = rng.random() < 0.4
        then, now = (self.begin, self.middle), (self.middle, None)
        right, other = (then, now) if past else (now, then)
        inside = str(rng.randint(self.year, int(self.middle) - 1)) if past else ""
        frames = ["{q}"] * 2 + forms["now"] if not past else forms["at"] + forms["before"] * (rng.random() < 0.4)
        question = rng.choice(frames).format(q=question, y=inside, o=self.old)
        self.others.append(Unit(fact_text(self.s, self.r, self.old, *other).text))
        return question, right
