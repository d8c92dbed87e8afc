"""Texts that state nothing, to train the extractor on: weather, small talk, names that are only mentioned.

Some hold names, and pairs of names, between which there is no fact; some surround a text that does state facts.
"""

from __future__ import annotations

from graphmem.synthetic.annotated_texts import AnnotatedText
from graphmem.synthetic.templates import capitalise, load
from graphmem.synthetic.text_generator import TextGenerator


class SmallTalkGenerator(TextGenerator):
    """Generator of texts that state nothing, alone or around texts that do."""

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
