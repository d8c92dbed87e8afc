"""Training of the path aligner: the gold path above the other paths that the gates propose, and answerability."""

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

from graphmem.core.validation import require
from graphmem.encoding.embedding_cache import arc_texts, path_phrase
from graphmem.retrieval.nn.path_aligner import PathAligner
from graphmem.retrieval.nn.relation_gates import RelationGates, path_scores
from graphmem.retrieval.relation_scorer import PHRASE_WEIGHT
from graphmem.training.retriever.examples import HOPS, Example, without_gold
from graphmem.training.retriever.gates import ArcTable, QuestionBank, collate, gold_loss
from graphmem.training.retriever.optimiser import OneCycleAdamW

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlignerTraining:
    """Settings of the training of the aligner.

    Attributes:
        steps: optimiser steps.
        batch: questions a step, drawn evenly from the sources.
        rate: peak learning rate of the one-cycle schedule.
        weight_decay: of AdamW.
        candidates: maximum number of paths of a question.
        unanswerable: share of questions whose gold paths are removed.
        without_prior: share of questions without gate scores, which are less reliable on new relations.
        without_phrases: share of questions without phrase similarity; for the others it has a random weight.
        token_dropout: share of a question's tokens that are masked.
        noise: standard deviation of the noise on text vectors, per component times sqrt(K).
        seed: of every draw.
    """

    steps: int = 2400
    batch: int = 32
    rate: float = 1.5e-3
    weight_decay: float = 0.05
    candidates: int = 24
    unanswerable: float = 0.2
    without_prior: float = 0.5
    without_phrases: float = 0.3
    token_dropout: float = 0.05
    noise: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(self.batch >= 1, "batch", self.batch, "at least 1")
        require(self.candidates >= 2, "candidates", self.candidates, "at least 2")


@dataclass(frozen=True, slots=True)
class PathCandidates(Example):
    """A question with the paths that the gates propose, best first.

    Attributes:
        prior: float32 [P], gate scores, in nats below the best.
        similarity: float32 [P], cosine of the question and the phrase of each path; see ``with_similarity``.
    """

    prior: np.ndarray
    similarity: np.ndarray


@torch.inference_mode()
def propose(
    gates: RelationGates, examples: Sequence[Example], bank: QuestionBank, arcs: ArcTable, max_paths: int
) -> list[PathCandidates]:
    """Candidates of every example: the best paths by the gates, gold paths, and paths one step from a gold path."""
    candidates = []
    for start in range(0, len(examples), 64):
        chunk = examples[start : start + 64]
        batch = collate(chunk)
        steps, lengths = gates(*bank.batch(batch.questions), gates.relations(*arcs.pick(batch.codes)))
        scores = path_scores(steps, lengths, batch.paths).numpy()
        candidates += [
            _candidates(example, row[: len(example.paths)], max_paths)
            for example, row in zip(chunk, scores, strict=True)
        ]
    return candidates


def _candidates(example: Example, scores: np.ndarray, max_paths: int) -> PathCandidates:
    bonus = np.zeros(len(scores))
    if example.gold.any():
        near = np.zeros(len(scores), bool)
        for gold in example.paths[example.gold][:2]:
            near |= (example.paths != gold).sum(1) <= 1  # one step more, less or other
        bonus = 4.0 * near + 1e6 * example.gold
    order = np.argsort(-(scores + bonus), kind="stable")[:max_paths]
    order = order[np.argsort(-scores[order], kind="stable")]
    prior = (scores[order] - scores.max(initial=-1e4)).astype(np.float32)
    return PathCandidates(example.question, example.paths[order], example.gold[order], prior, 0 * prior)


def with_similarity(
    candidates: Sequence[PathCandidates], bank: QuestionBank, encoder: Any, names: Sequence[str], chunk: int = 512
) -> list[PathCandidates]:
    """The candidates with the similarity of question and phrase; every phrase is encoded once.

    Args:
        candidates: from ``propose``.
        bank: vectors of the questions.
        encoder: text encoder.
        names: relation names, in the order of ``ArcVocabulary.names``.
        chunk: phrases that are encoded at a time.
    """
    texts = arc_texts(names)
    paths = sorted({path for each in candidates for path in _codes(each)}, key=len)
    row = {path: i for i, path in enumerate(paths)}
    vectors = np.empty((len(paths), encoder.dim), np.float16)
    for start in tqdm(range(0, len(paths), chunk), desc="phrases", unit_scale=chunk, disable=len(paths) < 20 * chunk):
        phrases = [path_phrase([texts[code] for code in path]) for path in paths[start : start + chunk]]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            vectors[start : start + len(phrases)] = encoder.encode(phrases)
    return [
        replace(each, similarity=vectors[[row[path] for path in _codes(each)]] @ bank.vectors[bank.row[each.question]])
        for each in candidates
    ]


