"""Trains the aligner: the right path above the others that the gates would propose, and whether there is one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from graphmem.core.errors import InvalidValue
from graphmem.encoding.embedding_cache import arc_texts, path_phrase
from graphmem.retrieval.nn.path_aligner import PathAligner
from graphmem.retrieval.nn.relation_gates import RelationGates, path_scores
from graphmem.retrieval.relation_scorer import PHRASE_WEIGHT
from graphmem.training.retriever.examples import HOPS, Example
from graphmem.training.retriever.gates import ArcTable, QuestionBank, collate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlignerTraining:
    """How the aligner is trained.

    Attributes:
        steps: optimiser steps.
        batch: questions a step, drawn evenly from the sources.
        rate: peak learning rate of the one-cycle schedule.
        weight_decay: of AdamW.
        candidates: paths that a question is shown with.
        unanswerable: share of questions whose right paths are taken away.
        blind: share of questions that are judged without what the gates said, which on new relations says less.
        unworded: share of questions that are judged without the likeness of wordings; of the others some of it counts.
        token_dropout: share of a question's tokens left out.
        noise: standard deviation of what is added to text vectors, per component times sqrt(K).
        seed: of every draw.
    """

    steps: int = 2400
    batch: int = 32
    rate: float = 1.5e-3
    weight_decay: float = 0.05
    candidates: int = 24
    unanswerable: float = 0.2
    blind: float = 0.5
    unworded: float = 0.3
    token_dropout: float = 0.05
    noise: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.candidates < 2:
            raise InvalidValue(
                f"steps and batch must be at least 1 and candidates 2, not {self.steps!r}, {self.batch!r} and "
                f"{self.candidates!r}"
            )


@dataclass(frozen=True, slots=True)
class PathCandidates:
    """A question with the paths that the gates propose, best first.

    Attributes:
        asked: the question, topic blanked.
        paths: int32 [P, HOPS], arc texts; -1 past a path's end.
        prior: float32 [P], what the gates said, in nats below the best.
        gold: bool [P], the right ones.
        likeness: float32 [P], cosine of the question and each path's wording; see ``with_similarity``.
    """

    question: str
    paths: np.ndarray
    prior: np.ndarray
    gold: np.ndarray
    likeness: np.ndarray

    def at(self, places: np.ndarray) -> PathCandidates:
        """The same question with some of the paths."""
        return PathCandidates(
            self.question, self.paths[places], self.prior[places], self.gold[places], self.likeness[places]
        )  # fmt: skip


@torch.inference_mode()
def propose(
    gates: RelationGates, examples: Sequence[Example], bank: QuestionBank, arcs: ArcTable, most: int
) -> list[PathCandidates]:
    """The best paths of every example by the gates, those next to a right one and the right ones themselves."""
    choices = []
    for start in range(0, len(examples), 64):
        chunk = examples[start : start + 64]
        batch = collate(chunk)
        steps, lengths = gates(*bank.batch(batch.questions), gates.relations(*arcs.pick(batch.codes)))
        scores = path_scores(steps, lengths, batch.paths).numpy()
        choices += [
            _chosen(example, row[: len(example.paths)], most) for example, row in zip(chunk, scores, strict=True)
        ]
    return choices


def _chosen(example: Example, scores: np.ndarray, most: int) -> PathCandidates:
    bonus = np.zeros(len(scores))
    if example.gold.any():
        near = np.zeros(len(scores), bool)
        for gold in example.paths[example.gold][:2]:
            near |= (example.paths != gold).sum(1) <= 1  # a step more, a step less, or another step
        bonus = 4.0 * near + 1e6 * example.gold
    order = np.argsort(-(scores + bonus), kind="stable")[:most]
    order = order[np.argsort(-scores[order], kind="stable")]
    best = scores.max(initial=-1e4)
    prior = (scores[order] - best).astype(np.float32)
    return PathCandidates(example.question, example.paths[order], prior, example.gold[order], 0 * prior)


def with_similarity(
    choices: Sequence[PathCandidates], bank: QuestionBank, encoder: Any, names: Sequence[str], chunk: int = 512
) -> list[PathCandidates]:
    """The same choices with the likeness of question and wording; every wording is encoded once.

    Args:
        choices: from ``propose``.
        bank: vectors of the questions.
        encoder: of texts.
        names: relation names, in the order of arc texts (``Texts.names``).
        chunk: wordings that are encoded at a time.
    """
    texts = arc_texts(names)
    paths = sorted({path for choice in choices for path in _codes(choice)}, key=len)
    row = {path: i for i, path in enumerate(paths)}
    vectors = np.empty((len(paths), encoder.dim), np.float16)
    for start in tqdm(range(0, len(paths), chunk), desc="wordings", unit_scale=chunk, disable=len(paths) < 20 * chunk):
        said = [path_phrase([texts[code] for code in path]) for path in paths[start : start + chunk]]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            vectors[start : start + len(said)] = encoder.encode(said)
    return [
        replace(
            choice, likeness=vectors[[row[path] for path in _codes(choice)]] @ bank.vectors[bank.row[choice.question]]
        )
        for choice in choices
    ]


def _codes(choice: PathCandidates) -> list[tuple[int, ...]]:
    return [tuple(code for code in path if code >= 0) for path in choice.paths.tolist()]


def without_right(choice: PathCandidates, rng: Random) -> PathCandidates:
    """The same question where the graph lacks the answer: paths that begin with the right ones' steps are gone."""
    gold = choice.paths[choice.gold]
    if not len(gold):
        return choice
    depth = rng.randint(1, int((gold[0] >= 0).sum()))
    starts = (choice.paths[:, None, :depth] == gold[None, :, :depth]).all(-1).any(1)
    keep = ~(starts | choice.gold)
    return choice.at(keep)


