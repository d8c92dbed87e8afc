"""Trains the gates: a softmax over the relation paths that a graph offers, and over the steps along the right one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmem.encoder import arc_texts
from graphmem.errors import InvalidValue
from graphmem.gates import Gates, path_scores
from graphmem.training.retrieval_data import HOPS, Example, without_gold

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GateTraining:
    """How the gates are trained.

    Attributes:
        steps: optimiser steps.
        batch: questions a step, drawn evenly from the sources.
        rate: peak learning rate of the one-cycle schedule.
        local: weight of the loss over single steps beside that over whole paths.
        weight_decay: of AdamW, towards plain text similarity.
        unanswerable: share of questions whose right paths are taken away.
        token_dropout: share of a question's tokens left out.
        seed: of every draw.
    """

    steps: int = 3000
    batch: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.05
    local: float = 0.5
    unanswerable: float = 0.15
    token_dropout: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise InvalidValue(f"steps and batch must be at least 1, not {self.steps!r} and {self.batch!r}")


class QuestionBank:
    """Vectors and token states (fp16) of all questions, made once."""

    def __init__(self, encoder: Any, texts: Sequence[str]) -> None:
        self.row = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        vectors, states, lengths = [], [], []
        distinct = list(self.row)
        for start in range(0, len(distinct), 512):
            chunk = distinct[start : start + 512]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                pooled, tokens, mask = encoder.encode_both(chunk)
            vectors.append(pooled)
            lengths.append(mask.sum(1))
            states += [tokens[i, mask[i]].astype(np.float16) for i in range(len(chunk))]
        self.vectors = np.concatenate(vectors)
        self.states, self.lengths = states, np.concatenate(lengths)

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors [B, K], token states [B, T, K] and their mask [B, T]."""
        rows = [self.row[text] for text in texts]
        longest = max(int(self.lengths[row]) for row in rows)
        tokens = np.zeros((len(rows), longest, self.vectors.shape[1]), np.float32)
        mask = np.zeros((len(rows), longest), bool)
        for i, row in enumerate(rows):
            tokens[i, : self.lengths[row]] = self.states[row]
            mask[i, : self.lengths[row]] = True
        return torch.from_numpy(self.vectors[rows]), torch.from_numpy(tokens), torch.from_numpy(mask)


