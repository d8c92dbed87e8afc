"""Training of the evidence encoder: batches, targets, losses that fall, weights that are written."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from graphmem.encoding.evidence_encoder import EvidenceNetwork, encode_pairs, load_evidence_weights
from graphmem.training.evidence import chain_examples, fact_examples, train
from graphmem.training.evidence.examples import Example, Unit
from graphmem.training.evidence.lexicon_examples import lexicon
from graphmem.training.evidence.train import batches, data_hash, losses_of, training_examples

FACTS = Example(
    "Where does Ann live?", (Unit("Ann | lives in | Oslo", ((17, 21),), True), Unit("Ann | likes | tea")), "made"
)
CLAIM = Example(
    "Is Ann from Oslo?", (Unit("Ann | lives in | Oslo", (), True, 1), Unit("Ann | likes | tea")), "made", True
)
STORY = Example("Who built it?", (Unit("Vik | " + "It was built by Per Dahl. " * 30, ((22, 30),), True),), "text")


@pytest.fixture
def network(encoder: Any) -> EvidenceNetwork:
    torch.manual_seed(0)
    return EvidenceNetwork.of(encoder.transformer)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer examples of the sets that are made without data."""
    monkeypatch.setattr(chain_examples, "over_worlds", partial(chain_examples.over_worlds, worlds=1, each=10))
    monkeypatch.setattr(fact_examples, "lexicon", partial(lexicon, each=1))


def test_every_example_is_in_one_batch_of_an_epoch(data: Path) -> None:
    rng = Random(0)
    examples = [*fact_examples.popqa(data, rng), *fact_examples.musique_steps(data, rng), *[STORY] * 9, *[FACTS] * 40]
    steps = batches(examples, 1500, 2, 0)
    assert sorted(at for step in steps for at in step) == sorted([*range(len(examples))] * 2)
    for step in steps:
        lengths = [train.length_of(examples[at]) for at in step]
        assert sum(lengths[:-1]) < 1500, "the step is closed by the example that fills it"
    assert batches(examples, 1500, 2, 0) == steps != batches(examples, 1500, 2, 1)


def test_units_of_similar_length_are_read_together() -> None:
    rng = Random(0)
    lengths = [rng.choice((12, 14, 20, 90, 220)) for _ in range(200)] + [9000]
    made = train.groups(lengths, 2000)
    assert sorted(row for rows in made for row in rows) == list(range(201)) and [200] in made
    padded = sum(max(lengths[row] for row in rows) * len(rows) for rows in made)
    assert all(max(lengths[row] for row in rows) * len(rows) <= 2000 or len(rows) == 1 for rows in made)
    assert padded < 1.25 * sum(lengths) and train.groups([]) == []


def test_losses_do_not_depend_on_the_order_of_the_units(encoder: Any, network: EvidenceNetwork) -> None:
    turned = [replace(example, units=example.units[::-1]) for example in (FACTS, CLAIM, STORY)]
    with torch.no_grad():
        one, other = (losses_of(network, encoder.tokenizer, rows) for rows in ([FACTS, CLAIM, STORY], turned))
    assert {key: round(float(v), 2) for key, v in one.items()} == {key: round(float(v), 2) for key, v in other.items()}


