"""Facts of a world as texts: statements, changes, endings, denials, questions, rumours, and small talk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from graphmem.core.types import Triple
from graphmem.synthetic.annotated_texts import AnnotatedText, SentenceWriter, Thing
from graphmem.synthetic.grammar import leading_time
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation

KINDS: Final = ("statement", "update", "end", "negation", "question", "hearsay", "chatter")
"""What a text is: the first three assert their triples, the next three only name them, ``chatter`` has none."""


@dataclass(frozen=True, slots=True)
class SyntheticText:
    """A short text and the facts that it is about.

    Attributes:
        text: one to several sentences.
        mentions: (start, end, name) of each span that names something; a surname alone bears the full name.
        triples: the facts in question; asserted, changed or ended as ``kind`` says.
        kind: one of ``KINDS``.
    """

    text: str
    mentions: tuple[tuple[int, int, str], ...]
    triples: tuple[Triple, ...]
    kind: str


class Verbalizer(SentenceWriter):
    """Generator of texts about given facts.

    Args:
        type_of: the type of each name.
        triples: the facts.
        relations: the relations of those facts, by name.
        rng: source of all choices.
    """

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

    def statements(self, count: int, facts: tuple[int, int]) -> list[SyntheticText]:
        """Return ``count`` texts that each state between ``facts[0]`` and ``facts[1]`` facts of one subject."""
        rng, found = self.rng, []
        for _ in range(count if self.triples else 0):
            own = self.about[rng.choice(self.triples)[0]]
            found.append(self.state(rng.sample(own, min(len(own), rng.randint(*facts)))))
        return found

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
                template = self._dated(template, 0.25)
            number = self.write_sentence(text, template, relation, subject, again=again, things=things)
        return self._finished(text, triples, "statement")

    def canonical(self, triple: Triple) -> SyntheticText:
        """Return the plainest statement of a fact."""
        return self._single(self.relations[triple[1]].statements[0], triple, "statement")

    def correction(self, triple: Triple) -> SyntheticText:
        """Return a statement of a fact as a correction of what was stated before."""
        return self._single(self.framed_by("corrections", self.relations[triple[1]]) + ".", triple, "statement")

    def change(self, triple: Triple, old: str) -> SyntheticText | None:
        """Return a text in which the object ``old`` gives way to the triple's; None where the relation has no such."""
        templates = self.relations[triple[1]].updates
        template = self._dated(self.rng.choice(templates), 0.35) if templates else ""
        return self._single(template, triple, "update", old) if template else None

    def end(self, triple: Triple) -> SyntheticText | None:
        """Return a text that a fact no longer holds; None where the relation has no template for it."""
        templates = self.relations[triple[1]].ends
        return self._single(self.rng.choice(templates), triple, "end") if templates else None

    def denial_of(self, triple: Triple) -> SyntheticText:
        """Return a text that denies a fact."""
        return self._single(self.denial(self.relations[triple[1]]), triple, "negation")

    def question_about(self, triple: Triple) -> SyntheticText:
        """Return a question about a fact; it has no triples where it names only one of the two things."""
        return self._single(self.question(self.relations[triple[1]]), triple, "question")

    def rumour_of(self, triple: Triple) -> SyntheticText:
        """Return a text that reports a fact as hearsay."""
        return self._single(self.framed_by("rumours", self.relations[triple[1]]), triple, "hearsay")

    def chatter(self) -> SyntheticText:
        """Return small talk that states nothing."""
        text = AnnotatedText()
        names = iter(self.rng.sample(self._subjects, 2) if len(self._subjects) > 1 else self._subjects * 2)
        self.write_names(text, self.rng.choice(load("small_talk")["texts"]), lambda: self._things[next(names)])
        return self._finished(text, (), "chatter")

    # ---------------------------------------------------------------- parts

    def _dated(self, template: str, share: float) -> str:
        """Return the template with a phrase of time before it, in a ``share`` of those that begin with the subject."""
        if template.startswith("{s} ") and self.rng.random() < share:
            return leading_time(self.rng, template[3:]) + template
        return template

    def _single(self, template: str, triple: Triple, kind: str, old: str | None = None) -> SyntheticText:
        text, (subject, relation, object) = AnnotatedText(), triple
        things = {"{o}": self._things[object]} | ({"{old}": self._things[old]} if old else {})
        self.write_sentence(text, template, self.relations[relation], self._things[subject], things=things)
        return self._finished(text, () if kind == "question" and not text.facts else (triple,), kind)

    def _finished(self, text: AnnotatedText, triples: Iterable[Triple], kind: str) -> SyntheticText:
        mentions = tuple((m.start, m.end, self._names[m.entity]) for m in text.mentions if m.kind != "pronoun")
        return SyntheticText(text.text, mentions, tuple(triples), kind)
