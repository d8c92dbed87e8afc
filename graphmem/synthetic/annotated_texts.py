"""Texts to learn reading from: random facts said in random ways, with every mention and fact marked.

Facts are made of the lexicon's relations and of invented or real names; they need not be true, so a reader can only get
them right by reading. Questions, denials, rumours and chatter are among them and yield nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from graphmem.core.splits import Split, data_split
from graphmem.synthetic.names import KINDS, NameGenerator
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import LITERAL_TYPES
from graphmem.training.wording import (
    CHATTER,
    COMMANDS,
    DENIALS,
    DOUBTS,
    HEARSAY,
    LEADING_TIMES,
    NOUN_DENIALS,
    NOUN_FORMS,
    NOUN_QUESTIONS,
    OPENERS,
    PROFILES,
    QUANTITIES,
    SCRIPTS,
    TRAILING_TIMES,
)

_SLOT = re.compile(r"\{(s|o|old|t|n)\}")
_NAMED = re.compile(r"\{([^{}]+)\}")
_TRIES = 30
_BE = re.compile(r" (was|is|are|were|has|had) ")
_PERSONS = frozenset({"person", "character"})


@dataclass(frozen=True, slots=True)
class GoldMention:
    """Characters ``start`` to ``end`` of a text name ``entity``; kind as in ``reader.KINDS``."""

    start: int
    end: int
    kind: str
    entity: int


@dataclass(frozen=True, slots=True)
class GoldFact:
    """Mention ``subject`` stands in ``relation`` to mention ``object``; ``factuality`` as in ``reader.MOODS``."""

    subject: int
    relation: str
    object: int
    factuality: str = "asserted"


@dataclass(slots=True)
class AnnotatedText:
    """A text with its mentions (in order) and what it says.

    ``paired`` is false where only mentions are known; ``partial`` where some facts are known and others may be missing.
    """

    text: str = ""
    mentions: list[GoldMention] = field(default_factory=list)
    facts: list[GoldFact] = field(default_factory=list)
    paired: bool = True
    partial: bool = False

    def write(self, words: str) -> None:
        """Append plain words."""
        self.text += words

    def name(self, thing: Thing, surface: str | None = None, kind: str | None = None) -> int:
        """Append a mention of ``thing`` and return its number."""
        start = len(self.text)
        self.text += surface or thing.name
        self.mentions.append(GoldMention(start, len(self.text), kind or thing.kind, thing.id))
        return len(self.mentions) - 1


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is spoken about."""

    id: int
    name: str
    type: str

    @property
    def kind(self) -> str:
        return "literal" if self.type in LITERAL_TYPES else "entity"


