from __future__ import annotations

from pathlib import Path

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.datasets.babi import TASKS, load_tasks, read_stories
from graphmem.evaluation.state_tracking import is_same_answer

TEXT = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Mary took the milk.
5 What is Mary carrying? \tmilk\t4
1 Sandra went to the garden.
2 Where is Sandra? \tgarden\t1
"""


def test_a_file_is_read_story_by_story(tmp_path: Path) -> None:
    (tmp_path / "qa1_x_train.txt").write_text(TEXT)
    first, second = read_stories(tmp_path / "qa1_x_train.txt", 1)
    assert first.sentences == ("Mary moved to the bathroom.", "John went to the hallway.", "Mary took the milk.")
    assert [(q.text, q.answer, q.after, q.support) for q in first.questions] == [
        ("Where is Mary?", "bathroom", 2, (0,)),
        ("What is Mary carrying?", "milk", 3, (2,)),
    ]
    assert second.questions[0].after == 1


def test_what_ships_is_split_by_story() -> None:
    split = load_tasks()
    assert [len(part) for part in (split.train, split.dev, split.test)] == [140 * 9, 20 * 9, 40 * 9]
    assert {story.task for story in split.test} == set(TASKS)
    assert sum(len(story.questions) for story in split.test) == 200 * 9


@pytest.mark.parametrize("text", ["no number", "1 a\tb", "x Mary went.\n"])
def test_what_is_no_babi_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "qa1_x_train.txt").write_text(text)
    with pytest.raises(InvalidValue, match=":1 is no line"):
        load_tasks(tmp_path, [1])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="qa20_"):
        load_tasks(tmp_path, [20])


def test_lists_are_right_in_any_order() -> None:
    assert is_same_answer("milk,apple", "apple,milk") and is_same_answer("Garden", "garden")
    assert not is_same_answer("milk", "apple,milk")
