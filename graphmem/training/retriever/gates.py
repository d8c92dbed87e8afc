"""Trains the gates: a softmax over the relation paths that a graph offers, and over the steps along the right one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmem.core.errors import InvalidValue
from graphmem.encoding.embedding_cache import arc_texts
from graphmem.retrieval.nn.relation_gates import RelationGates, path_scores
from graphmem.training.retriever.examples import HOPS, Example, without_gold

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

    steps: int = 2400
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 0.1
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

    questions: list[str]
    codes: np.ndarray
    paths: Tensor
    real: Tensor
    gold: Tensor
    beside: Tensor
    right: Tensor


def collate(examples: Sequence[Example]) -> Batch:
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
    return Batch([e.question for e in examples], codes, *arrays)


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


def draw(sources: Sequence[Sequence[Example]], config: GateTraining, rng: Random) -> Batch:
    """A batch drawn evenly from the sources, some of its questions made unanswerable."""
    drawn = [rng.choice(sources[i % len(sources)]) for i in range(config.batch)]
    return collate([without_gold(e, rng) if rng.random() < config.unanswerable else e for e in drawn])


class GateTrainer:
    """Trains gates in place; what it has come to can be saved and taken up again.

    Args:
        gates: what is trained.
        bank: the questions' vectors.
        arcs: the arc texts' vectors.
        config: how.
        only: names of the parameters' modules to train; all when empty.
    """

    def __init__(
        self,
        gates: RelationGates,
        bank: QuestionBank,
        arcs: ArcTable,
        config: GateTraining,
        *,
        only: Sequence[str] = (),
    ) -> None:
        self.gates, self.bank, self.arcs, self.config = gates, bank, arcs, config
        torch.manual_seed(config.seed)
        chosen = [p for name, p in gates.named_parameters() if not only or name.split(".")[0] in only]
        self.optimiser = torch.optim.AdamW(chosen, lr=config.rate, weight_decay=config.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, config.rate, total_steps=config.steps, pct_start=0.1
        )
        self.rng, self.step, self.history = Random(config.seed), 0, [0.0][:0]

    def run(self, sources: Sequence[Sequence[Example]], checkpoint: Path | None = None) -> list[float]:
        """Take all steps that are left; returns the loss of every step so far."""
        if checkpoint is not None and checkpoint.exists():
            self.load(checkpoint)
        self.gates.train()
        while self.step < self.config.steps:
            whole, local = self.advance(draw(sources, self.config, self.rng))
            if self.step % 100 == 0:
                mean = float(np.mean(self.history[-100:]))
                log.info("step %d loss %.3f (paths %.3f, steps %.3f)", self.step, mean, whole, local)
            if checkpoint is not None and self.step % 500 == 0:
                self.save(checkpoint)
        self.gates.eval()
        return self.history

    def advance(self, batch: Batch) -> tuple[float, float]:
        """One optimiser step; returns the losses over whole paths and over single steps."""
        question, tokens, mask = self.bank.batch(batch.questions)
        mask = mask & ((torch.rand(mask.shape) >= self.config.token_dropout) | (mask.sum(1, keepdim=True) < 5))
        relations = self.gates.relations(*self.arcs.pick(batch.codes))
        steps, lengths = self.gates(question, tokens, mask, relations)
        whole, local = losses(steps, lengths, batch)
        loss = whole + self.config.local * local
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.gates.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self.history.append(float(loss.detach()))
        return float(whole.detach()), float(local.detach())

    def save(self, path: Path) -> None:
        """Write everything that is needed to go on exactly here."""
        parts = {name: getattr(self, name).state_dict() for name in ("gates", "optimiser", "schedule")}
        chance = {"rng": self.rng.getstate(), "torch": torch.get_rng_state()}
        partial = path.with_suffix(".partial")
        torch.save(
            parts | chance | {"step": self.step, "history": self.history, "config": asdict(self.config)}, partial
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            InvalidValue: it was made with other settings.
        """
        state = torch.load(path, weights_only=False)
        if state["config"] != asdict(self.config):
            raise InvalidValue(
                f"{path} was made with {state['config']}, not {asdict(self.config)}; remove it to start anew"
            )
        for name in ("gates", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.rng.setstate(state["rng"])
        torch.set_rng_state(state["torch"])
        self.step, self.history = state["step"], state["history"]


def with_more_hops(gates: RelationGates, hops: int = HOPS) -> RelationGates:
    """The same gates for more hops: what is new reads, and counts, as the last hop did."""
    old, longer = gates.state_dict(), RelationGates(replace(gates.config, hops=max(hops, gates.config.hops)))
    last = gates.config.hops - 1
    for name, value in longer.state_dict().items():
        known = old.get(name)
        if known is None:  # of a hop that is new
            known = old[f"ask.{last}.{name.split('.')[-1]}"]
        elif known.shape != value.shape:
            known = torch.cat([known, known[-1:].expand(len(value) - len(known), *known.shape[1:])])
        value.copy_(known)
    return longer


@torch.inference_mode()
def path_accuracy(gates: RelationGates, examples: Sequence[Example], bank: QuestionBank, arcs: ArcTable) -> np.ndarray:
    """Of each example: is the best path a right one, and is *no path* rightly above or below it; bool [n, 2]."""
    right = []
    for start in range(0, len(examples), 64):
        batch = collate(examples[start : start + 64])
        relations = gates.relations(*arcs.pick(batch.codes))
        steps, lengths = gates(*bank.batch(batch.questions), relations)
        scores = path_scores(steps, lengths, batch.paths).masked_fill(~batch.real, -1e4)
        best = scores[:, :-1].argmax(-1, keepdim=True)
        none = scores[:, -1].exp() > scores[:, :-1].exp().sum(-1)
        right.append(torch.stack([batch.gold.gather(1, best)[:, 0], none == batch.gold[:, -1]], 1).numpy())
    return np.concatenate(right)
