"""Annotated texts of random facts, to train the extractor.

Facts combine the lexicon's relations with invented or real names; they need not be true, so that only the text states
them. Questions, denials, hearsay and small talk are among the sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from graphmem.core.splits import Split, data_split
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, SentenceWriter, Thing
from graphmem.synthetic.names import KINDS, NameGenerator
from graphmem.synthetic.templates import PERSONS, capitalise, load, split_slots
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import LITERAL_TYPES

_TRIES = 30


class TextGenerator(SentenceWriter):
    """Generator of annotated texts of one to five sentences.

    ``relations``: training relations only for a zero-shot evaluation. ``real``: real names to mix in, by type;
    those under "" may stand for anything. ``split``: which names may be used, see ``data_split``.
    """

    def __init__(
        self, relations: Sequence[Relation], real: Mapping[str, Sequence[str]], rng: Random, split: Split = "train"
    ) -> None:
        super().__init__(rng)
        self.split = split
        self.relations = list(relations)
        self.by_name = {relation.relation: relation for relation in self.relations}
        self.by_subject: dict[str, list[Relation]] = {}
        for relation in self.relations:
            self.by_subject.setdefault(relation.subject, []).append(relation)
        self.real = {type: [name for name in names if data_split(name) == split] for type, names in real.items()}
        self._summaries = [s for s in load("frames")["summaries"] if _relations_of(s) <= set(self.by_name)]
        self._count = 0

    def example(self) -> AnnotatedText:
        """Return one text."""
        rng, text = self.rng, AnnotatedText()
        for number in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
            text.write(rng.choice((" ", " ", " ", "\n")) if number else "")
            self._sentence(text)
        if rng.random() < 0.05 and len(text.text.lower()) == len(text.text):
            text.text = text.text.lower()
        elif rng.random() < 0.06:
            text.text = text.text.rstrip(".")
        return text

    def thing(self, type: str) -> Thing:
        """Return a new thing: a literal, or an entity with an invented name, a real one, or one in another script."""
        self._count += 1
        if type in LITERAL_TYPES:
            return Thing(self._count, self._literal(type), type)
        for _ in range(_TRIES):
            name = self._name(type)
            if data_split(name) == self.split:
                break
        return Thing(self._count, name, type)

    def _name(self, type: str) -> str:
        chance = self.rng.random()
        typed, any_type = self.real.get(type), self.real.get("")
        if typed and (chance < 0.45 or type not in KINDS):
            return self.rng.choice(typed)
        if any_type and (chance < 0.58 or type not in KINDS):
            return self.rng.choice(any_type)
        if chance < 0.63:
            return self._foreign()
        # a new generator each time, since a closed list of real words would run out of new ones
        name = (NameGenerator(self.rng).names(type if type in KINDS else "person", 1) or [self._foreign()])[0]
        return name.lower() if chance > 0.97 and type not in PERSONS else name

    def _literal(self, type: str) -> str:
        rng = self.rng
        if type == "number":
            sizes = (str(rng.randint(1, 99)), f"{rng.randint(100, 9_999_999):,}", f"{rng.uniform(0.1, 999):.1f}")
            value = rng.choice(sizes)
            return rng.choice(load("names")["quantities"]).replace("{n}", value) if rng.random() < 0.35 else value
        return str(rng.randint(1500, 2035)) if type == "year" else NameGenerator(rng).names("date", 1)[0]

    def _foreign(self) -> str:
        separator, words = self.rng.choice(load("names")["scripts"])
        return separator.join(self.rng.sample(words, self.rng.choice((1, 2))))

    def write_objects(self, text: AnnotatedText, relation: Relation, thing: Thing | None, many: bool) -> list[int]:
        """Append an object, common nouns mostly with an article; now and then a list of two or three."""
        rng = self.rng
        thing = thing or self.thing(relation.object)
        determined = text.text.lower().endswith(("the ", "a ", "an "))
        if thing.kind == "entity" and thing.name[:1].islower() and not determined and rng.random() < 0.6:
            text.write(rng.choice(("the ", "the ", "a ")))
        numbers = [text.name(thing)]
        if many and not relation.functional and rng.random() < 0.2:
            for separator in rng.choice(((" and ",), (", ", " and "))):
                text.write(separator)
                numbers.append(text.name(self.thing(relation.object)))
        return numbers

    def _sentence(self, text: AnnotatedText) -> None:
        chance = self.rng.random()
        if chance < 0.12 and self._summaries:
            self._summary(text)
        elif chance < 0.70:
            self._statements(text)
        elif chance < 0.83:
            self.write_change(text, ended=chance > 0.78)
        elif chance < 0.95:
            self._unasserted(text, negated=chance < 0.88)
        else:
            names = load("small_talk")["texts" if self.rng.random() < 0.8 else "commands"]
            kinds = ("person", "city", "company", "film")
            self.write_names(text, self.rng.choice(names), lambda: self.thing(self.rng.choice(kinds)))

    def _statements(self, text: AnnotatedText) -> None:
        """One to three facts about one subject, in a sentence or several."""
        rng, relation = self.rng, self.rng.choice(self.relations)
        subject = self.thing(relation.subject)
        count = rng.choice((1, 1, 1, 2, 2, 3))
        if rng.random() < 0.15:
            text.write(rng.choice(load("frames")["openers"]))
        template = rng.choice(relation.statements)
        if rng.random() < 0.25 and len(relation.noun.split()) <= 4:
            template = rng.choice(load("frames")["noun_statements"]).replace("{n}", relation.noun)
        number = self.write_sentence(text, self.dated(template), relation, subject)
        others = [r for r in self.by_subject.get(relation.subject, ()) if r is not relation]
        for more in rng.sample(others, min(count - 1, len(others))):
            if rng.random() < 0.35:
                self.join(text, more, subject, number)
            else:
                text.write(" ")
                self.write_sentence(text, self.dated(self.leading(more)), more, subject, again=True)

    def _summary(self, text: AnnotatedText) -> None:
        """A sentence with several facts about its subject, each slot named by its relation."""
        template = self.rng.choice(self._summaries)
        subject = self.thing(self.by_name[min(_relations_of(template))].subject)
        first, objects = 0, []
        for piece in split_slots(template):
            slot = piece.strip("{}")
            if piece == "{s}":
                first = text.name(subject)
            elif piece == "{year}":
                text.name(Thing(0, self._literal("year"), "year"))
            elif piece[0] == "{":
                objects.append((slot, text.name(self.thing(self.by_name[slot].object))))
            else:
                text.write(piece)
        text.facts += [GoldFact(first, relation, number) for relation, number in objects]

    def dated(self, template: str) -> str:
        """Return the template, now and then with a time ``{t}`` before or after it."""
        rng, frames = self.rng, load("frames")
        if rng.random() >= 0.14:
            return template
        if rng.random() < 0.5 and template.startswith("{s}"):
            return rng.choice(frames["leading_times"]) + template
        return template[:-1] + rng.choice(frames["trailing_times"]) + "." if template.endswith(".") else template

    def write_change(
        self, text: AnnotatedText, relation: Relation | None = None, subject: Thing | None = None, *,
        ended: bool, again: bool = False,
    ) -> None:  # fmt: skip
        """Append a fact that has changed, or one that has ended, of a relation that has templates for it."""
        rng = self.rng
        fitting = [r for r in self.relations if (r.ends if ended else r.updates)]
        relation = relation or rng.choice(fitting or self.relations)
        template = rng.choice((relation.ends if ended else relation.updates) or relation.statements)
        self.write_sentence(
            text, self.dated(template), relation, subject or self.thing(relation.subject),
            factuality="ended" if ended and relation.ends else "asserted", again=again,
        )  # fmt: skip

    def _unasserted(self, text: AnnotatedText, *, negated: bool) -> None:
        """A denial, or a question, a doubt or hearsay."""
        rng, relation = self.rng, self.rng.choice(self.relations)
        if negated:
            template = self.denial(relation)
        elif rng.random() < 0.5:
            template = self.question(relation)
        else:
            template = self.framed_by(rng.choice(("doubts", "rumours", "rumours")), relation)
        factuality = "negated" if negated else "uncertain"
        self.write_sentence(text, template, relation, self.thing(relation.subject), factuality=factuality)


class SmallTalkGenerator(TextGenerator):
    """Generator of texts that state nothing (small talk, names only mentioned), alone or around texts that do."""

    def example(self) -> AnnotatedText:
        """Return a text of one to four sentences; in one of three, one sentence is replaced by a text with facts."""
        rng, text = self.rng, AnnotatedText()
        count = rng.choice((1, 1, 2, 2, 3, 4))
        place = rng.randrange(count) if rng.random() < 0.33 else -1
        repeated = rng.random() < 0.15
        for number in range(count):
            text.write(" " if number else "")
            if number == place:
                text.append(super().example())
                text.write("." if text.text[-1:].isalnum() else "")
            elif repeated and number and not text.facts and not text.mentions:
                text.write(text.text.strip())
            else:
                self._idle_sentence(text)
        return text

    def _idle_sentence(self, text: AnnotatedText) -> None:
        """A question or a clause, perhaps with a time and a second clause, without any fact."""
        rng, words, chance, start = self.rng, load("small_talk"), self.rng.random(), len(text.text)
        clause = lambda: f"{rng.choice(words['subjects'])} {rng.choice(words['predicates'])}"
        if chance < 0.12:
            text.write(rng.choice(words["questions"]).replace("{x}", clause()) + "?")
            return
        if chance < 0.4:
            text.write(rng.choice(words["scenes"]))
        elif chance < 0.58:
            text.write(clause())
        else:
            template = rng.choice(words["one_name" if chance < 0.78 else "two_names"])
            self.write_names(text, template, lambda: self.thing(rng.choice(words["types"])))
        if rng.random() < 0.5:
            text.write(f" {rng.choice(words['times'])}")
        if rng.random() < 0.45:
            text.write(f" {rng.choice(words['conjunctions'])} {clause()}")
        text.write(rng.choice((".", ".", ".", ".", "!", " ...")))
        text.text = text.text[:start] + capitalise(text.text[start:])


def _relations_of(summary: str) -> set[str]:
    return {piece[1:-1] for piece in split_slots(summary) if piece[0] == "{"} - {"s", "year"}
