"""Passages about one thing, as encyclopaedias and assistants write them, to learn reading from.

What ``statements`` and ``articles`` lack: common nouns as objects ("skills as a left fielder", "the sport of cricket"),
adjectives that stand for a faith ("the Methodist faith"), ties that only the other thing's kind explains ("known for
close ties to ..."), family names for people named before, and passages that begin with the object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from graphmem.core.splits import Split
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, TextGenerator, Thing
from graphmem.text.lexicon import Relation
from graphmem.training.phrasing import APPOSITIONS, DEMONYMS, FILLERS, KINDS_OF_WORK, ROLES
from graphmem.training.portrait_frames import BEGINNINGS, FAITHS, FRAMES, KINDS, NOTES, OBJECT_FIRST, POOLS, TIES, USUAL

_SLOT = re.compile(r"\{(s|o|a|his|he|n)\}")
_PERSON: Final = "person"
_WAYS: Final = {"person": (("he", "his"), ("she", "her"))}


class ProfileGenerator(TextGenerator):
    """Writes passages of two to five sentences about one thing.

    Args:
        relations: what may be said.
        real: real names to mix in, by type.
        rng: where chance comes from.
        split: which names may be used.
    """

    def __init__(
        self, relations: Sequence[Relation], real: Mapping[str, Sequence[str]], rng: Random, split: Split = "train"
    ) -> None:
        super().__init__(relations, {**real, **POOLS}, rng, split)
        self._known = {name: kind for name, kind in FRAMES.items() if name in self._by_name}
        self._told: dict[str, Thing] = {}
        self._way = ("it", "its")
        self._topic = -1

    def portrait(self) -> AnnotatedText:
        """One passage."""
        rng, made = self.rng, AnnotatedText()
        type = rng.choices(list(KINDS), [KINDS[kind] for kind in KINDS])[0]
        names = [name for name, frames in self._known.items() if type in frames.subjects]
        about = rng.sample(names, min(len(names), rng.choice((1, 1, 2, 2, 3))))
        subject = self.thing(type)
        self._told, self._topic = {}, -1
        self._way = rng.choice(_WAYS.get(type, (("it", "its"),)))
        self._opening(made, subject, about[0])
        if rng.random() < 0.45:
            made.write(" ")
            self._beginning(made, subject)
        for name in [*about[1:], *([about[0]] if rng.random() < 0.6 else [])]:
            if rng.random() < 0.3:
                made.write(" " + rng.choice(FILLERS))
            made.write(" ")
            self._frame(made, subject, name, again=True)
        if rng.random() < 0.3:
            made.write(" " + rng.choice(FILLERS))
        return made

    def _name(self, type: str) -> str:
        """Of the types that ties are told by, only names of that type."""
        if type in POOLS and self._real[type]:
            return self.rng.choice(self._real[type])
        return super()._name(type)

    # ---------------------------------------------------------------- sentences

    def _opening(self, made: AnnotatedText, subject: Thing, name: str) -> None:
        """The first sentence: who or what it is and, most often, the first fact; or the fact's object first."""
        rng, group = self.rng, self._group(subject)
        if name in OBJECT_FIRST and rng.random() < 0.25:
            self._fill(made, rng.choice(OBJECT_FIRST[name]), subject, name, again=False)
            return
        if rng.random() < 0.2:
            self._frame(made, subject, name, again=False)
            return
        self._topic = self._refer(made, subject, False)
        made.write(", ")
        if group == "thing" or rng.random() < 0.3:
            made.write(rng.choice(APPOSITIONS["thing" if group == "work" else group].split("|")))
        else:
            self._described(made, subject)
        made.write(", ")
        self._frame(made, subject, name, again=True, apposed=True)

    def _described(self, made: AnnotatedText, subject: Thing) -> None:
        """ "a renowned Portuguese politician and author": the nationality is a fact."""
        rng = self.rng
        person = subject.type == _PERSON
        words = rng.choice(("a ", "a renowned ", "a well-known ", *(("a former ", "a retired ") if person else ())))
        demonym = rng.choice(DEMONYMS) if rng.random() < 0.7 else ""
        made.write("an " if words == "a " and demonym[:1] in tuple("AEIOU") and demonym else words)
        if demonym:
            number = made.name(Thing(0, demonym, "country"))
            made.facts.append(GoldFact(self._topic, "nationality" if person else "country of origin", number))
            made.write(" ")
        roles = ROLES if person else KINDS_OF_WORK
        made.write(rng.choice(roles) + (f" and {rng.choice(roles)}" if person and rng.random() < 0.4 else ""))

    def _beginning(self, made: AnnotatedText, subject: Thing) -> None:
        """ "Born in 1958, Rees ...": when, and sometimes where, it began, under a name that follows."""
        template, relation = self.rng.choice(BEGINNINGS[self._group(subject)])
        self._fill(made, template, subject, relation, again=True)

    def _frame(self, made: AnnotatedText, subject: Thing, name: str, *, again: bool, apposed: bool = False) -> None:
        """One fact in one of its ways; ``apposed``: the subject has just been named, and the predicate follows."""
        frames, rng = self._known[name], self.rng
        ways = list(TIES if frames.tied and rng.random() < 0.35 else frames.ways)
        if name == "adheres to" and self._meant(name).name not in FAITHS:
            ways = [way for way in ways if "{a}" not in way]
        if apposed:
            ways = [way for way in ways if way.startswith("{s} ") and "{s}" not in way[4:]] or list(TIES)
            self._fill(made, rng.choice(ways)[4:], subject, name, again=True)
        else:
            self._fill(made, rng.choice(ways), subject, name, again=again)

    # ---------------------------------------------------------------- words

    def _fill(self, made: AnnotatedText, template: str, subject: Thing, name: str, *, again: bool) -> None:
        """Write a frame and mark its fact, once for each object."""
        relation = self._by_name[name]
        if self._meant(name).name in FAITHS and " {o}" in template and self.rng.random() < 0.25:
            template = template.replace("{o}", f"the {{a}} {self.rng.choice(_BODIES)}")
        here, objects = -1, list[int]()
        for piece in _pieces(template):
            if piece == "{s}":
                here = self._again(made, subject) if again and self._topic >= 0 else self._refer(made, subject, False)
                self._topic = here if self._topic < 0 else self._topic
            elif piece in ("{o}", "{a}"):
                objects += self._values(made, name, adjective=piece == "{a}", last=template.endswith(piece + "."))
            elif piece in ("{his}", "{he}"):
                word = self._way[piece == "{his}"]
                made.write(word.capitalize() if _begins(made.text) else word)
            elif piece == "{n}":
                made.write(USUAL.get(relation.object, relation.noun))
            else:
                made.write(self._capital(made, piece))
        teller = here if here >= 0 else self._topic
        made.facts += [GoldFact(teller, name, number) for number in objects]

    def _again(self, made: AnnotatedText, subject: Thing) -> int:
        """The subject once more: its name, the family name alone, a pronoun or a description."""
        rng, chance, words = self.rng, self.rng.random(), subject.name.split()
        if subject.type == _PERSON and len(words) > 1 and chance < 0.55:
            return made.name(subject, words[-1])
        if chance < 0.8:
            word = self._way[0]
            return made.name(subject, word.capitalize() if _begins(made.text) else word, "pronoun")
        if subject.type == _PERSON or chance < 0.88:
            return made.name(subject)
        word = rng.choice(("the ", "this ")) + rng.choice(USUAL.get(subject.type, subject.type).split("|"))
        return made.name(subject, word[0].upper() + word[1:] if _begins(made.text) else word, "pronoun")

    def _values(self, made: AnnotatedText, name: str, *, adjective: bool, last: bool) -> list[int]:
        """Write the fact's object, a faith as its adjective where asked for; at a sentence's end at times more."""
        thing, relation = self._meant(name), self._by_name[name]
        words = FAITHS.get(thing.name, thing.name) if adjective else thing.name
        found = [made.name(thing, words[0].upper() + words[1:] if _begins(made.text) else words)]
        if last and not adjective and not relation.functional and self.rng.random() < 0.12:
            for joint in self.rng.choice(((" and ",), (", ", " and "), (", ", ", and "))):
                made.write(joint)
                found.append(made.name(self.thing(_POOL.get(name, relation.object))))
        elif last and self.rng.random() < 0.25:
            self._noted(made, thing, found[0])
        return found

    def _noted(self, made: AnnotatedText, thing: Thing, number: int) -> None:
        """Go on about the object itself: ``..., a country in Asia``."""
        note, relation = self.rng.choice(NOTES.get(thing.type, NOTES[""]))
        if relation and relation not in self._by_name:
            return
        before, slot, after = note.partition("{o}")
        made.write(", " + before)
        if slot:
            made.facts.append(GoldFact(number, relation, made.name(self.thing(self._by_name[relation].object))))
        made.write(after)

    def _meant(self, name: str) -> Thing:
        """The object of a relation of this passage's subject: the same one each time it is told."""
        if name not in self._told:
            self._told[name] = self.thing(_POOL.get(name, self._by_name[name].object))
        return self._told[name]

    @staticmethod
    def _group(subject: Thing) -> str:
        return "person" if subject.type == _PERSON else "work" if subject.type in _WORKS else "thing"


_BODIES: Final = ("faith", "Church", "religion", "denomination", "tradition")
_POOL: Final = {"position played": "position"}
_WORKS: Final = frozenset({"film", "book", "song", "game", "album"})


def _pieces(template: str) -> list[str]:
    parts, start = [], 0
    for match in _SLOT.finditer(template):
        parts += [template[start : match.start()], match.group()]
        start = match.end()
    return [part for part in [*parts, template[start:]] if part]


def _begins(text: str) -> bool:
    stripped = text.rstrip()
    return not stripped or stripped[-1] in ".!?"
