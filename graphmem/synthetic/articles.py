"""Longer texts to learn reading from: several facts about one thing, in clauses, appositions and lists, with filler.

``TextGenerator`` says one plain thing after another. Real texts put their facts behind commas, before the verb, into relative
clauses, and surround them with words that state nothing; so do these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, TextGenerator, Thing
from graphmem.text.lexicon import Relation
from graphmem.training.phrasing import (
    APPOSITIONS,
    CONTRASTS,
    DEMONYMS,
    FILLERS,
    KINDS_OF_WORK,
    LEADS,
    ROLES,
    TAILS,
    spoken_changes,
    spoken_endings,
    spoken_statements,
)

_PASSIVE = re.compile(r"^\{s\} (?:is|was|were|are) (?!the |an? |not |no |in )(\w+(?:ed|en|rn|nt|ilt|de|ng|et)? .*)$")
_PLACES = frozenset({"city", "country", "region", "river", "mountain", "building", "station"})
_FALSE_STARTS = ("It ", "There ")


def with_spoken(relations: Sequence[Relation]) -> list[Relation]:
    """The same relations with more statements, changes and endings."""
    more = spoken_statements()
    return [_with_more(relation, more.get(relation.relation, ())) for relation in relations]


def _with_more(relation: Relation, statements: Sequence[str]) -> Relation:
    short = len(relation.noun.split()) <= 3
    changes = spoken_changes(relation.relation, relation.noun) if relation.functional and short else ()
    return replace(
        relation, statements=(*relation.statements, *statements), updates=(*relation.updates, *changes),
        ends=(*relation.ends, *(spoken_endings(relation.noun) if short else ())),
    )  # fmt: skip


class ArticleGenerator(TextGenerator):
    """Writes articles: a thing, what is said about it, and words around that."""

    def article(self) -> AnnotatedText:
        """One text of one to five sentences about one thing, and now and then about what it is linked to."""
        rng, made = self.rng, AnnotatedText()
        first = rng.choice(self._relations)
        subject = self.thing(first.subject)
        others = [r for r in self._by_subject[first.subject] if r is not first]
        about = [first, *rng.sample(others, min(len(others), rng.choice((0, 1, 2, 3, 4))))]
        again = False
        while about:
            if again:
                made.write(" ")
            if rng.random() < 0.12:
                self._turn(made, about[0], subject, again)
                taken = 1
            else:
                taken = self._clause_set(made, subject, about, again)
            about, again = about[taken:], True
            if rng.random() < 0.25:
                made.write(" " + rng.choice(FILLERS))
        return made

    def _turn(self, made: AnnotatedText, relation: Relation, subject: Thing, again: bool) -> None:
        """A change, or an end."""
        ended = not relation.updates or self.rng.random() < 0.4
        template = self.rng.choice((relation.ends if ended else relation.updates) or relation.statements)
        over = ended and bool(relation.ends)
        self._say(
            made, template, relation, subject, factuality="ended" if over else "asserted", again=again, timed=True
        )

    def _clause_set(self, made: AnnotatedText, subject: Thing, about: Sequence[Relation], again: bool) -> int:
        """One sentence; returns how many of ``about`` it said."""
        chance, rng = self.rng.random(), self.rng
        leading = [r for r in about if self._predicates(r)]
        if not leading or chance < 0.22:
            self._say(made, rng.choice(about[0].statements), about[0], subject, again=again, timed=True)
            self._chain(made, about[0])
            return 1
        if about[0] is not leading[0]:
            self._say(made, rng.choice(about[0].statements), about[0], subject, again=again)
            return 1
        if chance < 0.36 and self._participles(about[0]):
            return self._fronted(made, subject, about, again)
        if chance < 0.5:
            return self._introduced(made, subject, about, again)
        return self._running(made, subject, about, again)

    def _running(self, made: AnnotatedText, subject: Thing, about: Sequence[Relation], again: bool) -> int:
        """``{s}, an apposition, does this, who does that, and does a third thing.``"""
        rng = self.rng
        made.write(rng.choice((*LEADS, *CONTRASTS)) if rng.random() < 0.25 else "")
        number, said = self._refer(made, subject, again), 0
        pronoun = made.mentions[number].kind == "pronoun"
        if not pronoun and rng.random() < 0.45:
            said += self._apposed(made, number, subject, about)
        rest = about[said : said + rng.choice((1, 1, 2, 2, 3))]
        for place, relation in enumerate(r for r in rest if self._predicates(r)):
            made.write(" " if not place else rng.choice((" and ", ", ", ", and ")))
            self._predicate(made, number, relation, rng.choice(self._predicates(relation)))
            said += 1
        if not said:
            made.write(" is well known")
        made.write((rng.choice(TAILS) if rng.random() < 0.2 else "") + ".")
        return max(1, said)

    def _apposed(self, made: AnnotatedText, number: int, subject: Thing, about: Sequence[Relation]) -> int:
        """Words between commas after the subject: filler, a participle or a relative clause; how many facts it said."""
        chance, relation = self.rng.random(), about[0]
        participles, predicates = self._participles(relation), self._predicates(relation)
        if len(about) > 1 and participles and chance < 0.4:
            made.write(", ")
            self._predicate(made, number, relation, self.rng.choice(participles))
        elif len(about) > 1 and predicates and chance < 0.6:
            made.write(", who " if subject.type == "person" else ", which ")
            self._predicate(made, number, relation, self.rng.choice(predicates))
        elif len(about) > 1 and chance < 0.7 and len(relation.noun.split()) < 4:
            made.write(self.rng.choice((f", whose {relation.noun} is ", f" ({relation.noun}: ")))
            closing = ")" if made.text.endswith(": ") else ","
            made.facts.append(GoldFact(number, relation.relation, made.name(self.thing(relation.object))))
            made.write(closing)
            return 1
        else:
            made.write(f", {self._filler(subject)},")
            return 0
        made.write(",")
        return 1

    def _filler(self, subject: Thing) -> str:
        group = "person" if subject.type == "person" else "place" if subject.type in _PLACES else "thing"
        return self.rng.choice(APPOSITIONS[group].split("|"))

    def _fronted(self, made: AnnotatedText, subject: Thing, about: Sequence[Relation], again: bool) -> int:
        """``Born in {o}, {s} does that.``"""
        rng, ahead = self.rng, about[0]
        template = rng.choice(self._participles(ahead))
        made.write(rng.choice(("", "", "", "Despite being ", "While ")))
        if not made.text.endswith(("being ", "While ")):
            template = template[0].upper() + template[1:]
        before, after = template.split("{o}", 1)
        made.write(before)
        value = made.name(self.thing(ahead.object))
        made.write(f"{after}, ")
        number = self._refer(made, subject, again)
        made.facts.append(GoldFact(number, ahead.relation, value))
        others = [r for r in about[1:2] if self._predicates(r)]
        made.write(" " if others else rng.choice((" is well known", " became famous", " has come a long way")))
        for relation in others:
            self._predicate(made, number, relation, rng.choice(self._predicates(relation)))
        made.write((rng.choice(TAILS) if rng.random() < 0.2 else "") + ".")
        return 1 + len(others)

    def _introduced(self, made: AnnotatedText, subject: Thing, about: Sequence[Relation], again: bool) -> int:
        """``{s} is an American writer, who does that.``, with the nationality as a fact of its own."""
        rng, person = self.rng, subject.type == "person"
        if again or not person and subject.type not in ("film", "book", "song", "album"):
            return self._running(made, subject, about, again)
        number = self._refer(made, subject, again)
        if rng.random() < 0.3 and not made.text.endswith(" "):
            made.write(" (born " if person else " (")
            date = made.name(self.thing("date" if person else "year"))
            made.facts += [GoldFact(number, "date of birth" if person else "release year", date)]
            made.write(")")
        article = rng.choice((" is", " was"))
        demonym = rng.choice(DEMONYMS)
        made.write(f"{article} {'an' if demonym[0] in 'AEIOU' else 'a'} ")
        value = made.name(Thing(0, demonym, "country"))
        made.facts.append(GoldFact(number, "nationality" if person else "country of origin", value))
        made.write(f" {rng.choice(ROLES if person else KINDS_OF_WORK)}")
        predicates = self._predicates(about[0])
        made.write(rng.choice((" who ", " who ", " and ")) if person else " that ")
        self._predicate(made, number, about[0], rng.choice(predicates))
        made.write(".")
        return 1

    def _predicate(self, made: AnnotatedText, number: int, relation: Relation, words: str) -> None:
        """Write a predicate with its object; now and then say something about the object too."""
        before, after = words.split("{o}", 1)
        made.write(before)
        known: list[tuple[int, str]] = []
        known.append((self._object(made, relation, known, many=True), "{o}"))
        made.write(after)
        made.facts += [GoldFact(number, relation.relation, value) for value, _ in known]

    def _chain(self, made: AnnotatedText, relation: Relation) -> None:
        """Go on about the object of the sentence just written: ``... {o}, which lies in {o2}.``"""
        if not made.facts or self.rng.random() > 0.4 or not made.text.endswith("."):
            return
        value = made.mentions[made.facts[-1].object]
        onward = [r for r in self._by_subject.get(relation.object, ()) if self._predicates(r)]
        if (
            value.end != len(made.text) - 1
            or value.kind != "entity"
            or not onward
            or made.facts[-1].factuality != "asserted"
        ):
            return
        made.text = made.text[:-1]
        more, number = self.rng.choice(onward), made.facts[-1].object
        made.write(", who " if relation.object == "person" else ", which ")
        self._predicate(made, number, more, self.rng.choice(self._predicates(more)))
        made.write(".")

    def _predicates(self, relation: Relation) -> list[str]:
        """What can follow the subject: ``was born in {o}``."""
        return [t[4:].rstrip(".") for t in relation.statements if t.startswith("{s} ") and "{s}" not in t[4:]]

    def _participles(self, relation: Relation) -> list[str]:
        """What can stand before the subject: ``born in {o}``."""
        matches = (_PASSIVE.match(t.rstrip(".")) for t in relation.statements)
        return [m[1] for m in matches if m and "{o}" in m[1] and "{s}" not in m[1]]
