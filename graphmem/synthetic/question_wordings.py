"""How people may ask for the end of a relation path: nested noun phrases, relative clauses, questions.

``X | works for | Y | headquarters | Z`` is asked for as ``X's employer's headquarters``, ``the city that the company
that X works for is based in``, ``Where is the firm that employs X based?``. Every part is drawn anew, so that what is
learnt is how words of a question and relations of a path go together, and not sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Final

from graphmem.datasets.wordnet import Vary, as_it_is
from graphmem.synthetic.grammar import fill
from graphmem.text.lexicon import OPEN_ENDINGS, Relation

NOUN_PHRASES: Final = (
    ("the {r} of {a}", "the {r} of {a}", "{a} 's {r}", "{a}'s {r}", "{r} of {a}", "the {r} that {a} has"),
    ("the one whose {r} is {a}", "what {a} is the {r} of", "that which has {a} as {r}", "the thing with {r} {a}",
     "everything that has {r} {a}"),
)  # fmt: skip
"""Around a noun ``r`` and an argument ``a``, by direction."""
VERB_PHRASES: Final = (
    ("what {a} {r}", "the thing that {a} {r}", "that which {a} {r}"),
    ("what {r} {a}", "the thing that {r} {a}", "whatever {r} {a}"),
)
QUESTIONS: Final = (
    "what is {}", "who is {}", "{}", "name {}", "which is {}", "tell me {}", "what are {}", "who are {}", "where is {}",
    "do you know {}", "what was {}", "i want to know {}", "what is the name of {}", "who was {}", "Give me {}",
)  # fmt: skip
NOUN_QUESTIONS: Final = (
    "what {r} is {a}", "what {r} does {a} have", "which {r} is {a}", "{a}'s {r}", "what is {a}'s {r}",
    "which {r} has {a}",
)  # fmt: skip
"""Whole questions for a noun ``r`` of an argument ``a``."""
_VERBAL = ("was ", "is ", "has ", "have ", "were ", "are ", "can ", "did ", "does ", "a ", "an ")
_PEOPLE = ("person", "individual", "one", "person")
_PLACES = ("place", "location")


def worded(asks: Sequence[tuple[str, int]], verbs: bool, rng: Random, mark: str, vary: Vary = as_it_is) -> str:
    """Ask for a path of plain names (each a noun, or a verb with ``verbs``) and directions."""
    phrase, forms = mark, VERB_PHRASES if verbs else NOUN_PHRASES
    for noun, direction in asks[:-1]:
        phrase = rng.choice(forms[direction]).format(a=phrase, r=noun if verbs else vary(noun, rng))
    noun, direction = asks[-1]
    said = noun if verbs else vary(noun, rng)
    if not verbs and not direction and rng.random() < 0.3:
        return _finished(rng.choice(NOUN_QUESTIONS).format(a=phrase, r=said), rng)
    return _finished(rng.choice(QUESTIONS).format(rng.choice(forms[direction]).format(a=phrase, r=said)), rng)


def asked_for(relations: Sequence[tuple[Relation, int]], rng: Random, mark: str, vary: Vary = as_it_is) -> str:
    """Ask for a path of relations of the lexicon, from the topic on, the topic already blanked by ``mark``."""
    phrase = mark
    for relation, direction in relations[:-1]:
        phrase = described(relation, direction, phrase, rng, vary)
    relation, direction = relations[-1]
    chance = rng.random()
    if chance < 0.4:
        slot, forms = ("o", relation.inverse_questions) if direction else ("s", relation.questions)
        question = fill(rng.choice(forms), {slot: phrase})[0]
    elif chance < 0.6 and (clauses := _clauses(relation, direction)):
        question = _by_clause(rng.choice(clauses), relation, direction, phrase, rng)
    else:
        question = rng.choice(QUESTIONS).format(described(relation, direction, phrase, rng, vary))
    return _finished(question, rng)


def described(relation: Relation, direction: int, argument: str, rng: Random, vary: Vary = as_it_is) -> str:
    """A noun phrase for what the relation leads to from ``argument``."""
    nouns, clauses, chance = plain_nouns(relation), _clauses(relation, direction), rng.random()
    if direction == 0 and nouns and chance < 0.5:
        return rng.choice(NOUN_PHRASES[0]).format(a=argument, r=vary(rng.choice(nouns), rng))
    if direction and nouns and chance < 0.08:
        return rng.choice(NOUN_PHRASES[1]).format(a=argument, r=vary(rng.choice(nouns), rng))
    if clauses and chance < 0.75:
        asked_first, middle = rng.choice(clauses)
        kind = _kind(relation.subject if direction else relation.object, rng)
        joint = rng.choice(("who", "that")) if kind in _PEOPLE else rng.choice(("that", "which"))
        return f"the {kind} {joint} {middle} {argument}" if asked_first else f"the {kind} {joint} {argument} {middle}"
    return relation.phrase(argument, direction)


@cache
def plain_nouns(relation: Relation) -> tuple[str, ...]:
    """Short names of the relation that stand in ``the NAME of X``."""
    verbs = {text.split()[1] for text in relation.statements if text.startswith("{s} ")}
    names = dict.fromkeys((relation.noun, *relation.paraphrases, *_nouns_of(relation)))
    return tuple(name for name in names if _nominal(name, verbs))


def _nominal(name: str, verbs: set[str]) -> bool:
    words = name.split()
    return (
        len(words) < 4
        and not f"{name} ".startswith(_VERBAL)
        and words[-1] not in OPEN_ENDINGS
        and words[0] not in verbs
    )


def _nouns_of(relation: Relation) -> list[str]:
    """``The NOUN of {s} is {o}.`` gives a noun."""
    found = [re.fullmatch(r"The ([\w ]+) of \{s\} (?:is|was) \{o\}\.", text) for text in relation.statements]
    return [match[1] for match in found if match]


@cache
def _clauses(relation: Relation, direction: int) -> tuple[tuple[bool, str], ...]:
    """Statements cut between their names: is what is asked for the first of them, and the words between."""
    asked = "{s}" if direction else "{o}"
    found = [re.fullmatch(r"(\{[so]\}) ([^,;:{}]+) (\{[so]\})\.", text) for text in relation.statements]
    return tuple((match[1] == asked, match[2]) for match in found if match and len(match[2].split()) < 8)


def middles(relation: Relation) -> list[str]:
    """Words between subject and object in statements, which a graph may use as the relation's name."""
    found = [re.fullmatch(r"\{s\} ([^,;:{}]+) \{o\}\.", text) for text in relation.statements]
    return [match[1] for match in found if match and len(match[1].split()) < 6]


def _by_clause(clause: tuple[bool, str], relation: Relation, direction: int, argument: str, rng: Random) -> str:
    asked_first, middle = clause
    kind = relation.subject if direction else relation.object
    person = kind in ("person", "character")
    if asked_first:
        who = rng.choice(("Who", "Which person")) if person else rng.choice(("What", f"Which {kind}"))
        return f"{who} {middle} {argument}?"
    noun = _kind(kind, rng)
    return rng.choice((f"What is the {noun} that {argument} {middle}?", f"Name the {noun} that {argument} {middle}."))


def _kind(kind: str, rng: Random) -> str:
    if kind in ("person", "character"):
        return rng.choice(_PEOPLE)
    if kind in ("city", "country", "region", "building", "place") and rng.random() < 0.3:
        return rng.choice(_PLACES)
    return "thing" if rng.random() < 0.1 else kind


def _finished(question: str, rng: Random) -> str:
    question, chance = question[:1].upper() + question[1:], rng.random()
    if chance < 0.2:
        return question.lower().rstrip("?.") + rng.choice((" ?", ""))
    return question if question.endswith(("?", ".")) or chance < 0.5 else question + "?"
