"""Evaluation of state tracking: bAbI's questions, answered from a memory that has read the story."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphmem.datasets.babi import Story
from graphmem.memory import GraphMemory
from graphmem.state_tracking.extractor import StateChangeExtractor
from graphmem.state_tracking.tracker import StateTracker


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


def score(stories: Sequence[Story], extractor: StateChangeExtractor, encoder: Any) -> list[dict[str, float]]:
    """Accuracy on each task of the stories; ``majority`` is that of always giving the most frequent answer."""
    rows = []
    for task in sorted({story.task for story in stories}):
        own = [story for story in stories if story.task == task]
        gold = [q.answer for story in own for q in story.questions]
        given = [answer for story in own for answer in answer_story(story, extractor, encoder)]
        right, majority = sum(map(is_same_answer, given, gold)), max(map(gold.count, set(gold)))
        shares = {"majority": majority / len(gold), "accuracy": right / len(gold)}
        rows.append({"task": task, "right": right, "questions": len(gold), **shares})
    return rows


def is_same_answer(answer: str, gold: str) -> bool:
    """Whether an answer is the given one; the order of a list does not matter."""
    return sorted(answer.casefold().split(",")) == sorted(gold.casefold().split(","))
