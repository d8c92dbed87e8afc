"""Texts that state nothing worth keeping, to learn silence from: weather, days gone by, people who only walk about.

Some hold names, and pairs of names, about which nothing is said; some stand around a text that does state facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, GoldMention, TextGenerator, Thing

_WHO: Final = (
    "the children|my neighbour|nobody|everyone|the old man|two strangers|the dog|a few guests|the workers|the crowd|"
    "our teacher|most people|some of us|the girl next door|the driver|a small boy|the nurse|the shopkeeper|we|I|"
    "the soldiers|the farmers|the cat|a young woman|the visitors|all of them|the tourists|my sister|the team|the band"
).split("|")
_DID: Final = (
    "went out|stayed at home|slept until noon|laughed out loud|walked to the market|waited for hours|played in the "
    "garden|sang old songs|talked about the weather|ate bread and cheese|looked out of the window|came back late|ran "
    "down the street|said nothing at all|drank tea by the fire|read the paper|missed the last bus|felt tired|counted "
    "the stars|painted the fence|cleaned the kitchen|bought apples and pears|watched the rain|sat under a tree|forgot "
    "the keys|smiled and nodded|left early|fell asleep on the sofa|closed the door|swam in the lake|lost the game|"
    "shared a meal|cut the grass|fed the horses|opened a bottle of wine|wrote a long letter|danced all night"
).split("|")
_SKY: Final = (
    "it rained|it snowed|the sun shone|a cold wind blew|it was hot|the sky was grey|the fog lay thick|it was a quiet "
    "day|the night was dark|the storm passed|it was freezing|the leaves fell|the river rose|the streets were wet|"
    "the stars came out|the air was clear|dinner was late|the soup was cold|the music stopped|the lights went out"
).split("|")
_WHEN: Final = (
    "all day|all week|in the evening|before breakfast|after lunch|at night|for three days|last summer|that morning|"
    "on the way home|until midnight|again and again|over the weekend|at the time|once in a while|every now and then"
).split("|")
_LINKS: Final = ("and", "but", "while", "so", "and then", "because", "until", "as")
_ONE: Final = (
    "{s} slept badly|{s} was late again|{s} looked out of the window|{s} waved at the crowd|{s} had a cold|{s} smiled|"
    "{s} was quiet in winter|the news from {s} was mixed|{s} seemed far away|people talked about {s}|{s} came up in "
    "conversation|{s} was in a good mood|a picture of {s} hung on the wall|someone mentioned {s}|{s} laughed|{s} had "
    "to wait|the way to {s} was long|{s} was hard to forget|I dreamt of {s}|{s} ordered a coffee|{s} won at cards|"
    "{s} was nowhere to be seen|they argued about {s}|{s} was the talk of the evening|{s} told a joke"
).split("|")
_TWO: Final = (
    "{s} waved at {o}|{s} talked with {o} for an hour|{s} thought about {o}|{s} and {o} were mentioned in the same "
    "letter|{s} came to mind, and so did {o}|{s} passed through {o} on the way|{s} sent a postcard to {o}|{s} stood "
    "next to {o}|{s} is often confused with {o}|{s} laughed and {o} laughed too|some prefer {s}, others {o}|{s} spoke "
    "about {o}|{s} was seen near {o}|between {s} and {o} there was silence|{s} phoned {o}|{s} forgot about {o}|{s} was "
    "compared with {o}|{s} slept while {o} was talking|a book about {s} lay beside one about {o}|{s} ran into {o}"
).split("|")
_ASKED: Final = (
    "did {x}|do you think {x}|is it true that {x}|who told you that {x}|why do you ask whether {x}|can it be that {x}"
).split("|")
_TYPES: Final = ("person", "person", "city", "company", "film", "country", "book", "organisation", "team", "")


class SmallTalkGenerator:
    """Writes texts that state nothing, alone or around texts that do.

    Args:
        speaker: invents the names, and the texts that state something.
        rng: where chance comes from.
    """

    def __init__(self, speaker: TextGenerator, rng: Random) -> None:
        self._speaker, self.rng = speaker, rng

    def example(self) -> AnnotatedText:
        """A text of one to four sentences; in one of three, one sentence is replaced by a text that states facts."""
        rng, made = self.rng, AnnotatedText()
        count = rng.choice((1, 1, 2, 2, 3, 4))
        place = rng.randrange(count) if rng.random() < 0.33 else -1
        repeated = rng.random() < 0.15
        for number in range(count):
            made.write(" " if number else "")
            if number == place:
                append(made, self._speaker.example())
                made.write("." if made.text[-1:].isalnum() else "")
            elif repeated and number and not made.facts and not made.mentions:
                made.write(made.text.strip())
            else:
                self._sentence(made)
        return made

    def _sentence(self, made: AnnotatedText) -> None:
        rng, chance, start = self.rng, self.rng.random(), len(made.text)
        if chance < 0.12:
            made.write(rng.choice(_ASKED).replace("{x}", f"{rng.choice(_WHO)} {rng.choice(_DID)}") + "?")
        else:
            self._clause(made, chance)
            if rng.random() < 0.5:
                made.write(f" {rng.choice(_WHEN)}")
            if rng.random() < 0.45:
                made.write(f" {rng.choice(_LINKS)} {rng.choice(_WHO)} {rng.choice(_DID)}")
            made.write(rng.choice((".", ".", ".", ".", "!", " ...")))
        made.text = made.text[:start] + made.text[start : start + 1].upper() + made.text[start + 1 :]

    def _clause(self, made: AnnotatedText, chance: float) -> None:
        """Nothing, one name or two names, with words that state no fact."""
        if chance < 0.4:
            made.write(self.rng.choice(_SKY))
        elif chance < 0.58:
            made.write(f"{self.rng.choice(_WHO)} {self.rng.choice(_DID)}")
        else:
            self._filled(made, self.rng.choice(_ONE if chance < 0.78 else _TWO))

    def _filled(self, made: AnnotatedText, template: str) -> None:
        for place, words in enumerate(template.replace("{o}", "{s}").split("{s}")):
            if place:
                made.name(self._thing())
            made.write(words)

    def _thing(self) -> Thing:
        return self._speaker.thing(self.rng.choice(_TYPES))


def append(made: AnnotatedText, other: AnnotatedText) -> None:
    """Write another text behind this one, with its mentions and facts."""
    shift, first = len(made.text), len(made.mentions)
    made.text += other.text
    made.mentions += [GoldMention(m.start + shift, m.end + shift, m.kind, m.entity) for m in other.mentions]
    made.facts += [GoldFact(f.subject + first, f.relation, f.object + first, f.factuality) for f in other.facts]


def small_talk_examples(speaker: TextGenerator, count: int, seed: int) -> Sequence[AnnotatedText]:
    """``count`` texts that mostly state nothing."""
    writer = SmallTalkGenerator(speaker, Random(seed))
    return [writer.example() for _ in range(count)]