def _codes(candidates: PathCandidates) -> list[tuple[int, ...]]:
    return [tuple(code for code in path if code >= 0) for path in candidates.paths.tolist()]


def collate_candidates(
    candidates: Sequence[PathCandidates],
) -> tuple[np.ndarray, Tensor, Tensor, Tensor, Tensor]:
    """Arc texts in use [A], paths [B, P, HOPS] as positions among them; prior, similarity and gold [B, P]."""
    codes = np.unique(np.concatenate([np.zeros(1, np.int32), *(each.paths.ravel() for each in candidates)]))
    codes = codes[codes >= 0]
    count = max(1, *(len(each.paths) for each in candidates))
    paths = np.full((len(candidates), count, HOPS), -1, np.int64)
    prior, similarity = (np.zeros((len(candidates), count), np.float32) for _ in range(2))
    gold = np.zeros((len(candidates), count), bool)
    for i, each in enumerate(candidates):
        n = len(each.paths)
        paths[i, :n] = np.where(each.paths >= 0, np.searchsorted(codes, each.paths), -1)
        prior[i, :n] = each.prior - each.prior.max(initial=-1e4)
        similarity[i, :n], gold[i, :n] = each.similarity, each.gold
    return codes, torch.from_numpy(paths), torch.from_numpy(prior), torch.from_numpy(similarity), torch.from_numpy(gold)


class AlignerTrainer:
    """Trainer of an aligner, in place, on questions drawn evenly from several sources."""

    def __init__(self, aligner: PathAligner, bank: QuestionBank, arcs: ArcTable, config: AlignerTraining) -> None:
        self.aligner, self.bank, self.arcs, self.config = aligner, bank, arcs, config
        torch.manual_seed(config.seed)
        self.optimiser = OneCycleAdamW(aligner.parameters(), config.rate, config.weight_decay, config.steps)
        self.rng = Random(config.seed)

    def run(self, sources: Sequence[Sequence[PathCandidates]]) -> list[tuple[float, float]]:
        """Take all steps; returns the losses over paths and over answerability of every step."""
        history: list[tuple[float, float]] = []
        self.aligner.train()
        for step in range(1, self.config.steps + 1):
            history.append(self._advance([self._draw(sources, i) for i in range(self.config.batch)]))
            if step % 100 == 0:
                log.info("step %d: paths %.3f, answerable %.3f", step, *np.mean(history[-100:], axis=0))
        self.aligner.eval()
        return history

    def _draw(self, sources: Sequence[Sequence[PathCandidates]], number: int) -> PathCandidates:
        drawn, rng = self.rng.choice(sources[number % len(sources)]), self.rng
        if rng.random() < self.config.unanswerable:
            drawn = without_gold(drawn, rng)
        order = np.argsort(-(drawn.prior + 1e6 * drawn.gold), kind="stable")[: self.config.candidates]
        drawn = drawn.at(order)
        return replace(drawn, prior=0 * drawn.prior) if rng.random() < self.config.without_prior else drawn

    def _advance(self, candidates: Sequence[PathCandidates]) -> tuple[float, float]:
        codes, paths, prior, similarity, gold = collate_candidates(candidates)
        question, tokens, mask = self.bank.batch([each.question for each in candidates], self.config.token_dropout)
        names, texts, directions = self.arcs.pick(codes)
        if self.config.noise:
            names, texts = (F.normalize(v + self.config.noise * torch.randn_like(v) / v.shape[1] ** 0.5, dim=-1)
                            for v in (names, texts))  # fmt: skip
        weight = torch.rand(len(paths), 1) * (torch.rand(len(paths), 1) >= self.config.without_phrases)
        scores, known = self.aligner(question, tokens, mask, texts, names, directions, paths, prior)
        scores = scores + PHRASE_WEIGHT * weight * similarity
        answered = gold.any(1)
        path_loss = (gold_loss(scores, gold) * answered).sum() / answered.sum().clamp(min=1)
        known_loss = F.binary_cross_entropy_with_logits(known, answered.to(known.dtype))
        self.optimiser.step(path_loss + 0.5 * known_loss)
        return float(path_loss.detach()), float(known_loss.detach())
