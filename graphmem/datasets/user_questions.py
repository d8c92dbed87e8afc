"""Questions about a user's own facts: read from a file, or made from the facts themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise, split_camel_case
from graphmem.datasets.wikimovies import Question
from graphmem.text.lexicon import OPEN_ENDINGS, Relation, load_lexicon

MAX_ANSWERS = 20  # questions with more answers than this are left out

_FORMS = ("What is {x}?", "Who or what is {x}?", "{x}?", "Tell me {x}.", "Name {x}.")
_QUOTED = ('What does {s} have under "{r}"?', 'Which entry does {s} have under "{r}"?', 'Look up "{r}" for {s}.')


def read_questions(path: str | Path) -> list[Question]:
    """Return questions from JSON lines: ``question``, ``answers`` (or ``answer``), optional ``topic`` and ``hops``.

    Without a topic the question's own text decides its split.

    Raises:
        InvalidValue: a line is not such a record; the message holds its number.
    """
    questions = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            answers = row["answers"] if "answers" in row else [row["answer"]]
            text, hops = str(row["question"]), int(row.get("hops", 1))
            questions.append(Question(text, str(row.get("topic", text)), tuple(map(str, answers)), hops))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidValue(
                f"{path}, line {number}: not a question ({type(error).__name__}: {error}); "
                'write {"question": "...", "answers": ["..."], "topic": "..."}'
            ) from None
    return questions


def own_questions(memory: Any, rng: Random, max_questions: int) -> list[Question]:
    """Return questions of one and two hops over a memory's facts, in the lexicon's words where it has some."""
    graph: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fact in memory.facts():
        graph[fact.subject][fact.relation].append(fact.object)
    subjects = sorted(graph)
    rng.shuffle(subjects)
    found: list[Question] = []
    while len(found) < max_questions:
        round_ = [question for subject in subjects for question in _about(subject, graph, rng)]
        if not round_:
            break
        found += round_
    return found[:max_questions]


def _about(subject: str, graph: Mapping[str, Mapping[str, list[str]]], rng: Random) -> list[Question]:
    """Return a question of each number of hops that the facts about a subject allow."""
    relation = rng.choice(sorted(graph[subject]))
    answers, found = graph[subject][relation], []
    if len(answers) <= MAX_ANSWERS:
        found.append(Question(ask_for(relation, subject, rng), subject, tuple(answers), 1))
    middles = [middle for middle in answers if middle in graph]
    steps = [further for middle in middles for further in sorted(graph[middle])]
    if steps:
        further = rng.choice(steps)
        ends = {end for middle in middles for end in graph[middle].get(further, ())} - {subject}
        if 0 < len(ends) <= MAX_ANSWERS:
            noun = noun_phrase(relation, subject)
            inner = noun or f'what {subject} has under "{_words(relation)}"'
            found.append(
                Question(ask_for(further, inner, rng, plain=noun is not None), subject, tuple(sorted(ends)), 2)
            )
    return found


def ask_for(relation: str, argument: str, rng: Random, *, plain: bool = True) -> str:
    """Return a question for the object of a relation.

    A relation that is no noun, and that the lexicon lacks, is quoted. ``plain`` is False for an argument that is a
    clause, which templates of the lexicon do not take.
    """
    known, noun = _lexicon().get(normalise(_words(relation))), noun_phrase(relation, argument)
    if known is not None and plain and rng.random() < 0.7:
        text = rng.choice(known.questions).replace("{s}", argument)
    elif noun is not None:
        text = rng.choice(_FORMS).format(x=noun)
    elif plain:
        text = rng.choice(_QUOTED).format(s=argument, r=_words(relation))
    else:
        text = f'What is under "{_words(relation)}" for {argument}?'
    return text[:1].upper() + text[1:]


def noun_phrase(relation: str, argument: str) -> str | None:
    """Return "the RELATION of ARGUMENT", in the lexicon's words where the relation's own are no noun; None without."""
    words = _words(relation)
    known, parts = _lexicon().get(normalise(words)), words.casefold().split()
    if parts and parts[-1] in _nouns()[1] and set(parts) <= _nouns()[0] and parts[0] not in OPEN_ENDINGS:
        return f"the {words} of {argument}"
    return None if known is None else known.phrase(argument, 0)


def _words(relation: str) -> str:
    spelled = split_camel_case(relation)
    spelled = spelled.lower() if spelled != relation else relation
    return " ".join(spelled.replace("_", " ").replace('"', "'").split())


@cache
def _lexicon() -> dict[str, Relation]:
    """The lexicon's relations by their normalised names, nouns and paraphrases."""
    found: dict[str, Relation] = {}
    for names in (lambda r: (r.relation,), lambda r: (r.noun, *r.paraphrases)):
        for relation in load_lexicon():
            for name in names(relation):
                found.setdefault(normalise(name), relation)
    return found


@cache
def _nouns() -> tuple[frozenset[str], frozenset[str]]:
    """Words of the lexicon's nouns, and those of them that end one."""
    nouns = [relation.noun.casefold().split() for relation in load_lexicon()]
    return frozenset(word for words in nouns for word in words), frozenset(words[-1] for words in nouns)