class TextGenerator:
    """Writes examples.

    Args:
        relations: what may be said; give training relations only when the figures are to be zero-shot.
        real: real names to mix in, by type; those under "" may stand for anything.
        rng: where chance comes from.
        split: which names may be used, see ``data_split``.
    """

    def __init__(
        self, relations: Sequence[Relation], real: Mapping[str, Sequence[str]], rng: Random, split: Split = "train"
    ) -> None:
        self.rng = rng
        self.split = split
        self._relations = list(relations)
        self._real = {type: [name for name in names if data_split(name) == split] for type, names in real.items()}
        self._by_subject: dict[str, list[Relation]] = {}
        for relation in self._relations:
            self._by_subject.setdefault(relation.subject, []).append(relation)
        self._by_name = {relation.relation: relation for relation in self._relations}
        self._profiles = [p for p in PROFILES if set(_NAMED.findall(p)) - {"s", "year"} <= set(self._by_name)]
        self._count = 0

    def example(self) -> AnnotatedText:
        """One text of one to five sentences."""
        rng, made = self.rng, AnnotatedText()
        for number in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
            if number:
                made.write(rng.choice((" ", " ", " ", "\n")))
            self._sentence(made)
        if rng.random() < 0.05:
            made.text = made.text.lower() if len(made.text.lower()) == len(made.text) else made.text
        elif rng.random() < 0.06:
            made.text = made.text.rstrip(".")
        return made

    # ---------------------------------------------------------------- things and their names

    def thing(self, type: str) -> Thing:
        """Make a thing of a type, named by invention, after a real one, or in another script."""
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
        typed, any_type = self._real.get(type), self._real.get("")
        if typed and (chance < 0.45 or type not in KINDS):
            return self.rng.choice(typed)
        if any_type and (chance < 0.58 or type not in KINDS):
            return self.rng.choice(any_type)
        if chance < 0.63:
            return self._foreign()
        # a new inventor each time, since a closed list of real words would run out of new ones
        name = (NameGenerator(self.rng).names(type if type in KINDS else "person", 1) or [self._foreign()])[0]
        return name.lower() if chance > 0.97 and type not in _PERSONS else name

    def _literal(self, type: str) -> str:
        rng = self.rng
        if type == "number":
            sizes = (str(rng.randint(1, 99)), f"{rng.randint(100, 9_999_999):,}", f"{rng.uniform(0.1, 999):.1f}")
            value = rng.choice(sizes)
            return rng.choice(QUANTITIES).replace("{n}", value) if rng.random() < 0.35 else value
        if type == "year":
            return str(rng.randint(1500, 2035))
        return NameGenerator(rng).names("date", 1)[0]

    def _foreign(self) -> str:
        joint, words = self.rng.choice(SCRIPTS)
        return joint.join(self.rng.sample(words, self.rng.choice((1, 2))))

    # ---------------------------------------------------------------- sentences

    def _sentence(self, made: AnnotatedText) -> None:
        chance = self.rng.random()
        if chance < 0.12 and self._profiles:
            self._profile(made)
        elif chance < 0.70:
            self._statement(made)
        elif chance < 0.78:
            self._change(made)
        elif chance < 0.83:
            self._denied(made)
        elif chance < 0.89:
            self._doubted(made)
        elif chance < 0.95:
            self._ended(made)
        else:
            self._aside(made)

    def _statement(self, made: AnnotatedText) -> None:
        rng, relation = self.rng, self.rng.choice(self._relations)
        subject = self.thing(relation.subject)
        times = rng.choice((1, 1, 1, 2, 2, 3))
        if rng.random() < 0.15:
            made.write(rng.choice(OPENERS))
        number = self._say(made, rng.choice(self._templates(relation)), relation, subject, timed=True)
        others = [r for r in self._by_subject.get(relation.subject, ()) if r is not relation]
        for more in rng.sample(others, min(times - 1, len(others))):
            if rng.random() < 0.35:
                self._join(made, more, subject, number)
            else:
                made.write(" ")
                self._say(made, self._leading(more), more, subject, again=True, timed=True)

    def _profile(self, made: AnnotatedText) -> None:
        """A sentence that says several things about its subject, each slot named by its relation."""
        template = self.rng.choice(self._profiles)
        names = [name for name in _NAMED.findall(template) if name not in ("s", "year")]
        subject, first, objects = self.thing(self._by_name[names[0]].subject), 0, []
        for place, piece in enumerate(_NAMED.split(template)):
            if place % 2 == 0:
                made.write(piece)
            elif piece == "s":
                first = made.name(subject)
            elif piece == "year":
                made.name(Thing(0, self._literal("year"), "year"))
            else:
                objects.append((piece, made.name(self.thing(self._by_name[piece].object))))
        made.facts += [GoldFact(first, name, number) for name, number in objects]

    def _templates(self, relation: Relation) -> list[str]:
        noun = relation.noun
        if self.rng.random() < 0.75 or len(noun.split()) > 4:
            return list(relation.statements)
        return [form.replace("{n}", noun) for form in NOUN_FORMS]

    def _leading(self, relation: Relation) -> str:
        """A template that begins with its subject, so that a pronoun can stand there."""
        leading = [t for t in relation.statements if t.startswith("{s} ")]
        return self.rng.choice(leading or list(relation.statements))

    def _say(
        self, made: AnnotatedText, template: str, relation: Relation, subject: Thing, *, factuality: str = "asserted",
        again: bool = False, timed: bool = False,
    ) -> int:  # fmt: skip
        """Write one filled template and mark its fact; returns the mention that is its subject."""
        rng = self.rng
        objects: list[tuple[int, str]] = []
        if timed and rng.random() < 0.14:
            template = self._dated(template)
        first = -1
        for piece in _pieces(template):
            if piece == "{s}":
                first = self._refer(made, subject, again)
            elif piece in ("{o}", "{old}"):
                objects.append((self._object(made, relation, objects, many=piece == "{o}"), piece))
            elif piece == "{t}":
                made.name(Thing(0, self._literal(rng.choice(("year", "year", "date"))), "date"))
            else:
                made.write(self._capital(made, piece))
        for number, piece in objects if first >= 0 else ():
            old = piece == "{old}"
            made.facts.append(
                GoldFact(first, relation.relation, number, "ended" if old and factuality == "asserted" else factuality)
            )
        return first

    def _object(self, made: AnnotatedText, relation: Relation, known: list[tuple[int, str]], *, many: bool) -> int:
        thing = self.thing(relation.object)
        article = thing.name[:1].islower() and thing.kind == "entity" and not made.text.endswith(("the ", "a ", "an "))
        if article and self.rng.random() < 0.6:
            made.write(self._capital(made, self.rng.choice(("the ", "the ", "a "))))
        number = made.name(thing)
        if many and not relation.functional and self.rng.random() < 0.2 and not known:
            known.append((number, "{o}"))
            if self.rng.random() < 0.5:
                made.write(", ")
                known.append((made.name(self.thing(relation.object)), "{o}"))
            made.write(" and ")
            number = made.name(self.thing(relation.object))
        return number

    def _refer(self, made: AnnotatedText, thing: Thing, again: bool) -> int:
        if not again:
            return made.name(thing)
        chance, start = self.rng.random(), _begins(made.text)
        if chance < 0.6:
            word = self.rng.choice(("he", "she", "they")) if thing.type in _PERSONS else "it"
            return made.name(thing, word.capitalize() if start else word, "pronoun")
        if chance < 0.75 and thing.type not in LITERAL_TYPES:
            word = f"the {thing.type}" if thing.type not in _PERSONS else self.rng.choice(("the man", "the woman"))
            return made.name(thing, word[0].upper() + word[1:] if start else word, "pronoun")
        words = thing.name.split()
        short = words[self.rng.choice((0, -1))] if thing.type in _PERSONS and len(words) > 1 else thing.name
        return made.name(thing, short)

    def _join(self, made: AnnotatedText, relation: Relation, subject: Thing, number: int) -> None:
        """Go on about the same subject in one sentence: "... and stars Y." """
        template = self._leading(relation)
        opening = _begins(made.text[: made.mentions[number].start])
        if not opening or not template.startswith("{s} ") or not made.text.endswith("."):
            made.write(" ")
            self._say(made, template, relation, subject, again=True)
            return
        made.text = made.text[:-1] + self.rng.choice((" and ", " and ", ", and ", " and also ", "; "))
        with_subject = made.text.endswith("; ")
        if with_subject:
            self._say(made, template, relation, subject, again=True)
            return
        for piece in _pieces(template[4:]):
            if piece == "{o}":
                made.facts.append(GoldFact(number, relation.relation, made.name(self.thing(relation.object))))
            elif piece != "{s}":
                made.write(piece)

    def _dated(self, template: str) -> str:
        if self.rng.random() < 0.5 and template.startswith("{s}"):
            return self.rng.choice(LEADING_TIMES) + template
        return template[:-1] + self.rng.choice(TRAILING_TIMES) + "." if template.endswith(".") else template

    def _change(self, made: AnnotatedText) -> None:
        relation = self.rng.choice([r for r in self._relations if r.updates] or self._relations)
        template = self.rng.choice(relation.updates or relation.statements)
        self._say(made, template, relation, self.thing(relation.subject), timed=True)

    def _ended(self, made: AnnotatedText) -> None:
        relation = self.rng.choice([r for r in self._relations if r.ends] or self._relations)
        if relation.ends:
            template = self.rng.choice(relation.ends)
        else:
            template = self._leading(relation).replace("{s} is ", "{s} is no longer ", 1)
        factuality = "ended" if relation.ends or "no longer" in template else "asserted"
        self._say(made, template, relation, self.thing(relation.subject), factuality=factuality, timed=True)

    def _denied(self, made: AnnotatedText) -> None:
        """A denial: its fact is marked with the factuality ``denied``."""
        rng, relation = self.rng, self.rng.choice(self._relations)
        template, chance = rng.choice(relation.statements), rng.random()
        if chance < 0.2:
            template = rng.choice(NOUN_DENIALS).replace("{n}", relation.noun)
        elif _BE.search(template) and template.startswith("{s}"):
            template = _BE.sub(lambda m: f" {m[1]} {rng.choice(('not', 'never', 'not'))} ", template, count=1)
        else:
            template = _framed(rng.choice(DENIALS), template)
        self._say(made, template, relation, self.thing(relation.subject), factuality="negated")

    def _doubted(self, made: AnnotatedText) -> None:
        """A question or hearsay: its fact is marked with the factuality ``doubted``."""
        rng, relation = self.rng, self.rng.choice(self._relations)
        chance = rng.random()
        if chance < 0.2:
            template = rng.choice((*relation.questions, *relation.inverse_questions))
        elif chance < 0.4:
            template = rng.choice(NOUN_QUESTIONS).replace("{n}", relation.noun)
        else:
            template = _framed(rng.choice(DOUBTS if chance < 0.65 else HEARSAY), rng.choice(relation.statements))
        self._say(made, template, relation, self.thing(relation.subject), factuality="uncertain")

    def _aside(self, made: AnnotatedText) -> None:
        """Chatter and commands, some about something with a name, that say nothing."""
        rng = self.rng
        template = rng.choice(CHATTER if rng.random() < 0.8 else COMMANDS)
        for piece in _pieces(template):
            if piece in ("{s}", "{o}"):
                made.name(self.thing(rng.choice(("person", "city", "company", "film"))))
            else:
                made.write(piece)

    def _capital(self, made: AnnotatedText, words: str) -> str:
        return words[0].upper() + words[1:] if _begins(made.text) and words[:1].isalpha() else words


def _framed(frame: str, template: str) -> str:
    inner = template.rstrip(".")
    return frame.replace("{x}", inner if inner[:1] == "{" else inner[0].lower() + inner[1:])


def _pieces(template: str) -> list[str]:
    parts, start = [], 0
    for match in _SLOT.finditer(template):
        parts += [template[start : match.start()], match.group()]
        start = match.end()
    return [part for part in [*parts, template[start:]] if part]


def _begins(text: str) -> bool:
    """Whether the next word begins a sentence."""
    stripped = text.rstrip()
    return not stripped or stripped[-1] in ".!?:" or text.endswith("\n")
