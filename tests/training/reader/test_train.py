"""Training of the extraction network: a stopped run resumes exactly."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.reading.network import ExtractionNetwork, ExtractorConfig
from graphmem.text.lexicon import load_lexicon
from graphmem.training.reader import train as reading
from graphmem.training.reader.corpus import Corpus, Item
from graphmem.training.reader.train import train

TINY = ExtractorConfig(hidden_size=6, text_width=8, width=16, heads=2, feedforward=16, dropout=0.2)


class Encoder:
    dim, name = 8, "letters"

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = [np.random.default_rng(sum(map(ord, text))).normal(size=8) for text in texts]
        return np.asarray(rows, dtype=np.float32)


def corpus() -> Corpus:
    rng = np.random.default_rng(0)
    items = [
        Item(
            rng.normal(size=(5, 12)).astype(np.float16), torch.tensor([0, 1, 2, 0, 1]), torch.tensor([[1, 2, 4, 4]]),
            torch.tensor([[1, -1, 0]]), [(number % 2, False, 0)], True,
        )
        for number in range(10)
    ]  # fmt: skip
    return Corpus(items, np.ones((1, 8), np.float32), list(load_lexicon()[:2]))


def fitted(folder: Path, monkeypatch: pytest.MonkeyPatch, stop: int | None = None) -> ExtractionNetwork:
    torch.manual_seed(0)
    config = reading.LoopConfig

    def every_step(*values: Any) -> Any:
        return replace(config(*values), save_every=1, log_every=1)

    monkeypatch.setattr(reading, "LoopConfig", every_step)
    if stop:
        losses = reading.batch_losses
        monkeypatch.setattr(reading, "batch_losses", stopped(losses, stop))
    return train(corpus(), Encoder(), ExtractionNetwork(TINY), steps=6, folder=folder, batch=4)


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
