"""Training of the relation gates: a softmax over the paths of a graph, and over the steps along the gold path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from graphmem.encoding.embedding_cache import arc_texts
from graphmem.retrieval.nn.relation_gates import RelationGates, path_scores
from graphmem.training.loop import LoopConfig, run
from graphmem.training.retriever.examples import HOPS, Example, step_rng, without_gold

UNANSWERABLE = 0.15  # share of questions whose gold paths are removed
TOKEN_DROPOUT = 0.02  # share of a question's tokens that are masked
STEP_LOSS = 0.5  # weight of the loss over single steps
WEIGHT_DECAY = 0.1  # of AdamW, towards plain text similarity
Log = list[dict[str, float]]
StepLosses = Callable[[int], tuple[dict[str, Tensor], dict[str, float]]]


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of the training of gates and aligner.

    Attributes:
        batch: questions a step, drawn evenly from the sources.
        rate: peak of the one-cycle schedule.
    """

    steps: int = 2400
    batch: int = 32
    rate: float = 1e-3
    seed: int = 0


def fit(module: nn.Module, losses: StepLosses, folder: Path, *, steps: int, rate: float, decay: float) -> Log:
    """Train in place by AdamW and return the log; log and checkpoints lie in the folder, a checkpoint is resumed."""
    optimiser = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=decay)
    module.train()
    log = run(module, optimiser, losses, LoopConfig(steps), folder)
    module.eval()
    return log


class QuestionBank:
    """Vectors and token states (float16) of all questions, encoded once."""

    def __init__(self, encoder: Any, texts: Sequence[str]) -> None:
        distinct = list(dict.fromkeys(texts))
        self.row = {text: i for i, text in enumerate(distinct)}
        vectors, states, lengths = [], [], []
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
        tokens = pad_sequence([torch.from_numpy(self.states[row]).float() for row in rows], batch_first=True)
        lengths = torch.from_numpy(self.lengths[rows])[:, None]
        mask = torch.arange(tokens.shape[1]) < lengths
        if token_dropout:
            mask = mask & ((torch.rand(mask.shape) >= token_dropout) | (lengths < 5))
        return torch.from_numpy(self.vectors[rows]), tokens, mask


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


def arc_codes(examples: Sequence[Example], extra: Sequence[int] = ()) -> tuple[np.ndarray, list[np.ndarray]]:
    """Arc texts in use [A], with ``extra``; each example's paths as positions in them, int64 [P, HOPS], -1 kept."""
    codes = np.unique(np.concatenate([np.asarray(extra, np.int32), *(example.paths.ravel() for example in examples)]))
    codes = codes[codes >= 0]
    return codes, [np.where(each.paths >= 0, np.searchsorted(codes, each.paths), -1) for each in examples]


def collate(examples: Sequence[Example]) -> Batch:
    """Pad the paths of examples to [B, P, hops], and number the arc texts in use."""
    codes, numbered = arc_codes(examples)
    count = max(len(example.paths) for example in examples) + 1
    paths = np.full((len(examples), count, HOPS), -1, np.int64)
    real, gold = (np.zeros((len(examples), count), bool) for _ in range(2))
    siblings, gold_steps = (np.zeros((len(examples), HOPS, count), bool) for _ in range(2))
    for i, example in enumerate(examples):
        n = len(example.paths)
        paths[i, :n] = numbered[i]
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
    whole, local = gold_loss(scores, batch.gold).mean(), []
    for hop in range(HOPS):
        siblings, gold = batch.siblings[:, hop], batch.gold_steps[:, hop]
        rows = gold.any(-1)
        if rows.any():  # else no gold path is that long
            picked = steps[:, hop].gather(1, batch.paths[:, :, hop].clamp(min=0)).masked_fill(~siblings, -1e4)
            local.append(gold_loss(picked[rows], gold[rows]).mean())
    return whole, torch.stack(local).mean() if local else whole.new_zeros(())


def draw(sources: Sequence[Sequence[Example]], count: int, rng: Random) -> Batch:
    """A batch drawn evenly from the sources, a share of its questions made unanswerable."""
    drawn = [rng.choice(sources[i % len(sources)]) for i in range(count)]
    return collate([without_gold(e, rng) if rng.random() < UNANSWERABLE else e for e in drawn])


def train_gates(
    gates: RelationGates, sources: Sequence[Sequence[Example]], bank: QuestionBank, arcs: ArcTable,
    config: TrainingConfig, folder: Path,
) -> Log:  # fmt: skip
    """Train in place; see ``fit``."""

    def step_losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        batch = draw(sources, config.batch, step_rng(config.seed, step))
        question, tokens, mask = bank.batch(batch.questions, TOKEN_DROPOUT)
        steps, lengths = gates(question, tokens, mask, gates.relations(*arcs.pick(batch.codes)))
        whole, local = losses(steps, lengths, batch)
        return {"paths": whole, "steps": STEP_LOSS * local}, {}

    return fit(gates, step_losses, folder, steps=config.steps, rate=config.rate, decay=WEIGHT_DECAY)


def with_more_hops(gates: RelationGates, hops: int = HOPS) -> RelationGates:
    """The gates for more hops; the parameters of new hops are copies of the last one's."""
    old, longer = gates.state_dict(), RelationGates(replace(gates.config, hops=max(hops, gates.config.hops)))
    for name, value in longer.state_dict().items():
        known = old.get(name)
        if known is None:  # of a new hop
            known = old[f"ask.{gates.config.hops - 1}.{name.split('.')[-1]}"]
        elif known.shape != value.shape:
            known = torch.cat([known, known[-1:].expand(len(value) - len(known), *known.shape[1:])])
        value.copy_(known)
    return longer
