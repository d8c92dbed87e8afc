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
    """Right answers of one task; ``majority`` is the accuracy of always giving the commonest one."""

    task: int
    right: int
    questions: int
    majority: float

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.questions if self.questions else 0.0


def answer_story(story: Story, extractor: StateChangeExtractor, encoder: Any) -> list[str]:
    """Read a story into an empty memory, sentence by sentence, and answer each question at its place."""
    answers = []
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        tracker, read = StateTracker(memory, extractor), 0
        for question in story.questions:
            tracker.read("\n".join(story.sentences[read : question.after]))
            read = question.after
            answers.append(tracker.ask(question.text))
    return answers


def score(stories: Sequence[Story], extractor: StateChangeExtractor, encoder: Any) -> list[TaskScore]:
    """Score each task of the stories: the answer must be the given one, of lists in any order."""
    scores = []
    for task in sorted({story.task for story in stories}):
        own = [story for story in stories if story.task == task]
        gold = [q.answer for story in own for q in story.questions]
        given = [answer for story in own for answer in answer_story(story, extractor, encoder)]
        right = sum(is_same_answer(a, b) for a, b in zip(given, gold, strict=True))
        scores.append(TaskScore(task, right, len(gold), max(map(gold.count, set(gold))) / len(gold)))
    return scores


def is_same_answer(answer: str, gold: str) -> bool:
    """Whether an answer is the given one; the order of a list does not matter."""
    return sorted(answer.casefold().split(",")) == sorted(gold.casefold().split(","))
