"""Questions about somebody's own facts: read from a file, or made from the facts themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.types import Fact
from graphmem.datasets.wikimovies import Question
from graphmem.text.lexicon import load_lexicon

MOST_ANSWERS = 20
"""Questions with more answers than this are not asked."""

_PLAIN = ("What is the {r} of {s}?", "Who or what is the {r} of {s}?", "{r} of {s}?", "Tell me the {r} of {s}.")
_CHAINS = ("What is the {r2} of the {r1} of {s}?", "{r2} of {s}'s {r1}?", "Name the {r2} of the {r1} of {s}.")


def read_questions(path: str | Path) -> list[Question]:
    """Questions from JSON lines with ``question`` and ``answers`` (or ``answer``), and perhaps ``topic``, ``hops``.

    Without a topic the question's own text decides whether it is trained on or kept for the test.

    Raises:
        InvalidValue: a line that is not such a record; the message names it.
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


def own_facts(memory: Any) -> list[Fact]:
    """What the memory holds now."""
    return list(memory.facts())


def own_questions(memory: Any, rng: Random, most: int) -> list[Question]:
    """Questions of one and two hops made from a memory's facts, worded by the lexicon where it knows the relation."""
    held: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fact in own_facts(memory):
        held[fact.subject][fact.relation].append(fact.object)
    wordings = {normalise(relation.relation): relation.questions for relation in load_lexicon()}
    subjects = sorted(held)
    rng.shuffle(subjects)
    made: list[Question] = []
    while subjects and len(made) < most:
        before = len(made)
        for subject in subjects:
            made += _about(subject, held, wordings, rng)
        if len(made) == before or len(made) >= most:
            break
    return made[:most]


def _about(
    subject: str, held: dict[str, dict[str, list[str]]], wordings: Mapping[str, Sequence[str]], rng: Random
) -> list[Question]:
    """A question of each number of hops that the facts about a subject allow."""
    relation = rng.choice(sorted(held[subject]))
    answers = held[subject][relation]
    made = []
    if len(answers) <= MOST_ANSWERS:
        forms = [form for form in wordings.get(normalise(relation), ()) if "{s}" in form]
        form = rng.choice(forms) if forms and rng.random() < 0.7 else rng.choice(_PLAIN)
        made.append(Question(_fill(form, s=subject, r=_worded(relation)), subject, tuple(answers), 1))
    chains = [(middle, further) for middle in answers if middle in held for further in sorted(held[middle])]
    if chains:
        further = rng.choice(chains)[1]
        ends = {end for middle in answers if middle in held for end in held[middle].get(further, ())} - {subject}
        if 0 < len(ends) <= MOST_ANSWERS:
            words = _fill(rng.choice(_CHAINS), s=subject, r1=_worded(relation), r2=_worded(further))
            made.append(Question(words, subject, tuple(sorted(ends)), 2))
    return made


def _worded(relation: str) -> str:
    return " ".join(relation.replace("_", " ").split())


def _fill(form: str, **parts: str) -> str:
    """Put names into a form, whatever braces they hold."""
    for key, value in parts.items():
        form = form.replace("{" + key + "}", value)
    return form
