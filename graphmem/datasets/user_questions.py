"""Questions about a user's own facts: read from a file, or made from the facts themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.datasets.wikimovies import Question
from graphmem.text.lexicon import load_lexicon

MAX_ANSWERS = 20  # questions with more answers than this are left out

_ONE_HOP = ("What is the {r} of {s}?", "Who or what is the {r} of {s}?", "{r} of {s}?", "Tell me the {r} of {s}.")
_TWO_HOPS = ("What is the {r2} of the {r1} of {s}?", "{r2} of {s}'s {r1}?", "Name the {r2} of the {r1} of {s}.")


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
    """Return questions of one and two hops over a memory's facts, by the lexicon's templates where there are some."""
    graph: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fact in memory.facts():
        graph[fact.subject][fact.relation].append(fact.object)
    templates = {normalise(relation.relation): relation.questions for relation in load_lexicon()}
    subjects = sorted(graph)
    rng.shuffle(subjects)
    found: list[Question] = []
    while len(found) < max_questions:
        round_ = [question for subject in subjects for question in _about(subject, graph, templates, rng)]
        if not round_:
            break
        found += round_
    return found[:max_questions]


def _about(
    subject: str, graph: Mapping[str, Mapping[str, list[str]]], templates: Mapping[str, Sequence[str]], rng: Random
) -> list[Question]:
    """Return a question of each number of hops that the facts about a subject allow."""
    relation = rng.choice(sorted(graph[subject]))
    answers, found, words = graph[subject][relation], [], lambda name: " ".join(name.replace("_", " ").split())
    if len(answers) <= MAX_ANSWERS:
        forms = [form for form in templates.get(normalise(relation), ()) if "{s}" in form]
        form = rng.choice(forms) if forms and rng.random() < 0.7 else rng.choice(_ONE_HOP)
        found.append(Question(form.format(s=subject, r=words(relation)), subject, tuple(answers), 1))
    middles = [middle for middle in answers if middle in graph]
    steps = [further for middle in middles for further in sorted(graph[middle])]
    if steps:
        further = rng.choice(steps)
        ends = {end for middle in middles for end in graph[middle].get(further, ())} - {subject}
        if 0 < len(ends) <= MAX_ANSWERS:
            text = rng.choice(_TWO_HOPS).format(s=subject, r1=words(relation), r2=words(further))
            found.append(Question(text, subject, tuple(sorted(ends)), 2))
    return found