class ArcTable:
    """Vectors of every arc text that some example uses."""

    def __init__(self, encoder: Any, names: Sequence[str]) -> None:
        texts = arc_texts(names)
        self.texts = torch.from_numpy(encoder.encode(texts))
        self.names = torch.from_numpy(encoder.encode([name for name in names for _ in (0, 1)]))
        self.directions = torch.arange(len(texts)) % 2

    def pick(self, codes: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Names [A, K], texts [A, K] and directions [A] of some arc texts."""
        rows = torch.from_numpy(codes.astype(np.int64))
        return self.names[rows], self.texts[rows], self.directions[rows]


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples packed together.

    Attributes:
        asked: the questions.
        codes: int64 [A], the arc texts in use.
        paths: int64 [B, P, hops], positions in ``codes``; the last row of each question is *no path*.
        real: bool [B, P], rows that are no padding.
        gold: bool [B, P], right paths.
        beside: bool [B, hops, P], paths that are a right path's beginning and one step more.
        right: bool [B, hops, P], those of them whose last step is right too.
    """

    asked: list[str]
    codes: np.ndarray
    paths: Tensor
    real: Tensor
    gold: Tensor
    beside: Tensor
    right: Tensor


def pack(examples: Sequence[Example]) -> Batch:
    """Pad the examples' paths to [B, P, hops] and number the arc texts that they use."""
    codes = np.unique(np.concatenate([example.paths.ravel() for example in examples]))
    codes = codes[codes >= 0]
    count = max(len(example.paths) for example in examples) + 1
    paths = np.full((len(examples), count, HOPS), -1, np.int64)
    real = np.zeros((len(examples), count), bool)
    gold = np.zeros((len(examples), count), bool)
    beside = np.zeros((len(examples), HOPS, count), bool)
    right = np.zeros_like(beside)
    for i, example in enumerate(examples):
        n = len(example.paths)
        paths[i, :n] = np.where(example.paths >= 0, np.searchsorted(codes, example.paths), -1)
        real[i, :n] = real[i, -1] = True
        gold[i, :n] = example.gold
        gold[i, -1] = not example.gold.any()
        beside[i, :, :n], right[i, :, :n] = _along(example)
    arrays = (torch.from_numpy(array) for array in (paths, real, gold, beside, right))
    return Batch([e.asked for e in examples], codes, *arrays)


def _along(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """For every hop, the paths that share a gold path's beginning and go one step on; and the right ones of them."""
    beside = np.zeros((HOPS, len(example.paths)), bool)
    right = np.zeros_like(beside)
    length = (example.paths >= 0).sum(1)
    for gold in example.paths[example.gold]:
        for hop in range(int((gold >= 0).sum())):
            same = (example.paths[:, :hop] == gold[:hop]).all(1) & (length == hop + 1)
            beside[hop] |= same
            right[hop] |= same & (example.paths[:, hop] == gold[hop])
    return beside, right


def losses(steps: Tensor, lengths: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the right paths among all, and of the right steps among those possible beside them."""
    scores = path_scores(steps, lengths, batch.paths).masked_fill(~batch.real, -1e4)
    whole = -(scores.log_softmax(-1).masked_fill(~batch.gold, -1e4)).logsumexp(-1).mean()
    local = [loss for hop in range(HOPS) if (loss := _step_loss(steps[:, hop], batch, hop)) is not None]
    return whole, torch.stack(local).mean() if local else whole.new_zeros(())


def _step_loss(steps: Tensor, batch: Batch, hop: int) -> Tensor | None:
    """Cross-entropy of the gold paths' step ``hop`` among the steps that lead on from their beginning."""
    beside, right = batch.beside[:, hop], batch.right[:, hop]
    rows = right.any(-1)
    if not rows.any():
        return None
    picked = steps.gather(1, batch.paths[:, :, hop].clamp(min=0)).masked_fill(~beside, -1e4)[rows]
    return -(picked.log_softmax(-1).masked_fill(~right[rows], -1e4)).logsumexp(-1).mean()


def batches(sources: Sequence[Sequence[Example]], config: GateTraining) -> Iterator[Batch]:
    """Endless batches drawn evenly from the sources, some of their questions made unanswerable."""
    rng = Random(config.seed)
    while True:
        drawn = [rng.choice(sources[i % len(sources)]) for i in range(config.batch)]
        yield pack([without_gold(e, rng) if rng.random() < config.unanswerable else e for e in drawn])


def train_gates(
    gates: Gates, sources: Sequence[Sequence[Example]], bank: QuestionBank, arcs: ArcTable, config: GateTraining
) -> list[float]:
    """Train in place; returns the loss of every step."""
    torch.manual_seed(config.seed)
    optimiser = torch.optim.AdamW(gates.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, total_steps=config.steps, pct_start=0.1)
    history: list[float] = []
    gates.train()
    for step, batch in zip(range(config.steps), batches(sources, config), strict=False):
        question, tokens, mask = bank.batch(batch.asked)
        mask = mask & ((torch.rand(mask.shape) >= config.token_dropout) | (mask.sum(1, keepdim=True) < 5))
        relations = gates.relations(*arcs.pick(batch.codes))
        whole, local = losses(*gates(question, tokens, mask, relations), batch)
        loss = whole + config.local * local
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(gates.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        history.append(float(loss.detach()))
        if step % 100 == 99:
            log.info(
                "step %d loss %.3f (paths %.3f, steps %.3f)",
                step + 1,
                np.mean(history[-100:]),
                whole.item(),
                local.item(),
            )
    gates.eval()
    return history


@torch.inference_mode()
def path_accuracy(gates: Gates, examples: Sequence[Example], bank: QuestionBank, arcs: ArcTable) -> np.ndarray:
    """Of each example: is the best path a right one, and is *no path* rightly above or below it; bool [n, 2]."""
    right = []
    for start in range(0, len(examples), 64):
        batch = pack(examples[start : start + 64])
        relations = gates.relations(*arcs.pick(batch.codes))
        steps, lengths = gates(*bank.batch(batch.asked), relations)
        scores = path_scores(steps, lengths, batch.paths).masked_fill(~batch.real, -1e4)
        best = scores[:, :-1].argmax(-1, keepdim=True)
        none = scores[:, -1].exp() > scores[:, :-1].exp().sum(-1)
        right.append(torch.stack([batch.gold.gather(1, best)[:, 0], none == batch.gold[:, -1]], 1).numpy())
    return np.concatenate(right)