def test_losses_are_finite_and_fall(encoder: Any, network: EvidenceNetwork) -> None:
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=3e-4)
    network.eval()
    seen = []
    for _ in range(4):
        found = losses_of(network, encoder.tokenizer, [FACTS, CLAIM, STORY])
        assert set(found) == {"span", "rank", "asks", "verdict"} and all(v.isfinite() for v in found.values())
        total = torch.stack(list(found.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        seen.append(float(total.detach()))
    assert seen[3] < seen[0] and all(p.grad is None for p in network.bert.embeddings.parameters())


@pytest.mark.parametrize("example", [
    Example("Where?", (Unit("Ann | likes | tea"), Unit("Ann | likes | jam")), "nothing answers"),
    Example("Is it?", (Unit("Ann | likes | tea"),), "nothing answers", True),
    Example("x " * 400, (Unit("y " * 900 + "z", ((1800, 1801),), True),), "the answer is cut off"),
    Example("", (Unit("-", ((0, 1),), True),), "no question"),
], ids=lambda example: example.source)  # fmt: skip
def test_losses_of_odd_examples_are_finite(encoder: Any, network: EvidenceNetwork, example: Example) -> None:
    with torch.no_grad():
        assert all(math.isfinite(value) for value in losses_of(network, encoder.tokenizer, [example]).values())


def test_targets_stand_at_the_tokens_of_the_answer(encoder: Any) -> None:
    examples = [FACTS, CLAIM, STORY, Example("q", (Unit("y " * 900 + "z", ((1800, 1801),), True),), "cut off")]
    units = [(number, unit) for number, example in enumerate(examples) for unit in example.units]
    encoded = encode_pairs(
        encoder.tokenizer, [examples[n].question for n, _ in units], [unit.text for _, unit in units]
    )
    length = encoded.features["input_ids"].shape[1]
    starts, ends, weights = train._span_targets(encoded.offsets, units, examples, length)
    for row, (_, unit) in enumerate(units[:5]):
        at = list(zip(starts[row].nonzero()[:, 0].tolist(), ends[row].nonzero()[:, 0].tolist(), strict=True))
        found = [unit.text[encoded.offsets[row][a][0] : encoded.offsets[row][b][1]] for a, b in at]
        assert found == [unit.text[a:b] for a, b in unit.spans] or at == [(0, 0)]
    assert weights.tolist() == pytest.approx([1.0, train.NULL_WEIGHT, 0.0, 0.0, 1.0, 0.0])
    assert not starts[5].any(), "an answer that was cut off is no evidence that there is none"


def test_the_sets_are_bounded_mixed_and_fixed_by_the_seed(data: Path, checked: Any, small: None) -> None:
    made = training_examples(data, 0, 30)
    checked(made)
    counts = {source: sum(example.source == source for example in made) for source in {e.source for e in made}}
    assert max(counts.values()) <= 60 and len(counts) > 15  # metaqa and 2wiki are made by two makers each
    assert counts["boolq"] == round(30 * train.FEWER["boolq"])
    kinds = {(unit.text.count(" | ") >= 2) for example in made if example.source == "popqa" for unit in example.units}
    assert kinds == {True, False}, "passages stand beside facts"
    assert training_examples(data, 0, 30) == made != training_examples(data, 1, 30)


def test_the_hash_of_the_data_is_of_the_files_that_are_read(data: Path, tmp_path: Path) -> None:
    before = data_hash(data)
    assert before == data_hash(data) != data_hash(tmp_path)
    for name in train.SETS:
        if name not in ("drop", "kgc", "kgc_inductive_grail"):
            assert (data / name).is_dir(), name


def test_the_trainer_writes_weights_that_can_be_read(
    data: Path, tmp_path: Path, encoder: Any, small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made.safetensors"
    options = ["--data", str(data), "--out", str(out), "--each", "4", "--steps", "2", "--tokens", "400"]
    train.main(options)
    found = load_evidence_weights(out, encoder.fingerprint)
    assert found.meta["steps"] == 2 and found.meta["data"] == data_hash(data)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["out"] == str(out)
    network = EvidenceNetwork.of(encoder.transformer).load_trained(found.tensors)
    with torch.no_grad():
        assert all(math.isfinite(v) for v in losses_of(network, encoder.tokenizer, [FACTS]).values())


def test_weights_between_the_beginning_and_the_end_are_written(
    data: Path, tmp_path: Path, encoder: Any, small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(data), "--each", "4", "--steps", "1", "--tokens", "200", "--rate", "1e-2"]
    paths = [tmp_path / f"{name}.safetensors" for name in ("begun", "trained", "between")]
    train.main([*options, "--out", str(paths[0])])
    for path, share in zip(paths[1:], ("1", "0.25"), strict=True):
        train.main([*options, "--seed", "1", "--start", str(paths[0]), "--interpolate", share, "--out", str(path)])
    begun, trained, between = (
        load_evidence_weights(path, encoder.fingerprint).tensors["span.weight"] for path in paths
    )
    moved, part = trained.float() - begun.float(), between.float() - begun.float()
    assert float(moved.abs().max()) > 1e-3
    assert torch.allclose(part, 0.25 * moved, atol=2e-3) and not torch.allclose(part, moved, atol=2e-3)
    with pytest.raises(SystemExit):
        train.main([*options, "--interpolate", "0.5", "--out", str(tmp_path / "none.safetensors")])
    assert "trained from those of --start" in capsys.readouterr().err
