"""Evaluation of state tracking: bAbI's questions, answered from a memory that has read the story."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from graphmem.datasets.babi import TASKS, Story, load_tasks
from graphmem.memory import GraphMemory
from graphmem.state_tracking.extractor import StateChangeExtractor
from graphmem.state_tracking.network import SHIPPED, load_states
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


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    from graphmem.hub import load_encoder

    parser = argparse.ArgumentParser(prog="graphmem evaluate stories", description="Score bAbI's questions.")
    parser.add_argument("--data", help="bAbI's `en` folder; what ships with graphmem if left out")
    parser.add_argument("--weights", default=str(SHIPPED), help="of the state reader; the shipped ones if left out")
    parser.add_argument(
        "--part", choices=["dev", "test"], default="test", help="the last 40 stories of each file: test"
    )
    parser.add_argument("--tasks", type=int, nargs="+", default=list(TASKS))
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    encoder = load_encoder()
    reader = StateChangeExtractor(load_states(options.weights, encoder.fingerprint), encoder)
    split = load_tasks(options.data, options.tasks)
    scores = score(split.test if options.part == "test" else split.dev, reader, encoder)
    if options.json:
        print(json.dumps([{**asdict(s), "accuracy": s.accuracy} for s in scores], indent=2))
    else:
        print("| task | right | n | commonest answer |\n|---|---|---|---|")
        print("\n".join(f"| {s.task} | {s.accuracy:.3f} | {s.questions} | {s.majority:.3f} |" for s in scores))


if __name__ == "__main__":
    main()
