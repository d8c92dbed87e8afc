from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.retrieval.nn.path_aligner import PathAligner
from graphmem.retrieval.nn.relation_gates import RelationGateConfig, RelationGates
from graphmem.training.loop import LoopConfig
from graphmem.training.retriever import gates as training
from graphmem.training.retriever.aligner import propose, train_aligner, with_similarity
from graphmem.training.retriever.examples import Adjacency, ArcVocabulary, Example, make_example, without_gold
from graphmem.training.retriever.gates import (
    ArcTable,
    QuestionBank,
    TrainingConfig,
    collate,
    draw,
    losses,
    train_gates,
    with_more_hops,
)
from graphmem.training.retriever.synthetic_examples import CompletionGraph, completion_examples, world_examples
from graphmem.training.retriever.train import main


@pytest.fixture(scope="module")
def texts() -> ArcVocabulary:
    return ArcVocabulary()


@pytest.fixture(scope="module")
def material(encoder: Any, texts: ArcVocabulary) -> tuple[list[Example], QuestionBank, ArcTable]:
    examples = world_examples(texts, "train", Random(0), worlds=3, questions=20)
    return examples, QuestionBank(encoder, [e.question for e in examples]), ArcTable(encoder, texts.names)


def test_training_lowers_the_loss_and_resumes_exactly(material: Any, tmp_path: Path, monkeypatch: Any) -> None:
    examples, bank, arcs = material
    config = TrainingConfig(steps=40, batch=8, rate=3e-3)
    monkeypatch.setattr(training, "LoopConfig", partial(LoopConfig, log_every=10, save_every=10))
    torch.manual_seed(0)
    start = RelationGates().state_dict()
    one, other, again = RelationGates(), RelationGates(), RelationGates()
    for gates in (one, other):
        gates.load_state_dict(start)
    log = train_gates(one, [examples], bank, arcs, config, tmp_path / "one")
    assert log[-1]["paths"] < 0.6 * log[0]["paths"]

    def stopping(*_: Any) -> Any:
        raise KeyboardInterrupt

    drawn = iter([draw] * 25 + [stopping])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "draw", lambda *given: next(drawn)(*given))
        train_gates(other, [examples], bank, arcs, config, tmp_path / "other")
    train_gates(again, [examples], bank, arcs, config, tmp_path / "other")
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), again.state_dict().values(), strict=True))


def test_the_aligner_learns_to_choose_among_what_the_gates_propose(
    material: Any, encoder: Any, texts: ArcVocabulary, tmp_path: Path
) -> None:
    examples, bank, arcs = material
    torch.manual_seed(0)
    candidates = with_similarity(propose(RelationGates().eval(), examples, bank, arcs, 16), bank, encoder, texts.names)
    assert all(each.gold.any() == example.gold.any() for each, example in zip(candidates, examples, strict=True))
    assert all((np.diff(each.prior) <= 0).all() and len(each.paths) <= 16 for each in candidates)
    config = TrainingConfig(steps=60, batch=8, rate=1.5e-3)
    log = train_aligner(PathAligner(), [candidates], bank, arcs, config, tmp_path)
    assert log[-1]["paths"] < 0.8 * log[0]["paths"]


def test_gates_are_lengthened_without_changing_what_they_knew() -> None:
    torch.manual_seed(0)
    short = RelationGates(RelationGateConfig(dim=12, hops=2))
    for parameter in short.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    given = (torch.randn(1, 12), torch.randn(1, 5, 12), torch.ones(1, 5, dtype=torch.bool), torch.randn(4, 12))
    steps, lengths = short.eval()(*given)
    longer_steps, longer_lengths = with_more_hops(short, 4).eval()(*given)
    assert longer_steps.shape == (1, 4, 4) and torch.allclose(longer_steps[:, :2], steps, atol=1e-5)
    assert torch.allclose(longer_lengths[:, :3], lengths, atol=1e-5)


def test_a_each_without_its_answer_keeps_the_other_paths(material: Any) -> None:
    examples, bank, arcs = material
    for each in propose(RelationGates().eval(), examples[:20], bank, arcs, 16):
        left = without_gold(each, Random(0))
        assert not left.gold.any() and len(left.paths) == len(left.prior)


def test_the_right_path_has_no_loss_when_it_scores_far_above() -> None:
    example = make_example("q", [(0,), (0, 2), (1,)], {(0, 2)})
    batch = collate([example])
    steps = torch.full((1, 4, 3), -30.0)
    steps[0, 0, 0], steps[0, 1, 2] = 30, 30
    lengths = torch.tensor([[-99.0, -30, 30, -30, -30]])
    whole, local = losses(steps, lengths, batch)
    assert whole < 1e-4 and local < 1e-4
    wrong, _ = losses(-steps, lengths, batch)
    assert wrong > 10


def test_the_answer_of_an_emptied_question_is_no_path() -> None:
    example = make_example("q", [(0,), (0, 2), (1,), (1, 2)], {(0, 2)})
    for seed in range(5):
        left = without_gold(example, Random(seed))
        assert (
            not left.gold.any() and [1, 2, -1, -1] in left.paths.tolist() and [0, 2, -1, -1] not in left.paths.tolist()
        )
        assert collate([left]).gold[0].tolist() == [False] * len(left.paths) + [True]


def test_walks_leave_the_topic_out_of_their_ends_only() -> None:
    graph = Adjacency([("a", "likes", "b"), ("c", "likes", "b"), ("a", "owns", "d")])
    likes, liked, owns = 0, 1, 2
    assert graph.walk("a", (likes, liked)) == {"c"} and graph.walk("a", (likes, liked, owns)) == {"d"}
    assert (likes, liked, owns) in graph.paths("a", Random(0))
    assert all(graph.walk("a", path) for path in graph.paths("a", Random(0)))


def test_questions_over_plain_graphs_ask_for_their_gold_paths() -> None:
    facts = [("x", "has_part", "y"), ("y", "made_of", "z"), ("w", "has_part", "y")]
    named = {"has_part": ["has part"], "made_of": ["made of"]}
    graph = CompletionGraph(facts, named, {"has_part": "part", "made_of": "material"})
    texts = ArcVocabulary()
    for example in completion_examples(texts, graph, Random(0), questions=20):
        gold = example.paths[example.gold]
        assert len(gold) and "it" in example.question.lower()
        for code in gold[0][gold[0] >= 0]:
            assert {"has part": "part", "made of": "material"}[texts.names[code // 2]] in example.question


@pytest.mark.slow
def test_the_command_writes_weights_that_load(tmp_path: Path, capsys: Any) -> None:
    from graphmem.retrieval.checkpoints import load_weights

    steps = ["--steps", "4", "--aligner-steps", "4"]
    main(["--out", str(tmp_path / "w.safetensors"), *steps, "--each", "1", "--worlds", "2"])
    assert set(load_weights(tmp_path / "w.safetensors")) == {"gates", "aligner"}
    assert "questions" in capsys.readouterr().out
