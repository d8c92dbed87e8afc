"""Training of the extraction network: WebNLG rows as examples, resuming, and the calibrated threshold."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.core.types import Fact
from graphmem.datasets.webnlg import webnlg_rows
from graphmem.reading.candidates import CandidateFact
from graphmem.reading.config import ExtractorConfig
from graphmem.reading.network import ExtractionNetwork
from graphmem.training.reader import train as reading
from graphmem.training.reader.corpus import Corpus, Item
from graphmem.training.reader.train import ExtractorTrainingConfig, train
from graphmem.training.reader.train_webnlg import calibrated, is_validation, webnlg_examples, webnlg_relations

ROW = {
    "category": "Airport",
    "triples": [["Ava Field", "cityServed", "Orda"], ["Orda", "country", "Veltia"]],
    "text": "Ava Field serves Orda, which lies in Veltia. It opened late.",
    "mentions": [
        {"entity": "Ava Field", "surface": "Ava Field", "type": "name"},
        {"entity": "Orda", "surface": "Orda", "type": "name"},
        {"entity": "Veltia", "surface": "Veltia", "type": "name"},
        {"entity": "Ava Field", "surface": "It", "type": "pronoun"},
    ],
}
TINY = ExtractorConfig(hidden_size=6, text_width=8, width=16, heads=2, feedforward=16, dropout=0.2)


class Encoder:
    dim, name = 8, "letters"

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = [np.random.default_rng(sum(map(ord, text))).normal(size=8) for text in texts]
        return np.asarray(rows, dtype=np.float32)


def test_rows_become_examples() -> None:
    (example,) = webnlg_examples([ROW])
    names = [example.text[m.start : m.end] for m in example.mentions]
    assert names == ["Ava Field", "Orda", "Veltia", "It"]
    assert [(f.subject, f.relation, f.object) for f in example.facts] == [(0, "city served", 1), (1, "country", 2)]
    assert [r.relation for r in webnlg_relations([ROW])] == ["city served", "country"]


def test_the_name_that_the_triples_use_is_a_name_of_the_thing() -> None:
    named = {**ROW, "text": "The port Ava Field serves Orda.", "mentions": [
        {"entity": "Ava Field (airport)", "surface": "The port Ava Field", "type": "name"}, ROW["mentions"][1],
    ], "triples": [["Ava Field (airport)", "cityServed", "Orda"]]}  # fmt: skip
    (gold,), _ = webnlg_rows([named], [ROW])
    assert gold.facts == (("port Ava Field", "city served", "Orda"),)
    assert gold.named("Ava Field") == gold.named("the port Ava Field") == "port ava field"
    assert gold.named("Ava") == "ava"


def test_texts_of_one_set_of_facts_are_held_back_together() -> None:
    other = {**ROW, "text": "Another text.", "triples": ROW["triples"][::-1]}
    assert [is_validation(ROW, share / 10) for share in range(11)] == [
        is_validation(other, share / 10) for share in range(11)
    ]
    assert is_validation(ROW, 1.0) and not is_validation(ROW, 0.0)


def corpus() -> Corpus:
    rng = np.random.default_rng(0)
    items = [
        Item(
            rng.normal(size=(5, 12)).astype(np.float16), torch.tensor([0, 1, 2, 0, 1]), torch.tensor([[1, 2, 4, 4]]),
            torch.tensor([[1, -1, 0]]), [(number % 2, False, 0)], True,
        )
        for number in range(10)
    ]  # fmt: skip
    return Corpus(items, np.ones((1, 8), np.float32), webnlg_relations([ROW]), [0, 0])


def fitted(folder: Path, monkeypatch: pytest.MonkeyPatch, stop: int | None = None) -> ExtractionNetwork:
    torch.manual_seed(0)
    config = reading.LoopConfig

    def every_step(*values: Any) -> Any:
        return replace(config(*values), save_every=1, log_every=1)

    monkeypatch.setattr(reading, "LoopConfig", every_step)
    if stop:
        losses = reading.batch_losses
        monkeypatch.setattr(reading, "batch_losses", stopped(losses, stop))
    return train(corpus(), Encoder(), ExtractorTrainingConfig(6, batch=4), ExtractionNetwork(TINY), folder=folder)


def stopped(losses: Any, stop: int) -> Any:
    def counted(*given: Any) -> Any:
        counted.left -= 1
        if counted.left < 0:
            raise KeyboardInterrupt
        return losses(*given)

    counted.left = stop
    return counted


def test_a_stopped_run_resumes_exactly(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = fitted(tmp_path / "whole", patch)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "cut", patch, stop=4)
    assert len((tmp_path / "cut" / "log.jsonl").read_text().splitlines()) == 4
    with pytest.MonkeyPatch.context() as patch:
        again = fitted(tmp_path / "cut", patch)
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]
    for one, two in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


class FakeExtractor:
    """Finds one right fact and, with a lower probability, a wrong one."""

    def read(self, text: str, **_: Any) -> list[CandidateFact]:
        right, wrong = Fact("Ava Field", "city served", "Orda"), Fact("Orda", "city served", "Veltia")
        return [CandidateFact(replace(right, confidence=0.4)), CandidateFact(replace(wrong, confidence=0.3))]


def test_the_threshold_is_the_best_one_on_validation_rows() -> None:
    network = ExtractionNetwork(TINY)
    found = calibrated(network, [ROW], [ROW], FakeExtractor())  # type: ignore[arg-type]
    assert 0.3 < network.config.fact_threshold <= 0.4 and network.config.fact_threshold == found["fact threshold"]
    assert found["facts"]["precision"] == 1.0 and found["at 0.5"]["f1"] == 0.0 and found["n"] == 1
