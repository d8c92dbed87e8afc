from __future__ import annotations

from typing import Any

import pytest
import torch

from graphmem.datasets.babi import Question, Story, load_tasks
from graphmem.state_tracking.extractor import StateChangeExtractor
from graphmem.state_tracking.network import StateNetwork
from graphmem.training.state_tracking.examples import Tables, encode_story, focused, names_of
from graphmem.training.state_tracking.soft_tracker import TrackedQuestion, likelihoods, loss

MARY, MILK, KITCHEN, GARDEN = 1, 2, 3, 4
PLACED, TAKEN, LEFT = 0, 1, 2


def story(*changes: tuple[int, int, int]) -> torch.Tensor:
    tensor = torch.zeros(1, len(changes), 5, 5, 3)
    for time, (what, first, second) in enumerate(changes):
        tensor[0, time, first, second, what] = 1.0
    return tensor


def chance(
    changes: torch.Tensor, kind: int, first: int, second: int, answers: tuple[int, ...], word: str = ""
) -> float:
    question = TrackedQuestion(0, changes.shape[1], first, second, answers, word, 0)
    return float(likelihoods(changes, [question], history=True)[0, kind])


def test_carried_things_are_where_their_carrier_is() -> None:
    changed = story((PLACED, MARY, KITCHEN), (TAKEN, MARY, MILK), (PLACED, MARY, GARDEN))
    assert chance(changed, 0, MILK, 0, (GARDEN,)) == 1.0
    assert chance(changed, 1, MILK, GARDEN, (KITCHEN,)) == 1.0
    left = torch.cat([changed, story((LEFT, MARY, MILK), (PLACED, MARY, KITCHEN))], 1)
    assert chance(left, 0, MILK, 0, (GARDEN,)) == 1.0
    assert chance(left, 0, MARY, 0, (KITCHEN,)) == 1.0


def test_counts_lists_and_yes_or_no() -> None:
    changed = story((PLACED, MARY, KITCHEN), (TAKEN, MARY, MILK))
    assert chance(changed, 2, MARY, KITCHEN, (), "yes") == 1.0
    assert chance(changed, 2, MARY, GARDEN, (), "no") == 1.0
    assert chance(changed, 3, MARY, 0, (), "one") == pytest.approx(1.0)
    assert chance(changed, 4, MARY, 0, (MILK,)) == 1.0
    assert chance(changed, 4, MARY, 0, (), "nothing") == 0.0


def test_floor_bounds_the_loss() -> None:
    kinds, answers = torch.zeros(1, 5), torch.zeros(1, 5)
    assert float(loss(kinds, answers, 0.05)) == pytest.approx(2.9957, abs=1e-3)


def test_names_are_words_of_questions_and_answers() -> None:
    story = Story(2, ("Mary took the milk.", "She went out."), (Question("Where is the milk?", "garden", 2, (0,)),))
    names = names_of([story, Story(1, (), (Question("Where is Mary?", "garden", 0, ()),))])
    assert names == {"milk", "garden", "mary"}
    made = encode_story(story, names, Tables())
    assert [len(part.rows) for part in focused(made, names)] == [2]


@pytest.mark.slow
def test_answers_alone_teach_verbs(encoder: Any) -> None:
    from graphmem.evaluation.state_tracking import score
    from graphmem.training.state_tracking.train import train

    split = load_tasks(None, [1, 2])
    network, notes = train(split.train[:60] + split.train[140:200], encoder, epochs=6, ordinary=1000)
    assert isinstance(network, StateNetwork) and notes["loss"][-1] < 0.2
    scores = score(split.dev, StateChangeExtractor(network, encoder), encoder)
    assert min(s["accuracy"] for s in scores) > 0.9
