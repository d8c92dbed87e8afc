"""Answers to bAbI's questions from a memory that has read the story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphmem.datasets.babi import Story
from graphmem.memory import GraphMemory
from graphmem.state_tracking.extractor import StateChangeExtractor
from graphmem.state_tracking.tracker import StateTracker


@dataclass(frozen=True, slots=True)
class TaskScore:
    """Right answers of one task; ``majority`` is what always giving its commonest answer would get."""

    task: int
    right: int
    questions: int
    majority: float

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.questions if self.questions else 0.0


def answer_story(story: Story, reader: StateChangeExtractor, encoder: Any) -> list[str]:
    """Read a story into an empty memory, sentence by sentence, and answer each question when it is asked."""
    answers = []
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        situation, read = StateTracker(memory, reader), 0
        for question in story.questions:
            situation.read("\n".join(story.sentences[read : question.after]))
            read = question.after
            answers.append(situation.ask(question.text))
    return answers


def score(stories: Sequence[Story], reader: StateChangeExtractor, encoder: Any) -> list[TaskScore]:
    """Score each task of the stories: the answer must be the given one, of lists in any order."""
    scores = []
    for task in sorted({story.task for story in stories}):
        own = [story for story in stories if story.task == task]
        gold = [q.answer for story in own for q in story.questions]
        said = [answer for story in own for answer in answer_story(story, reader, encoder)]
        right = sum(is_right(a, b) for a, b in zip(said, gold, strict=True))
        scores.append(TaskScore(task, right, len(gold), max(map(gold.count, set(gold))) / len(gold)))
    return scores


def is_right(said: str, gold: str) -> bool:
    """Whether an answer is the given one; the order of a list does not matter."""
    return sorted(said.casefold().split(",")) == sorted(gold.casefold().split(","))
