"""Training of the path aligner: the gold path above the other paths that the gates propose, and answerability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
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
from graphmem.training.loop import LoopConfig, run
from graphmem.training.retriever.examples import HOPS, Example, step_rng, without_gold
from graphmem.training.retriever.gates import ArcTable, QuestionBank, collate, gold_loss


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


def draw(sources: Sequence[Sequence[PathCandidates]], config: AlignerTraining, rng: Random) -> list[PathCandidates]:
    """Candidates drawn evenly from the sources; some lose their gold paths, some their gate scores."""
    batch = []
    for number in range(config.batch):
        drawn = rng.choice(sources[number % len(sources)])
        if rng.random() < config.unanswerable:
            drawn = without_gold(drawn, rng)
        drawn = drawn.at(np.argsort(-(drawn.prior + 1e6 * drawn.gold), kind="stable")[: config.candidates])
        batch.append(replace(drawn, prior=0 * drawn.prior) if rng.random() < config.without_prior else drawn)
    return batch


def train_aligner(
    aligner: PathAligner, sources: Sequence[Sequence[PathCandidates]], bank: QuestionBank, arcs: ArcTable,
    config: AlignerTraining, folder: Path,
) -> list[dict[str, float]]:  # fmt: skip
    """Train in place; log and checkpoints lie in the folder, and a checkpoint there is resumed. Returns the log."""

    def noisy(vectors: Tensor) -> Tensor:
        return F.normalize(vectors + config.noise * torch.randn_like(vectors) / vectors.shape[1] ** 0.5, dim=-1)

    def step_losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        candidates = draw(sources, config, step_rng(config.seed, step))
        codes, paths, prior, similarity, gold = collate_candidates(candidates)
        question, tokens, mask = bank.batch([each.question for each in candidates], config.token_dropout)
        names, texts, directions = arcs.pick(codes)
        weight = torch.rand(len(paths), 1) * (torch.rand(len(paths), 1) >= config.without_phrases)
        scores, known = aligner(question, tokens, mask, noisy(texts), noisy(names), directions, paths, prior)
        answered = gold.any(1)
        path_loss = gold_loss(scores + PHRASE_WEIGHT * weight * similarity, gold) * answered
        known_loss = F.binary_cross_entropy_with_logits(known, answered.to(known.dtype))
        return {"paths": path_loss.sum() / answered.sum().clamp(min=1), "answerable": 0.5 * known_loss}, {}

    optimiser = torch.optim.AdamW(aligner.parameters(), lr=config.rate, weight_decay=config.weight_decay)
    aligner.train()
    log = run(aligner, optimiser, step_losses, LoopConfig(config.steps, seed=config.seed), folder)
    aligner.eval()
    return log
