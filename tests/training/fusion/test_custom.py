"""Training on a user's facts: losses fall, runs are resumed, settings are checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from graphmem.cli.main import main
from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.splits import data_split
from graphmem.datasets.user_questions import own_questions, read_questions
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import byte_tokenizer, tiny_model
from graphmem.training.fusion.custom import CustomTraining, Stage, load_config, train_custom

PEOPLE = [f"{first} {last}" for first in ("Ada", "Bo", "Cleo", "Dag", "Eve") for last in ("Moss", "Reed", "Vale", "Wu")]
PLACES = ["Oslo", "Lima", "Quito", "Riga", "Baku"]


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        facts = [(name, "home town", PLACES[i % 5]) for i, name in enumerate(PEOPLE)]
        opened.add_many([*facts, *((place, "river", f"{place} Water") for place in PLACES)])
        yield opened


def small(steps: int = 12, **settings: Any) -> CustomTraining:
    stages = (Stage(0.5, max_hops=1, max_nodes=2), Stage(0.5))
    return CustomTraining(
        steps=steps, batch=4, kl_batch=1, rate=5e-3, save_every=2, max_questions=24, plain=4, max_nodes=4,
        dtype="float32", stages=stages, **settings,
    )  # fmt: skip


def base() -> Any:
    model = tiny_model("Llama")
    model.get_output_embeddings().weight.data.mul_(20.0)
    return model


def test_questions_are_made_from_the_facts(memory: GraphMemory) -> None:
    made = own_questions(memory, Random(0), 40)
    assert {question.hops for question in made} == {1, 2}
    for question in made:
        assert question.topic in question.question and question.answers
        held = {fact.object for fact in memory.facts(subject=question.topic)}
        ends = {fact.object for middle in held for fact in memory.facts(subject=middle)}
        assert set(question.answers) <= (held if question.hops == 1 else ends)


@pytest.mark.parametrize("name", ["Llama", "GPT2"])
def test_training_lowers_the_loss_and_weights_load(name: str, memory: GraphMemory, tmp_path: Path) -> None:
    model = tiny_model(name)
    model.get_output_embeddings().weight.data.mul_(20.0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    report = train_custom(model, byte_tokenizer(), memory, tmp_path, small(120))
    log = [json.loads(line) for line in (tmp_path / "stage1" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["answer"] < 0.8 * log[0]["answer"]
    rows = json.loads((tmp_path / "report.json").read_text())
    assert report.scores.n and rows["after"] == report.scores._asdict() and rows["before"] == report.before._asdict()
    for n, words in ((2, "2 questions about held-out topics: "), (1, "1 question about a held-out topic: ")):
        counted = report._replace(scores=report.scores._replace(n=n))
        assert str(counted).startswith(f"{words}right answers ")
    assert report.compared in str(report) and report.before.n == report.scores.n
    report.model.detach()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    again = GraphMemoryModel.from_pretrained(model, tmp_path, memory=memory, tokenizer=byte_tokenizer())
    assert any(abs(gate) > 0 for gate in again.fusion.gates().values())
    again.detach()
    torch.manual_seed(5)
    with pytest.raises(WeightsMismatch):
        GraphMemoryModel.from_pretrained(type(model)(model.config), tmp_path, memory=memory, tokenizer=byte_tokenizer())


def test_a_resumed_run_ends_with_the_same_weights(
    memory: GraphMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_custom(base(), byte_tokenizer(), memory, tmp_path / "whole", small())
    from graphmem.training.fusion.trainer import FusionTrainer

    losses, calls = FusionTrainer.losses, []

    def stopped(self: Any, step: int) -> Any:
        calls.append(step)
        if len(calls) == 9:  # in the middle of the second stage
            raise KeyboardInterrupt
        return losses(self, step)

    monkeypatch.setattr(FusionTrainer, "losses", stopped)
    with pytest.raises(KeyboardInterrupt):
        train_custom(base(), byte_tokenizer(), memory, tmp_path / "parts", small())
    again = train_custom(base(), byte_tokenizer(), memory, tmp_path / "parts", small())
    assert len(calls) < 2 * 12, "what was done is not done again"
    pairs = zip(whole.model.fusion.parameters(), again.model.fusion.parameters(), strict=True)
    assert all(torch.allclose(one, two, atol=5e-4) for one, two in pairs), "but for rounding"


def test_a_run_starts_from_given_weights_and_compares_with_them(memory: GraphMemory, tmp_path: Path) -> None:
    first = train_custom(base(), byte_tokenizer(), memory, tmp_path / "first", small(60))
    assert first.compared == "the base alone"
    still = replace(small(2), rate=1e-9)
    second = train_custom(base(), byte_tokenizer(), memory, tmp_path / "second", still, start=tmp_path / "first")
    assert second.compared == "the weights it started from" and second.before == first.scores == second.scores
    assert "(+0.000)" in str(second)
    pairs = zip(first.model.fusion.parameters(), second.model.fusion.parameters(), strict=True)
    assert all(torch.allclose(one, two, rtol=1e-2, atol=1e-4) for one, two in pairs), "but for bfloat16 on the disk"
    assert second.model.config.max_nodes == first.model.config.max_nodes


def test_other_weights_to_start_from_are_refused(memory: GraphMemory, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="no weights at"):
        train_custom(base(), byte_tokenizer(), memory, tmp_path / "a", small(), start=tmp_path / "nothing")
    train_custom(base(), byte_tokenizer(), memory, tmp_path / "run", small(2))
    with pytest.raises(WeightsMismatch, match="started from other weights"):
        train_custom(base(), byte_tokenizer(), memory, tmp_path / "run", small(2), start=tmp_path / "run")
    with pytest.raises(WeightsMismatch, match="vocabulary|model_type|width"):
        model = tiny_model("GPT2")
        train_custom(model, byte_tokenizer(), memory, tmp_path / "b", small(2), start=tmp_path / "run")


def test_without_held_out_topics_nothing_is_claimed(memory: GraphMemory, tmp_path: Path) -> None:
    questions = [q for q in own_questions(memory, Random(0), 40) if data_split(q.topic) == "train"]
    report = train_custom(base(), byte_tokenizer(), memory, tmp_path, small(2), questions=questions)
    assert report.scores.n == 0 and "nothing was compared" in str(report) and "0.000" not in str(report)


def test_settings_are_read_and_checked(tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text("steps = 50\nlayers = [1, 3]\n[[stages]]\nshare = 0.4\nmax_hops = 1\n[[stages]]\nshare = 0.6\n")
    config = load_config(good)
    assert config.steps == 50 and config.layers == (1, 3) and [s.share for s in config.stages] == [0.4, 0.6]
    assert load_config(None) == CustomTraining()
    for text, what in (
        ("stepz = 3", "stepz"), ("steps = 0", "0"), ("dtype = 'int8'", "int8"), ("steps = [", "cannot be read"),
        ("[[stages]]\nshare = 0.4", "0.4"), ("[[stages]]\nshare = 2.0", "2.0"), ("steps = 'many'", "type"),
    ):  # fmt: skip
        bad = tmp_path / "bad.toml"
        bad.write_text(text)
        with pytest.raises(InvalidValue, match=what):
            load_config(bad)


def test_questions_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "Who?", "answer": "Ada", "topic": "X"}\n\n{"question": "Where?", "answers": ["A"]}\n')
    assert [(q.topic, q.answers) for q in read_questions(path)] == [("X", ("Ada",)), ("Where?", ("A",))]
    path.write_text('{"question": "Who?"}\n')
    with pytest.raises(InvalidValue, match="line 1"):
        read_questions(path)


def test_test_topics_are_never_trained_on(memory: GraphMemory) -> None:
    from graphmem.training.fusion.custom import question_examples

    model = attach(base(), byte_tokenizer(), memory, small().fusion)
    questions = own_questions(memory, Random(0), 200)
    kept = [question for question in questions if data_split(question.topic) == "train"]
    made = question_examples(model, kept, small(), Random(0))
    prompts = {model.tokenizer.decode(example.prompt) for _, example in made}
    held_out = {question.topic for question in questions} - {question.topic for question in kept}
    assert held_out and not [p for p in prompts for topic in held_out if f"of {topic}" in p and topic in PEOPLE]


def test_the_command_starts_from_the_shipped_weights_only_where_there_are_some(tmp_path: Path) -> None:
    data = tmp_path / "facts.tsv"
    data.write_text("Ann\thome town\tOslo\n")
    given = ["train", "--base", "nowhere", "--data", str(data), "--out", str(tmp_path / "o"), "--start", "shipped"]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 1 and "no weights are shipped" in done.output


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["train", "--base", "nowhere-to-be-found", "--out", str(tmp_path)])
    assert done.exit_code == 2 and "--data" in done.output
