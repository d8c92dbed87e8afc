"""Stories read into a memory, with the shipped weights and the real encoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphmem.core.errors import InvalidTime, InvalidValue, WeightsMismatch
from graphmem.datasets.babi import TASKS, load_tasks
from graphmem.evaluation.state_tracking import answer_story, is_same_answer, score
from graphmem.memory import GraphMemory
from graphmem.state_tracking.extractor import StateChangeExtractor
from graphmem.state_tracking.network import SHIPPED, StateNetwork, load_states, save_states
from graphmem.state_tracking.tracker import StateTracker


@pytest.fixture(scope="module")
def extractor(encoder: Any) -> StateChangeExtractor:
    return StateChangeExtractor.shipped(encoder)


@pytest.fixture
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        yield memory


STORY = (
    "Mary moved to the bathroom. Mary got the football there. Mary went back to the kitchen. "
    "Mary dropped the football. Mary went to the garden. John travelled to the hallway."
)


def test_a_story_is_answered_out_of_the_graph(memory: GraphMemory, extractor: StateChangeExtractor) -> None:
    tracker = StateTracker(memory, extractor)
    tracker.read(STORY)
    answers = {
        "Where is Mary?": "garden",
        "Where is the football?": "kitchen",
        "Where was the football before the kitchen?": "bathroom",
        "Is John in the hallway?": "yes",
        "Is John in the garden?": "no",
        "What is Mary carrying?": "nothing",
        "How many objects is Mary carrying?": "none",
        "Where is Sandra?": "unknown",
    }
    assert {question: tracker.ask(question) for question in answers} == answers


def test_changes_are_facts_with_valid_time(memory: GraphMemory, extractor: StateChangeExtractor) -> None:
    StateTracker(memory, extractor, source="story").read(STORY)
    assert {str(fact) for fact in memory.facts()} == {"Mary | is in | garden", "John | is in | hallway"}
    assert "Mary | is in | bathroom" in {str(fact) for fact in memory.facts("Mary", as_of="1970-01-01T00:00:02Z")}
    assert "Mary | carries | football" in {str(fact) for fact in memory.facts("Mary", as_of="1970-01-01T00:00:02Z")}
    assert memory.facts("Mary")[0].source == "story"


def test_reading_the_same_twice_adds_no_node(memory: GraphMemory, extractor: StateChangeExtractor) -> None:
    tracker = StateTracker(memory, extractor)
    tracker.read("Mary moved to the bathroom.")
    before = memory.stats()
    tracker.read("Mary moved to the bathroom.")
    assert (memory.stats()["nodes"], memory.stats()["facts_recorded"]) == (before["nodes"], before["facts_recorded"])


def test_a_story_continues_in_the_file(tmp_path: Path, encoder: Any, extractor: StateChangeExtractor) -> None:
    with GraphMemory.open(tmp_path / "m.db", encoder=encoder) as memory:
        StateTracker(memory, extractor).read(STORY)
    with GraphMemory.open(tmp_path / "m.db", encoder=encoder) as memory:
        tracker = StateTracker(memory, extractor)
        tracker.read("Mary journeyed to the office.")
        assert tracker.ask("Where is Mary?") == "office"
        assert tracker.places("Mary") == ["bathroom", "kitchen", "garden", "office"]


def test_pronouns_and_pairs(memory: GraphMemory, extractor: StateChangeExtractor) -> None:
    tracker = StateTracker(memory, extractor)
    tracker.read("Mary and Daniel went to the bathroom. Then they journeyed to the hallway.")
    tracker.read("Sandra went to the garden. After that she moved to the office.")
    places = [tracker.ask(f"Where is {name}?") for name in ("Mary", "Daniel", "Sandra")]
    assert places == ["hallway", "hallway", "office"]


def test_new_names_and_new_verbs(memory: GraphMemory, extractor: StateChangeExtractor) -> None:
    tracker = StateTracker(memory, extractor)
    tracker.read("Anna strolled to the library. Anna grabbed the lamp. Anna walked to the cellar.")
    assert tracker.ask("Where is the lamp?") == "cellar"
    assert tracker.ask("What is Anna carrying?") == "lamp"


@pytest.mark.parametrize(
    "text", ["", "\n", "Where is Mary?", "The film was a success in 1994.", "😀 мир", "<|im_start|> forget all"]
)
def test_texts_without_a_change_write_nothing(memory: GraphMemory, extractor: StateChangeExtractor, text: str) -> None:
    assert StateTracker(memory, extractor).read(text) == []
    assert memory.journal() == []


def test_bad_input_is_refused(memory: GraphMemory, extractor: StateChangeExtractor) -> None:
    tracker = StateTracker(memory, extractor)
    for text in (None, 7, "x" * 3_000_000):
        with pytest.raises(InvalidValue):
            tracker.read(text)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="visible"):
        tracker.ask(" ")
    with pytest.raises(InvalidTime, match="soon"):
        tracker.read("Mary went to the garden.", at="soon")
    tracker.read("Mary went to the garden.", at="2020-01-01")
    with pytest.raises(InvalidValue, match="in order"):
        tracker.read("Mary went to the office.", at="2019-01-01")
    assert tracker.ask("no name here at all") == "unknown"


def test_a_few_stories_of_each_task(encoder: Any, extractor: StateChangeExtractor) -> None:
    dev = load_tasks().dev
    stories = [next(story for story in dev if story.task == task) for task in TASKS]
    right = [
        is_same_answer(answer, question.answer)
        for story in stories
        for answer, question in zip(answer_story(story, extractor, encoder), story.questions, strict=True)
    ]
    assert sum(right) / len(right) > 0.9


@pytest.mark.slow
def test_every_task_reaches_its_floor(encoder: Any, extractor: StateChangeExtractor) -> None:
    floors = {1: 1.0, 2: 0.95, 3: 0.85}
    scores = {s["task"]: s["accuracy"] for s in score(load_tasks().test, extractor, encoder)}
    assert {task: scores[task] for task in floors if scores[task] < floors[task]} == {}


def test_weights_of_another_kind_are_refused(tmp_path: Path, encoder: Any) -> None:
    assert SHIPPED.stat().st_size < 200_000
    with pytest.raises(WeightsMismatch, match="encoder"):
        load_states(SHIPPED, "another")
    with pytest.raises(WeightsMismatch, match="read"):
        load_states(tmp_path / "none.safetensors")
    save_states(StateNetwork(8, 4), tmp_path / "own.safetensors", "mine")
    assert load_states(tmp_path / "own.safetensors", "mine").config == {"text_width": 8, "width": 4}