def collate(choices: Sequence[PathCandidates]) -> tuple[np.ndarray, Tensor, Tensor, Tensor, Tensor]:
    """Arc texts in use [A], paths [B, P, HOPS] as positions among them; prior, likeness and right ones [B, P]."""
    codes = np.unique(np.concatenate([np.zeros(1, np.int32), *(choice.paths.ravel() for choice in choices)]))
    codes = codes[codes >= 0]
    count = max(1, *(len(choice.paths) for choice in choices))
    paths = np.full((len(choices), count, HOPS), -1, np.int64)
    prior, likeness = (np.zeros((len(choices), count), np.float32) for _ in range(2))
    gold = np.zeros((len(choices), count), bool)
    for i, choice in enumerate(choices):
        n = len(choice.paths)
        paths[i, :n] = np.where(choice.paths >= 0, np.searchsorted(codes, choice.paths), -1)
        prior[i, :n] = choice.prior - choice.prior.max(initial=-1e4)
        likeness[i, :n], gold[i, :n] = choice.likeness, choice.gold
    return codes, torch.from_numpy(paths), torch.from_numpy(prior), torch.from_numpy(likeness), torch.from_numpy(gold)


class AlignerTrainer:
    """Trains an aligner in place on questions drawn evenly from several sources."""

    def __init__(self, aligner: PathAligner, bank: QuestionBank, arcs: ArcTable, config: AlignerTraining) -> None:
        self.aligner, self.bank, self.arcs, self.config = aligner, bank, arcs, config
        torch.manual_seed(config.seed)
        self.optimiser = torch.optim.AdamW(aligner.parameters(), lr=config.rate, weight_decay=config.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, config.rate, total_steps=config.steps, pct_start=0.1
        )
        self.rng = Random(config.seed)

    def run(self, sources: Sequence[Sequence[PathCandidates]]) -> list[tuple[float, float]]:
        """Take all steps; returns the losses over paths and over answerability of every step."""
        history: list[tuple[float, float]] = []
        self.aligner.train()
        for step in range(1, self.config.steps + 1):
            history.append(self._advance([self._drawn(sources, i) for i in range(self.config.batch)]))
            if step % 100 == 0:
                log.info("step %d: paths %.3f, answerable %.3f", step, *np.mean(history[-100:], axis=0))
        self.aligner.eval()
        return history

    def _drawn(self, sources: Sequence[Sequence[PathCandidates]], number: int) -> PathCandidates:
        choice, rng, most = self.rng.choice(sources[number % len(sources)]), self.rng, self.config.candidates
        if rng.random() < self.config.unanswerable:
            choice = without_right(choice, rng)
        order = np.argsort(-(choice.prior + 1e6 * choice.gold), kind="stable")[:most]
        shown = choice.at(order)
        return replace(shown, prior=0 * shown.prior) if rng.random() < self.config.blind else shown

    def _advance(self, choices: Sequence[PathCandidates]) -> tuple[float, float]:
        codes, paths, prior, likeness, gold = collate(choices)
        question, tokens, mask = self.bank.batch([choice.question for choice in choices])
        mask = mask & ((torch.rand(mask.shape) >= self.config.token_dropout) | (mask.sum(1, keepdim=True) < 5))
        names, texts, directions = self.arcs.pick(codes)
        if self.config.noise:
            names, texts = (F.normalize(v + self.config.noise * torch.randn_like(v) / v.shape[1] ** 0.5, dim=-1)
                            for v in (names, texts))  # fmt: skip
        trust = torch.rand(len(paths), 1) * (torch.rand(len(paths), 1) >= self.config.unworded)
        scores, known = self.aligner(question, tokens, mask, texts, names, directions, paths, prior)
        scores = scores + PHRASE_WEIGHT * trust * likeness
        answered = gold.any(1)
        right = -(scores.log_softmax(-1).masked_fill(~gold, -1e4)).logsumexp(-1)
        path_loss = (right * answered).sum() / answered.sum().clamp(min=1)
        known_loss = F.binary_cross_entropy_with_logits(known, answered.to(known.dtype))
        self.optimiser.zero_grad()
        (path_loss + 0.5 * known_loss).backward()
        torch.nn.utils.clip_grad_norm_(self.aligner.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        return float(path_loss.detach()), float(known_loss.detach())


@torch.inference_mode()
def judged(
    aligner: Any, choices: Sequence[PathCandidates], bank: QuestionBank, arcs: ArcTable, *, blind: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each choice: is the best path right, the chance that one is, and is there one; [n] each."""
    best, chance, there = [], [], []
    for start in range(0, len(choices), 64):
        chunk = choices[start : start + 64]
        codes, paths, prior, likeness, gold = collate(chunk)
        names, texts, directions = arcs.pick(codes)
        asked = bank.batch([choice.question for choice in chunk])
        scores, known = aligner(*asked, texts, names, directions, paths, prior * (not blind))
        scores = scores + PHRASE_WEIGHT * likeness
        best.append(gold.gather(1, scores.argmax(-1, keepdim=True))[:, 0].numpy())
        chance.append(torch.sigmoid(known).numpy())
        there.append(gold.any(1).numpy())
    return np.concatenate(best), np.concatenate(chance), np.concatenate(there)
