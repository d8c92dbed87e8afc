"""bAbI: short stories of people who move about and carry things, with questions (Weston et al. 2015, CC BY 3.0).

The nine tasks that are about that ship with graphmem: the training half of the 1,000-question sets. The original files
are those of the ``en`` folder, ``qaN_*_train.txt``: lines ``number text`` or ``number question TAB answer TAB
supporting numbers``; the number 1 begins a story.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graphmem.core.errors import InvalidValue
from graphmem.core.paths import DATA

TASKS = (1, 2, 3, 6, 7, 8, 11, 12, 13)
"""The tasks that are about where people and things are, and who carries what."""
DEV_STORIES, TEST_STORIES = 20, 40
SHIPPED = DATA / "babi.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Question:
    """A question, asked after ``after`` sentences of its story; ``support`` are places of sentences, from 0."""

    text: str
    answer: str
    after: int
    support: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """One story: its sentences in order, and what is asked on the way."""

    task: int
    sentences: tuple[str, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Stories to train on, to choose by, and to test on: the first, the next 20 and the last 40 of each task's file."""

    train: tuple[Story, ...]
    dev: tuple[Story, ...]
    test: tuple[Story, ...]


def load_tasks(folder: str | Path | None = None, tasks: Sequence[int] = TASKS) -> Split:
    """Read the training half of the given tasks and split each by story.

    Args:
        folder: bAbI's ``en`` folder; None takes what ships, which holds ``TASKS`` only.
        tasks: their numbers.

    Raises:
        InvalidValue: a file is missing or is no bAbI file.
    """
    train, dev, test = list[Story](), list[Story](), list[Story]()
    shipped = _shipped() if folder is None else {}
    for task in tasks:
        stories = shipped[task] if task in shipped else read_stories(_file(Path(folder or "."), task), task)
        stop = len(stories) - TEST_STORIES
        train += stories[: stop - DEV_STORIES]
        dev += stories[stop - DEV_STORIES : stop]
        test += stories[stop:]
    return Split(tuple(train), tuple(dev), tuple(test))


def _shipped() -> dict[int, list[Story]]:
    found: dict[int, list[Story]] = {}
    with gzip.open(SHIPPED, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            questions = tuple(Question(q[0], q[1], q[2], tuple(q[3])) for q in row["questions"])
            found.setdefault(row["task"], []).append(Story(row["task"], tuple(row["sentences"]), questions))
    return found


def _file(folder: Path, task: int) -> Path:
    found = sorted(folder.glob(f"qa{task}_*_train.txt"))
    if not found:
        raise InvalidValue(f"no qa{task}_*_train.txt in {folder}; give the folder of bAbI's `en` files")
    return found[0]


def read_stories(path: Path, task: int) -> list[Story]:
    """Every story of one file, in its order.

    Raises:
        InvalidValue: a line that is none of bAbI's; the message says which.
    """
    stories: list[Story] = []
    lines: dict[int, int] = {}
    sentences: list[str] = []
    questions: list[Question] = []
    for place, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        number, _, rest = line.strip().partition(" ")
        parts = rest.split("\t")
        if not number.isdigit() or len(parts) not in (1, 3):
            raise InvalidValue(f"{path}:{place} is no line of bAbI: {line[:60]!r}")
        if number == "1" and (sentences or questions):
            stories.append(Story(task, tuple(sentences), tuple(questions)))
            lines, sentences, questions = {}, [], []
        if len(parts) == 1:
            lines[int(number)] = len(sentences)
            sentences.append(rest.strip())
        else:
            support = tuple(lines[int(n)] for n in parts[2].split() if int(n) in lines)
            questions.append(Question(parts[0].strip(), parts[1].strip(), len(sentences), support))
    if sentences:
        stories.append(Story(task, tuple(sentences), tuple(questions)))
    return stories
