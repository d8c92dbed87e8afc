"""Training of the relation gates: a softmax over the paths of a graph, and over the steps along the gold path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmem.core.validation import require
from graphmem.encoding.embedding_cache import arc_texts
from graphmem.retrieval.nn.relation_gates import RelationGates, path_scores
from graphmem.training.loop import LoopConfig, run
from graphmem.training.retriever.examples import HOPS, Example, step_rng, without_gold


@dataclass(frozen=True, slots=True)
class GateTraining:
    """Settings of the training of the gates.

    Attributes:
        steps: optimiser steps.
        batch: questions a step, drawn evenly from the sources.
        rate: peak learning rate of the one-cycle schedule.
        weight_decay: of AdamW, towards plain text similarity.
        local: weight of the loss over single steps.
        unanswerable: share of questions whose gold paths are removed.
        token_dropout: share of a question's tokens that are masked.
        seed: of every draw.
    """

    steps: int = 2400
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 0.1
    local: float = 0.5
    unanswerable: float = 0.15
    token_dropout: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(self.batch >= 1, "batch", self.batch, "at least 1")


class QuestionBank:
    """Vectors and token states (float16) of all questions, encoded once."""

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

    def batch(self, texts: Sequence[str], token_dropout: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors [B, K], token states [B, T, K] and their mask [B, T], a share of it dropped in longer questions."""
        rows = [self.row[text] for text in texts]
        longest = max(int(self.lengths[row]) for row in rows)
        tokens = np.zeros((len(rows), longest, self.vectors.shape[1]), np.float32)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for i, row in enumerate(rows):
            tokens[i, : self.lengths[row]] = self.states[row]
            mask[i, : self.lengths[row]] = True
        if token_dropout:
            mask = mask & ((torch.rand(mask.shape) >= token_dropout) | (mask.sum(1, keepdim=True) < 5))
        return torch.from_numpy(self.vectors[rows]), torch.from_numpy(tokens), mask


class ArcTable:
    """Vectors of all arc texts in use."""

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
    """Examples, padded.

    Attributes:
        questions: the questions.
        codes: int64 [A], the arc texts in use.
        paths: int64 [B, P, hops], positions in ``codes``; the last row of each question is *no path*.
        real: bool [B, P], rows that are not padding.
        gold: bool [B, P], gold paths.
        siblings: bool [B, hops, P], paths that extend a prefix of a gold path by one step.
        gold_steps: bool [B, hops, P], siblings whose last step is also of the gold path.
    """

    questions: list[str]
    codes: np.ndarray
    paths: Tensor
    real: Tensor
    gold: Tensor
    siblings: Tensor
    gold_steps: Tensor


def collate(examples: Sequence[Example]) -> Batch:
    """Pad the paths of examples to [B, P, hops], and number the arc texts in use."""
    codes = np.unique(np.concatenate([example.paths.ravel() for example in examples]))
    codes = codes[codes >= 0]
    count = max(len(example.paths) for example in examples) + 1
    paths = np.full((len(examples), count, HOPS), -1, np.int64)
    real = np.zeros((len(examples), count), bool)
    gold = np.zeros((len(examples), count), bool)
    siblings = np.zeros((len(examples), HOPS, count), bool)
    gold_steps = np.zeros_like(siblings)
    for i, example in enumerate(examples):
        n = len(example.paths)
        paths[i, :n] = np.where(example.paths >= 0, np.searchsorted(codes, example.paths), -1)
        real[i, :n] = real[i, -1] = True
        gold[i, :n] = example.gold
        gold[i, -1] = not example.gold.any()
        siblings[i, :, :n], gold_steps[i, :, :n] = _siblings(example)
    arrays = (torch.from_numpy(array) for array in (paths, real, gold, siblings, gold_steps))
    return Batch([e.question for e in examples], codes, *arrays)


def _siblings(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """Siblings and gold steps of one example, bool [hops, P] each; see ``Batch``."""
    siblings = np.zeros((HOPS, len(example.paths)), bool)
    gold_steps = np.zeros_like(siblings)
    length = (example.paths >= 0).sum(1)
    for gold in example.paths[example.gold]:
        for hop in range(int((gold >= 0).sum())):
            same = (example.paths[:, :hop] == gold[:hop]).all(1) & (length == hop + 1)
            siblings[hop] |= same
            gold_steps[hop] |= same & (example.paths[:, hop] == gold[hop])
    return siblings, gold_steps


def gold_loss(scores: Tensor, gold: Tensor) -> Tensor:
    """Negative log of the softmax mass of the gold entries, [B], from scores [B, P] and bool [B, P]."""
    return -(scores.log_softmax(-1).masked_fill(~gold, -1e4)).logsumexp(-1)


def losses(steps: Tensor, lengths: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the gold paths among all paths, and of the gold steps among their siblings."""
    scores = path_scores(steps, lengths, batch.paths).masked_fill(~batch.real, -1e4)
    whole = gold_loss(scores, batch.gold).mean()
    local = [loss for hop in range(HOPS) if (loss := _step_loss(steps[:, hop], batch, hop)) is not None]
    return whole, torch.stack(local).mean() if local else whole.new_zeros(())


def _step_loss(steps: Tensor, batch: Batch, hop: int) -> Tensor | None:
    """Cross-entropy of the gold steps of one hop; None where no gold path is that long."""
    siblings, gold = batch.siblings[:, hop], batch.gold_steps[:, hop]
    rows = gold.any(-1)
    if not rows.any():
        return None
    picked = steps.gather(1, batch.paths[:, :, hop].clamp(min=0)).masked_fill(~siblings, -1e4)[rows]
    return gold_loss(picked, gold[rows]).mean()


def draw(sources: Sequence[Sequence[Example]], config: GateTraining, rng: Random) -> Batch:
    """A batch drawn evenly from the sources, a share of its questions made unanswerable."""
    drawn = [rng.choice(sources[i % len(sources)]) for i in range(config.batch)]
    return collate([without_gold(e, rng) if rng.random() < config.unanswerable else e for e in drawn])


def train_gates(
    gates: RelationGates, sources: Sequence[Sequence[Example]], bank: QuestionBank, arcs: ArcTable,
    config: GateTraining, folder: Path,
) -> list[dict[str, float]]:  # fmt: skip
    """Train in place; log and checkpoints lie in the folder, and a checkpoint there is resumed. Returns the log."""

    def step_losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        batch = draw(sources, config, step_rng(config.seed, step))
        question, tokens, mask = bank.batch(batch.questions, config.token_dropout)
        steps, lengths = gates(question, tokens, mask, gates.relations(*arcs.pick(batch.codes)))
        whole, local = losses(steps, lengths, batch)
        return {"paths": whole, "steps": config.local * local}, {}

    optimiser = torch.optim.AdamW(gates.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    gates.train()
    log = run(gates, optimiser, step_losses, LoopConfig(config.steps, seed=config.seed), folder)
    gates.eval()
    return log


def with_more_hops(gates: RelationGates, hops: int = HOPS) -> RelationGates:
    """The gates for more hops; the parameters of new hops are copies of the last one's."""
    old, longer = gates.state_dict(), RelationGates(replace(gates.config, hops=max(hops, gates.config.hops)))
    last = gates.config.hops - 1
    for name, value in longer.state_dict().items():
        known = old.get(name)
        if known is None:  # of a new hop
            known = old[f"ask.{last}.{name.split('.')[-1]}"]
        elif known.shape != value.shape:
            known = torch.cat([known, known[-1:].expand(len(value) - len(known), *known.shape[1:])])
        value.copy_(known)
    return longer
