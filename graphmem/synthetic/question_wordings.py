"""Questions for the end of a relation path: nested noun phrases, relative clauses, whole questions.

``X | works for | Y | headquarters | Z`` becomes ``X's employer's headquarters``, ``the city that the company that X
works for is based in``, ``Where is the firm that employs X based?``. Every part is drawn anew, so that the retriever
learns which words go with which relations, and not sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from random import Random

from graphmem.synthetic.templates import PERSONS, capitalise, fill, load
from graphmem.text.lexicon import OPEN_ENDINGS, Relation

_FORMS = load("questions")
_VERBAL = ("was ", "is ", "has ", "have ", "were ", "are ", "can ", "did ", "does ", "a ", "an ")
_PEOPLE = ("person", "individual", "one", "person")
_PLACES = frozenset({"city", "country", "region", "building", "place"})


def question_of_names(path: Sequence[tuple[str, int]], verbs: bool, rng: Random, mask: str) -> str:
    """Return a question for a path of (noun or verb, direction) from the topic, for which ``mask`` stands."""
    phrase, forms = mask, _FORMS["verb_phrases" if verbs else "noun_phrases"]
    for name, direction in path[:-1]:
        phrase = rng.choice(forms[direction]).format(a=phrase, r=name)
    name, direction = path[-1]
    if not verbs and not direction and rng.random() < 0.3:
        return _punctuated(rng.choice(_FORMS["noun_questions"]).format(a=phrase, r=name), rng)
    question = rng.choice(_FORMS["questions"])
    return _punctuated(question.format(rng.choice(forms[direction]).format(a=phrase, r=name)), rng)


def question_of_relations(path: Sequence[tuple[Relation, int]], rng: Random, mask: str) -> str:
    """Return a question for a path of (relation of the lexicon, direction); arguments as in ``question_of_names``."""
    phrase = mask
    for relation, direction in path[:-1]:
        phrase = noun_phrase(relation, direction, phrase, rng)
    relation, direction = path[-1]
    chance = rng.random()
    if chance < 0.4:
        slot, forms = ("o", relation.inverse_questions) if direction else ("s", relation.questions)
        question = fill(rng.choice(forms), {slot: phrase})
    elif chance < 0.6 and (clauses := _clauses(relation, direction)):
        question = _clause_question(rng.choice(clauses), relation, direction, phrase, rng)
    else:
        question = rng.choice(_FORMS["questions"]).format(noun_phrase(relation, direction, phrase, rng))
    return _punctuated(question, rng)


def noun_phrase(relation: Relation, direction: int, argument: str, rng: Random) -> str:
    """Return a noun phrase for what the relation leads to from ``argument``."""
    nouns, clauses, chance = plain_nouns(relation), _clauses(relation, direction), rng.random()
    if nouns and chance < (0.08 if direction else 0.5):
        return rng.choice(_FORMS["noun_phrases"][direction]).format(a=argument, r=rng.choice(nouns))
    if clauses and chance < 0.75:
        first, middle = rng.choice(clauses)
        noun = _type_noun(relation.subject if direction else relation.object, rng)
        pronoun = rng.choice(("who", "that")) if noun in _PEOPLE else rng.choice(("that", "which"))
        return f"the {noun} {pronoun} {middle} {argument}" if first else f"the {noun} {pronoun} {argument} {middle}"
    return relation.phrase(argument, direction)


@cache
def plain_nouns(relation: Relation) -> tuple[str, ...]:
    """Return short names of the relation that fit into ``the NAME of X``."""
    verbs = {text.split()[1] for text in relation.statements if text.startswith("{s} ")}
    stated = [re.fullmatch(r"The ([\w ]+) of \{s\} (?:is|was) \{o\}\.", text) for text in relation.statements]
    names = dict.fromkeys((relation.noun, *relation.paraphrases, *(match[1] for match in stated if match)))
    return tuple(
        name for name in names
        if len(words := name.split()) < 4 and not f"{name} ".startswith(_VERBAL)
        and words[-1] not in OPEN_ENDINGS and words[0] not in verbs
    )  # fmt: skip


@cache
def _clauses(relation: Relation, direction: int) -> tuple[tuple[bool, str], ...]:
    """Return statements cut between their names: whether the end of the step comes first, and the words between."""
    end = "{s}" if direction else "{o}"
    found = [re.fullmatch(r"(\{[so]\}) ([^,;:{}]+) (\{[so]\})\.", text) for text in relation.statements]
    return tuple((match[1] == end, match[2]) for match in found if match and len(match[2].split()) < 8)


def middles(relation: Relation) -> list[str]:
    """Return the words between subject and object in statements, which a graph may use as the relation's name."""
    return [words for first, words in _clauses(relation, 1) if first and len(words.split()) < 6]


def _clause_question(clause: tuple[bool, str], relation: Relation, direction: int, argument: str, rng: Random) -> str:
    first, middle = clause
    type = relation.subject if direction else relation.object
    if first:
        who = rng.choice(("Who", "Which person") if type in PERSONS else ("What", f"Which {type}"))
        return f"{who} {middle} {argument}?"
    noun = _type_noun(type, rng)
    return rng.choice((f"What is the {noun} that {argument} {middle}?", f"Name the {noun} that {argument} {middle}."))


def _type_noun(type: str, rng: Random) -> str:
    if type in PERSONS:
        return rng.choice(_PEOPLE)
    if type in _PLACES and rng.random() < 0.3:
        return rng.choice(("place", "location"))
    return "thing" if rng.random() < 0.1 else type


def _punctuated(question: str, rng: Random) -> str:
    """Return the question with a capital and a question mark, or as typed in haste without them."""
    question, chance = capitalise(question), rng.random()
    if chance < 0.2:
        return question.lower().rstrip("?.") + rng.choice((" ?", ""))
    return question if question.endswith(("?", ".")) or chance < 0.5 else question + "?"
