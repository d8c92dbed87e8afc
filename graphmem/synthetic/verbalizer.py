"""Facts of a world as texts: statements, changes, endings, denials, questions, rumours, and small talk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from graphmem.core.types import Triple
from graphmem.synthetic.annotated_texts import AnnotatedText, SentenceWriter, Thing
from graphmem.synthetic.templates import leading_time, load
from graphmem.text.lexicon import Relation

KINDS: Final = ("statement", "update", "end", "negation", "question", "hearsay", "chatter")
"""What a text is: the first three assert their triples, the next three only name them, ``chatter`` has none."""


@dataclass(frozen=True, slots=True)
class SyntheticText:
    """A text of one to several sentences, and the facts that it is about.

    Attributes:
        mentions: (start, end, name) of each name; a surname alone bears the full name.
        triples: asserted, changed or ended as ``kind`` says.
        kind: one of ``KINDS``.
    """

    text: str
    mentions: tuple[tuple[int, int, str], ...]
    triples: tuple[Triple, ...]
    kind: str


class Verbalizer(SentenceWriter):
    """Generator of texts about given facts, from the type of each name and the facts' relations by name."""

    short_forms = (-1,)
    descriptions = False

    def __init__(
        self, type_of: Mapping[str, str], triples: Sequence[Triple], relations: Mapping[str, Relation], rng: Random
    ) -> None:
        super().__init__(rng)
        self.relations, self.triples = relations, list(triples)
        self._names = list(type_of)
        self._things = {name: Thing(number, name, type) for number, (name, type) in enumerate(type_of.items())}
        self.about: dict[str, list[Triple]] = defaultdict(list)
        for triple in triples:
            self.about[triple[0]].append(triple)
        self._subjects = list(self.about)
        self._members: dict[str, list[str]] = defaultdict(list)
        for name, type in type_of.items():
            self._members[type].append(name)

    def other_object(self, triple: Triple) -> str | None:
        """Return another name of the object's type that the fact could have had, or None."""
        subject, relation, object = triple
        pool = self._members[self._things[object].type]
        taken = {o for s, r, o in self.about[subject] if r == relation}
        drawn = (self.rng.choice(pool) for _ in range(8))
        return next((name for name in drawn if name != subject and name not in taken), None)

    def state(self, triples: Sequence[Triple]) -> SyntheticText:
        """Return a text that states facts, those of one subject joined and the subject shortened."""
        text, previous, number = AnnotatedText(), "", -1
        for triple in triples:
            relation, subject, again = self.relations[triple[1]], self._things[triple[0]], triple[0] == previous
            things, previous = {"{o}": self._things[triple[2]]}, triple[0]
            if again and self.rng.random() < 0.3:
                self.join(text, relation, subject, number, things)
                continue
            text.write(" " if text.text else "")
            template = self.rng.choice(relation.statements)
            if self._things[triple[2]].kind == "entity" and not any(c.isdigit() for c in template):
                template = self.dated(template, 0.25)
            number = self.write_sentence(text, template, relation, subject, again=again, things=things)
        return self._finished(text, triples, "statement")

    def single(self, template: str, triple: Triple, kind: str, old: str | None = None) -> SyntheticText:
        """Return a filled template about one fact, with ``old`` for the object that it replaces.

        A question has no triples where it names only one of the two things.
        """
        text, (subject, relation, object) = AnnotatedText(), triple
        things = {"{o}": self._things[object]} | ({"{old}": self._things[old]} if old else {})
        self.write_sentence(text, template, self.relations[relation], self._things[subject], things=things)
        return self._finished(text, () if kind == "question" and not text.facts else (triple,), kind)

    def chatter(self) -> SyntheticText:
        """Return small talk that states nothing."""
        text = AnnotatedText()
        names = iter(self.rng.sample(self._subjects, 2) if len(self._subjects) > 1 else self._subjects * 2)
        self.write_names(text, self.rng.choice(load("small_talk")["texts"]), lambda: self._things[next(names)])
        return self._finished(text, (), "chatter")

    def dated(self, template: str, share: float) -> str:
        """Return the template with a phrase of time before it, in a ``share`` of those that begin with the subject."""
        if template.startswith("{s} ") and self.rng.random() < share:
            return leading_time(self.rng, template[3:]) + template
        return template

    def _finished(self, text: AnnotatedText, triples: Iterable[Triple], kind: str) -> SyntheticText:
        mentions = tuple((m.start, m.end, self._names[m.entity]) for m in text.mentions if m.kind != "pronoun")
        return SyntheticText(text.text, mentions, tuple(triples), kind)
