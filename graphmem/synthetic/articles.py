"""Longer annotated texts: several facts about one thing, in clauses, appositions and lists, with filler around them.

``TextGenerator`` writes one plain sentence after another. Here facts also stand behind commas, before the verb and in
relative clauses, between words that state nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, Thing, predicates
from graphmem.synthetic.templates import load
from graphmem.synthetic.text_generator import TextGenerator
from graphmem.text.lexicon import Relation

_PASSIVE = re.compile(r"^\{s\} (?:is|was|were|are) (?!the |an? |not |no |in )(\w+(?:ed|en|rn|nt|ilt|de|ng|et)? .*)$")
_PLACES = frozenset({"city", "country", "region", "river", "mountain", "building", "station"})
_WORKS = frozenset({"film", "book", "song", "album"})


class ArticleGenerator(TextGenerator):
    """Generator of articles: sentences about one thing and, now and then, about what it is linked to."""

    def example(self) -> AnnotatedText:
        """Return one text of one to five sentences."""
        rng, text = self.rng, AnnotatedText()
        first = rng.choice(self.relations)
        subject = self.thing(first.subject)
        others = [r for r in self.by_subject[first.subject] if r is not first]
        about = [first, *rng.sample(others, min(len(others), rng.choice((0, 1, 2, 3, 4))))]
        again = False
        while about:
            text.write(" " if again else "")
            if rng.random() < 0.12:
                ended = not about[0].updates or rng.random() < 0.4
                self.write_change(text, about[0], subject, ended=ended, again=again)
                stated = 1
            else:
                stated = self._clauses(text, subject, about, again)
            about, again = about[stated:], True
            if rng.random() < 0.25:
                text.write(" " + rng.choice(load("frames")["fillers"]))
        return text

    def _clauses(self, text: AnnotatedText, subject: Thing, about: Sequence[Relation], again: bool) -> int:
        """Append a sentence; return how many of the relations ``about`` it states."""
        rng, chance, relation = self.rng, self.rng.random(), about[0]
        if chance < 0.22 or not predicates(relation):
            self.write_sentence(text, self.dated(rng.choice(relation.statements)), relation, subject, again=again)
            self._chain(text, relation)
            return 1
        if chance < 0.36 and _participles(relation):
            return self._fronted(text, subject, about, again)
        if chance < 0.5 and not again and (subject.type == "person" or subject.type in _WORKS):
            return self._introduced(text, subject, relation)
        return self._running(text, subject, about, again)

    def _running(self, text: AnnotatedText, subject: Thing, about: Sequence[Relation], again: bool) -> int:
        """``{s}, an apposition, does this, does that, and does a third thing.``"""
        rng, frames = self.rng, load("frames")
        text.write(rng.choice((*frames["leads"], *frames["contrasts"])) if rng.random() < 0.25 else "")
        number, stated = self.refer(text, subject, again)[0], 0
        if text.mentions[number].kind != "pronoun" and rng.random() < 0.45:
            stated += self._apposed(text, number, subject, about)
        rest = about[stated : stated + rng.choice((1, 1, 2, 2, 3))]
        for place, relation in enumerate(r for r in rest if predicates(r)):
            text.write(" " if not place else rng.choice((" and ", ", ", ", and ")))
            self.write_predicate(text, number, relation, rng.choice(predicates(relation)))
            stated += 1
        text.write("" if stated else " is well known")
        self._close(text)
        return max(1, stated)

    def _apposed(self, text: AnnotatedText, number: int, subject: Thing, about: Sequence[Relation]) -> int:
        """Append a participle, a relative clause or filler between commas; return how many facts that states."""
        rng, chance, relation = self.rng, self.rng.random(), about[0]
        if len(about) > 1 and _participles(relation) and chance < 0.4:
            text.write(", ")
            self.write_predicate(text, number, relation, rng.choice(_participles(relation)))
        elif len(about) > 1 and predicates(relation) and chance < 0.6:
            text.write(", who " if subject.type == "person" else ", which ")
            self.write_predicate(text, number, relation, rng.choice(predicates(relation)))
        elif len(about) > 1 and chance < 0.7 and len(relation.noun.split()) < 4:
            words = rng.choice((f", whose {relation.noun} is {{o}}", f" ({relation.noun}: {{o}})"))
            self.write_predicate(text, number, relation, words)
            text.write("" if words.endswith(")") else ",")
            return 1
        else:
            group = "person" if subject.type == "person" else "place" if subject.type in _PLACES else "thing"
            text.write(f", {rng.choice(load('frames')['appositions'][group])},")
            return 0
        text.write(",")
        return 1

    def _fronted(self, text: AnnotatedText, subject: Thing, about: Sequence[Relation], again: bool) -> int:
        """``Born in {o}, {s} does that.``"""
        rng, ahead = self.rng, about[0]
        before, after = rng.choice(_participles(ahead)).split("{o}", 1)
        text.write(rng.choice(("", "", "", "Despite being ", "While ")))
        text.write(before)
        value = text.name(self.thing(ahead.object))
        text.write(f"{after}, ")
        number = self.refer(text, subject, again)[0]
        text.facts.append(GoldFact(number, ahead.relation, value))
        others = [r for r in about[1:2] if predicates(r)]
        text.write(" " if others else rng.choice((" is well known", " became famous", " has come a long way")))
        for relation in others:
            self.write_predicate(text, number, relation, rng.choice(predicates(relation)))
        self._close(text)
        return 1 + len(others)

    def _introduced(self, text: AnnotatedText, subject: Thing, relation: Relation) -> int:
        """``{s} is an American writer, who does that.``, with the nationality as a fact of its own."""
        rng, person, words = self.rng, subject.type == "person", load("profiles")
        number = text.name(subject)
        if rng.random() < 0.3:
            text.write(" (born " if person else " (")
            date = text.name(self.thing("date" if person else "year"))
            text.facts.append(GoldFact(number, "date of birth" if person else "release year", date))
            text.write(")")
        text.write(rng.choice((" is a ", " was a ")))
        demonym = text.name(Thing(0, rng.choice(words["demonyms"]), "country"))
        text.facts.append(GoldFact(number, "nationality" if person else "country of origin", demonym))
        text.write(f" {rng.choice(words['roles' if person else 'works'])}")
        text.write(rng.choice((" who ", " who ", " and ")) if person else " that ")
        self.write_predicate(text, number, relation, rng.choice(predicates(relation)) + ".")
        return 1

    def _close(self, text: AnnotatedText) -> None:
        text.write((self.rng.choice(load("frames")["tails"]) if self.rng.random() < 0.2 else "") + ".")

    def _chain(self, text: AnnotatedText, relation: Relation) -> None:
        """Go on about the object of the last sentence, now and then: ``... {o}, which lies in {o2}.``"""
        if not text.facts or self.rng.random() > 0.4 or not text.text.endswith("."):
            return
        number = text.facts[-1].object
        value = text.mentions[number]
        further = [r for r in self.by_subject.get(relation.object, ()) if predicates(r)]
        if value.end != len(text.text) - 1 or value.kind != "entity" or not further:
            return
        text.text = text.text[:-1]
        more = self.rng.choice(further)
        text.write(", who " if relation.object == "person" else ", which ")
        self.write_predicate(text, number, more, self.rng.choice(predicates(more)) + ".")


def _participles(relation: Relation) -> list[str]:
    """Return what can stand before the subject: ``born in {o}``."""
    matches = (_PASSIVE.match(t.rstrip(".")) for t in relation.statements)
    return [m[1] for m in matches if m and "{o}" in m[1] and "{s}" not in m[1]]
