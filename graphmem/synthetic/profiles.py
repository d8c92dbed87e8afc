"""Annotated passages about one thing, as encyclopaedias and assistants write them.

They add to ``text_generator`` and ``articles``: common nouns as objects ("skills as a left fielder", "the sport of
cricket"), adjectives of a religion ("the Methodist faith"), ties that only the type of the other thing explains
("close ties to ..."), family names for people named before, and passages that begin with the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from graphmem.core.splits import Split
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, Thing
from graphmem.synthetic.templates import PERSONS, POSSESSIVES, capitalise, load, split_slots
from graphmem.synthetic.text_generator import TextGenerator
from graphmem.text.lexicon import Relation

_POOL_OF: Final = {"position played": "position"}
"""Pools of names for objects of relations whose type is too wide."""
_WORKS: Final = frozenset({"film", "book", "song", "game", "album"})


class ProfileGenerator(TextGenerator):
    """Generator of passages of two to five sentences about one thing; arguments as in ``TextGenerator``."""

    def __init__(
        self, relations: Sequence[Relation], real: Mapping[str, Sequence[str]], rng: Random, split: Split = "train"
    ) -> None:
        self._lists = load("profiles")
        super().__init__(relations, {**real, **self._lists["pools"]}, rng, split)
        self._frames = {name: frames for name, frames in self._lists["relations"].items() if name in self.by_name}
        self._objects: dict[str, Thing] = {}
        self._pronoun = "it"
        self._topic = -1

    def example(self) -> AnnotatedText:
        """Return one passage."""
        rng, text, fillers = self.rng, AnnotatedText(), load("frames")["fillers"]
        types = self._lists["subject_types"]
        type = rng.choices(list(types), list(types.values()))[0]
        names = [name for name, frames in self._frames.items() if type in frames["subjects"]]
        about = rng.sample(names, min(len(names), rng.choice((1, 1, 2, 2, 3))))
        subject = self.thing(type)
        self._objects, self._topic = {}, -1
        self._pronoun = rng.choice(("he", "she")) if type == "person" else "it"
        self._opening(text, subject, about[0])
        if rng.random() < 0.45:
            text.write(" ")
            template, relation = rng.choice(self._lists["beginnings"][_group(subject)])
            self._fill(text, template, subject, relation, again=True)
        for name in [*about[1:], *([about[0]] if rng.random() < 0.6 else [])]:
            if rng.random() < 0.3:
                text.write(" " + rng.choice(fillers))
            text.write(" ")
            self._fill(text, rng.choice(self._ways(name)), subject, name, again=True)
        if rng.random() < 0.3:
            text.write(" " + rng.choice(fillers))
        return text

    def _name(self, type: str) -> str:
        """Of types with a pool only names of that pool."""
        if type in self._lists["pools"] and self.real[type]:
            return self.rng.choice(self.real[type])
        return super()._name(type)

    def _opening(self, text: AnnotatedText, subject: Thing, name: str) -> None:
        """The first sentence: who or what it is and, most often, the first fact; or the fact's object first."""
        rng, group, ways = self.rng, _group(subject), self._ways(name)
        if name in self._lists["object_first"] and rng.random() < 0.25:
            self._fill(text, rng.choice(self._lists["object_first"][name]), subject, name, again=False)
        elif rng.random() < 0.2:
            self._fill(text, rng.choice(ways), subject, name, again=False)
        else:
            self._topic = text.name(subject)
            text.write(", ")
            if group == "thing" or rng.random() < 0.3:
                text.write(rng.choice(load("frames")["appositions"]["thing" if group == "work" else group]))
            else:
                self._description(text, subject)
            text.write(", ")
            after_subject = [way[4:] for way in ways if way.startswith("{s} ") and "{s}" not in way[4:]]
            ties = [way[4:] for way in self._lists["ties"] if way.startswith("{s} ")]
            self._fill(text, rng.choice(after_subject or ties), subject, name, again=True)

    def _description(self, text: AnnotatedText, subject: Thing) -> None:
        """ "a renowned Portuguese politician and author": the nationality is a fact."""
        rng, person = self.rng, subject.type == "person"
        text.write(rng.choice(("a ", "a renowned ", "a well-known ", *(("a former ", "a retired ") if person else ()))))
        if rng.random() < 0.7:
            demonym = text.name(Thing(0, rng.choice(self._lists["demonyms"]), "country"))
            text.facts.append(GoldFact(self._topic, "nationality" if person else "country of origin", demonym))
            text.write(" ")
        roles = self._lists["roles" if person else "works"]
        text.write(rng.choice(roles) + (f" and {rng.choice(roles)}" if person and rng.random() < 0.4 else ""))

    def _ways(self, name: str) -> list[str]:
        """Return the templates of a relation: its own, or those of a tie between the two things."""
        frames = self._frames[name]
        if frames["tied"] and self.rng.random() < 0.35:
            return list(self._lists["ties"])
        religious = name != "adheres to" or self._object(name).name in self._lists["religion_adjectives"]
        return [way for way in frames["frames"] if religious or "{a}" not in way]

    def _fill(self, text: AnnotatedText, template: str, subject: Thing, name: str, *, again: bool) -> None:
        """Append a template and mark its fact, once for each object; ``{a}`` is the adjective of a religion."""
        relation, pronoun = self.by_name[name], self._pronoun
        if self._object(name).name in self._lists["religion_adjectives"] and " {o}" in template:
            if self.rng.random() < 0.25:
                template = template.replace("{o}", f"the {{a}} {self.rng.choice(self._lists['religion_nouns'])}")
        number, objects = -1, list[int]()
        for piece in split_slots(template):
            if piece == "{s}":
                number = self._again(text, subject) if again and self._topic >= 0 else text.name(subject)
                self._topic = number if self._topic < 0 else self._topic
            elif piece in ("{o}", "{a}"):
                last = template.endswith(piece + ".")
                objects += self._write_values(text, name, adjective=piece == "{a}", last=last)
            elif piece in ("{his}", "{he}"):
                text.write(POSSESSIVES[pronoun] if piece == "{his}" else pronoun)
            elif piece == "{n}":
                text.write(self.rng.choice(self._lists["type_nouns"].get(relation.object, [relation.noun])))
            else:
                text.write(piece)
        stated_of = number if number >= 0 else self._topic
        text.facts += [GoldFact(stated_of, name, value) for value in objects]

    def _again(self, text: AnnotatedText, subject: Thing) -> int:
        """Append the subject once more: its name, the family name alone, a pronoun or a description."""
        rng, chance, words = self.rng, self.rng.random(), subject.name.split()
        if subject.type in PERSONS and len(words) > 1 and chance < 0.55:
            return text.name(subject, words[-1])
        if chance < 0.8:
            return text.name(subject, self._pronoun, "pronoun")
        if subject.type in PERSONS or chance < 0.88:
            return text.name(subject)
        noun = rng.choice(self._lists["type_nouns"].get(subject.type, [subject.type]))
        return text.name(subject, f"{rng.choice(('the', 'this'))} {noun}", "pronoun")

    def _write_values(self, text: AnnotatedText, name: str, *, adjective: bool, last: bool) -> list[int]:
        """Append the fact's object; at a sentence's end now and then further objects, or a note about it."""
        thing, relation, rng = self._object(name), self.by_name[name], self.rng
        words = self._lists["religion_adjectives"].get(thing.name, thing.name) if adjective else thing.name
        found = [text.name(thing, capitalise(words) if text.at_start else words)]
        if last and not adjective and not relation.functional and rng.random() < 0.12:
            for separator in rng.choice(((" and ",), (", ", " and "), (", ", ", and "))):
                text.write(separator)
                found.append(text.name(self.thing(_POOL_OF.get(name, relation.object))))
        elif last and rng.random() < 0.25:
            self._note(text, thing, found[0])
        return found

    def _note(self, text: AnnotatedText, thing: Thing, number: int) -> None:
        """Go on about the object itself: ``..., a country in Asia``."""
        notes = self._lists["notes"]
        note, relation = self.rng.choice(notes.get(thing.type, notes[""]))
        if not relation:
            text.write(", " + note)
        elif relation in self.by_name:
            self.write_predicate(text, number, self.by_name[relation], ", " + note)

    def _object(self, name: str) -> Thing:
        """Return the object of a relation of this passage's subject: the same one in the whole passage."""
        if name not in self._objects:
            self._objects[name] = self.thing(_POOL_OF.get(name, self.by_name[name].object))
        return self._objects[name]


def _group(subject: Thing) -> str:
    return "person" if subject.type == "person" else "work" if subject.type in _WORKS else "thing"
