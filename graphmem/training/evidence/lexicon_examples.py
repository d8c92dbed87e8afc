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
            yield _lexicon_example(relation, by_subject[relation.subject], maker, rng)


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


def _lexicon_example(relation: Relation, siblings: Sequence[Relation], names: _Names, rng: Random) -> Example:
    forms = load("requests")
    name = lambda r: rng.choice((r.relation, r.relation, r.noun, *r.paraphrases))
    s, o, r = names.one(relation.subject), names.one(relation.object), name(relation)
    year = rng.randint(1960, 2020)
    begin, middle = str(year), str(year + rng.randint(1, 12))
    old = names.one(relation.object, o)
    beside = [(s, name(other), names.one(other.object)) for other in rng.sample(list(siblings), min(3, len(siblings)))
              if other is not relation]  # fmt: skip
    beside += [(names.one(relation.subject, s), r, names.one(relation.object, o)) for _ in range(2)]
    others = [other_unit(fact, rng) for fact in beside]
    beside_facts = [other for other in rng.sample(list(siblings), min(3, len(siblings))) if other is not relation]
    if beside_facts and rng.random() < 0.4:  # a text about the subject that says other things
        text = " ".join(fill(rng.choice(t.statements), {"s": s, "o": names.one(t.object)}) for t in beside_facts)
        others.append(Unit(passage_text(rng.choice(("", s, "Notes")), text).text))
    chance, noun = rng.random(), relation.noun
    if chance < 0.22:  # who or what has it: the subject is wanted
        question = fill(rng.choice(relation.inverse_questions), {"o": o})
        gold = answer_unit(fact_text(s, r, o, *random_dates(rng)), "subject")
        if relation.subject == relation.object:
            others.append(Unit(fact_text(o, r, names.one(relation.object, o)).text))
        question = with_part_of_name(question, o, rng)
    elif chance < 0.36:  # dates
        key = rng.choice(("since", "until"))
        question = rng.choice(forms[key]).format(s=s, o=o, r=noun)
        span = (middle, None) if key == "since" else (begin, middle)
        unit = fact_text(s, r, o, *span)
        gold = answer_unit(unit, "dates")
        if key == "until":  # the later year alone
            gold = Unit(unit.text, tuple(span for span in gold.spans if unit.text[span[0] : span[1]] == middle), True)
        others.append(Unit(fact_text(s, r, old, *((begin, middle) if key == "since" else (middle, None))).text))
        question = with_part_of_name(question, s, rng)
    elif chance < 0.54:  # yes or no
        no = rng.random() < 0.5
        asked = names.one(relation.object, o) if no else o
        if rng.random() < 0.5:
            claim = fill(rng.choice(relation.statements), {"s": s, "o": asked}).rstrip(".")
            question = rng.choice(forms["claim"]).format(claim)
        else:
            question = rng.choice(forms["verdict"]).format(s=s, o=asked, r=noun)
        says = (NO if relation.functional else 0) if no else YES
        gold = Unit(fact_text(s, r, o).text, (), says > 0, says)
        question = with_part_of_name(question, s, rng)
        return shuffled(Example(reworded(question, rng), (gold, *others), "lexicon", True), rng, 0.85)
    else:
        question = fill(rng.choice(relation.questions), {"s": s})
        if rng.random() < 0.12:  # asked by the owner of the memory, whose name is not said
            question = rng.choice(forms["ours"]).format(r=noun)
            others = [unit for unit in others if unit.text.split(SEPARATOR)[1:2] != [relation_words(r)]]
        dated: tuple[str | None, str | None] = (None, None)
        if relation.functional and rng.random() < 0.35:  # the value then, or now
            past = rng.random() < 0.4
            then, now = (begin, middle), (middle, None)
            gold_dates, other_dates = (then, now) if past else (now, then)
            inside = str(rng.randint(year, int(middle) - 1)) if past else ""
            frames = ["{q}"] * 2 + forms["now"] if not past else forms["at"] + forms["before"] * (rng.random() < 0.4)
            frame = rng.choice(frames)
            question = frame.format(q=question, y=inside, o=old)
            dated = gold_dates
            others.append(Unit(fact_text(s, r, old, *other_dates).text))
        gold = answer_unit(fact_text(s, r, o, *dated), "object")
        if dated == (None, None) and rng.random() < 0.2:  # the same fact in a text
            sentence = fill(rng.choice(relation.statements), {"s": s, "o": o})
            more = [fill(rng.choice(t.statements), {"s": s, "o": names.one(t.object)}) for t in beside_facts]
            text = passage_text(
                rng.choice(("", s, "Notes")), " ".join(rng.sample([sentence, *more], len(more) + 1))
            ).text
            gold = Unit(text, occurrences(text, o), True)
        question = with_part_of_name(question, s, rng)
    return shuffled(Example(reworded(question, rng), (gold, *others), "lexicon"), rng, KEEP)
