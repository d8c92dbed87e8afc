"""Questions that no memory of an experiment concerns, and plain text: both must be left alone."""

from __future__ import annotations

from random import Random
from typing import Final

from graphmem.datasets.plain_text import passage_texts

EVERYDAY: Final = tuple(
    (question, tuple(answers.split("/")))
    for question, answers in (line.split("|") for line in """\
What is the capital of France?|Paris
What is the capital of Japan?|Tokyo
What is the capital of Italy?|Rome
What is the capital of Germany?|Berlin
What is the capital of Spain?|Madrid
What colour is the sky on a clear day?|blue
What colour is grass?|green
What colour is blood?|red
How many days are in a week?|seven/7
How many months are in a year?|twelve/12
How many legs does a spider have?|eight/8
How many continents are there?|seven/7
What is two plus two?|four/4
What is ten minus three?|seven/7
Which planet is closest to the Sun?|Mercury
Which planet is known as the Red Planet?|Mars
What is the largest planet of the Solar System?|Jupiter
What is the largest ocean?|Pacific
Which animal says meow?|cat
Which animal barks?|dog
What do bees make?|honey
What is frozen water called?|ice
What gas do humans need to breathe?|oxygen
What gas do plants take in?|carbon dioxide
What is the chemical formula of water?|H2O/H₂O
Which metal is liquid at room temperature?|mercury
Who wrote Romeo and Juliet?|Shakespeare
Who painted the Mona Lisa?|Leonardo/Leonardo da Vinci/da Vinci
Who developed the theory of relativity?|Einstein
Who was the first man on the Moon?|Armstrong/Neil Armstrong
In which country are the pyramids of Giza?|Egypt
In which country is the Great Wall?|China
In which country is the Eiffel Tower?|France
Which language is spoken in Brazil?|Portuguese
What is the currency of Japan?|yen
What is the opposite of hot?|cold
What is the opposite of up?|down
What season comes after winter?|spring
What is the first month of the year?|January
What is the last letter of the English alphabet?|Z
""".splitlines())
)  # fmt: skip
"""Common knowledge, with right answers."""


def everyday(count: int, seed: int = 0) -> list[tuple[str, tuple[str, ...]]]:
    """So many of the everyday questions, at most all 40."""
    return Random(seed).sample(EVERYDAY, min(count, len(EVERYDAY)))


def plain_texts(count: int, seed: int = 0) -> list[str]:
    """Wikipedia introductions (2WikiMultiHopQA) whose titles were held out of training."""
    held = passage_texts("test")
    return Random(seed).sample(held, min(count, len(held)))


UNRELATED_TOKENS = 12
"""Of an answer to a question that the memory does not concern."""
