"""bAbI: short stories of people who move about and carry things, with questions (Weston et al. 2015, CC BY 3.0).

The training half of the 1,000-question sets of nine tasks ships with graphmem. The original files are those of the
``en`` folder, ``qaN_*_train.txt``: lines ``number text`` or ``number question TAB answer TAB supporting numbers``; the
number 1 begins a story.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from graphmem.core.errors import InvalidValue
from graphmem.core.paths import DATA
from graphmem.datasets.files import read_lines, read_rows

TASKS = (1, 2, 3, 6, 7, 8, 11, 12, 13)  # about where people and things are, and who carries what
DEV_STORIES, TEST_STORIES = 20, 40


@dataclass(frozen=True, slots=True)
class Question:
    """A question after the first ``after`` sentences of its story; ``support``: sentences it rests on, from 0."""

    text: str
    answer: str
    after: int
    support: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """A story: its sentences in order, and its questions."""

    task: int
    sentences: tuple[str, ...]
    questions: tuple[Question, ...]


class Split(NamedTuple):
    """Stories by split: the last 40 of each task are ``test``, the 20 before them ``dev``, the others ``train``."""

    train: tuple[Story, ...]
    dev: tuple[Story, ...]
    test: tuple[Story, ...]


def load_tasks(folder: str | Path | None = None, tasks: Sequence[int] = TASKS) -> Split:
    """Return the stories of the given tasks, split by story.

    ``folder`` is bAbI's ``en`` folder; None reads the data that ships, which holds ``TASKS`` only.

    Raises:
        InvalidValue: a file is missing or is not in bAbI's format.
    """
    train, dev, test = list[Story](), list[Story](), list[Story]()
    shipped = _shipped() if folder is None else {}
    for task in tasks:
        stories = shipped[task] if task in shipped else _task_stories(Path(folder or "."), task)
        stop = len(stories) - TEST_STORIES
        train += stories[: stop - DEV_STORIES]
        dev += stories[stop - DEV_STORIES : stop]
        test += stories[stop:]
    return Split(tuple(train), tuple(dev), tuple(test))


def _shipped() -> dict[int, list[Story]]:
    found: dict[int, list[Story]] = {}
    for row in read_rows(DATA / "babi.jsonl.gz"):
        questions = tuple(Question(q[0], q[1], q[2], tuple(q[3])) for q in row["questions"])
        found.setdefault(row["task"], []).append(Story(row["task"], tuple(row["sentences"]), questions))
    return found


def _task_stories(folder: Path, task: int) -> list[Story]:
    found = sorted(folder.glob(f"qa{task}_*_train.txt"))
    if not found:
        raise InvalidValue(f"no qa{task}_*_train.txt in {folder}; give the folder of bAbI's `en` files")
    return read_stories(found[0], task)


def read_stories(path: Path, task: int) -> list[Story]:
    """Return the stories of a file; raises ``InvalidValue`` with the number of a line that is not in bAbI's format."""
    stories, lines = list[Story](), dict[int, int]()
    sentences, questions = list[str](), list[Question]()
    for place, line in enumerate(read_lines(path), 1):
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
