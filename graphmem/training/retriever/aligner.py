"""Training of the path aligner: the gold path above the other paths that the gates propose, and answerability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from graphmem.encoding.embedding_cache import arc_texts, path_phrase
from graphmem.retrieval.nn.path_aligner import PathAligner
from graphmem.retrieval.nn.relation_gates import RelationGates, path_scores
from graphmem.retrieval.relation_scorer import PHRASE_WEIGHT
from graphmem.training.retriever.examples import Example, step_rng, without_gold
from graphmem.training.retriever.gates import ArcTable, QuestionBank, TrainingConfig, arc_codes, collate, fit, gold_loss

CANDIDATES = 24  # maximum number of paths of a question in training
UNANSWERABLE = 0.2  # share of questions whose gold paths are removed
WITHOUT_PRIOR = 0.5  # share of questions without gate scores, which are less reliable on new relations
WITHOUT_PHRASES = 0.3  # share of questions without phrase similarity; for the others it has a random weight
TOKEN_DROPOUT = 0.05  # share of a question's tokens that are masked
NOISE = 0.3  # standard deviation of the noise on text vectors, per component times sqrt(K)


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
        candidates += [_candidates(e, row[: len(e.paths)], max_paths) for e, row in zip(chunk, scores, strict=True)]
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
    """The candidates with the similarity of question and phrase; every phrase is encoded once, ``chunk`` at a time.

    ``names`` are relation names in the order of ``ArcVocabulary.names``.
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


def collate_candidates(candidates: Sequence[PathCandidates]) -> tuple[np.ndarray, Tensor, Tensor, Tensor, Tensor]:
    """Arc texts in use [A], paths [B, P, HOPS] as positions among them; prior, similarity and gold [B, P]."""
    (codes, numbered), pad = arc_codes(candidates, extra=[0]), partial(pad_sequence, batch_first=True)
    paths = pad([torch.from_numpy(paths) for paths in numbered], padding_value=-1)
    prior = pad([torch.from_numpy(each.prior - each.prior.max(initial=-1e4)) for each in candidates])
    similarity = pad([torch.from_numpy(each.similarity) for each in candidates])
    return codes, paths, prior, similarity, pad([torch.from_numpy(each.gold) for each in candidates])


def draw(sources: Sequence[Sequence[PathCandidates]], count: int, rng: Random) -> list[PathCandidates]:
    """Candidates drawn evenly from the sources; some lose their gold paths, some their gate scores."""
    batch = []
    for number in range(count):
        drawn = rng.choice(sources[number % len(sources)])
        if rng.random() < UNANSWERABLE:
            drawn = without_gold(drawn, rng)
        drawn = drawn.at(np.argsort(-(drawn.prior + 1e6 * drawn.gold), kind="stable")[:CANDIDATES])
        batch.append(replace(drawn, prior=0 * drawn.prior) if rng.random() < WITHOUT_PRIOR else drawn)
    return batch


def train_aligner(
    aligner: PathAligner, sources: Sequence[Sequence[PathCandidates]], bank: QuestionBank, arcs: ArcTable,
    config: TrainingConfig, folder: Path,
) -> list[dict[str, float]]:  # fmt: skip
    """Train in place; see ``fit``."""

    def noisy(vectors: Tensor) -> Tensor:
        return F.normalize(vectors + NOISE * torch.randn_like(vectors) / vectors.shape[1] ** 0.5, dim=-1)

    def step_losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        candidates = draw(sources, config.batch, step_rng(config.seed, step))
        codes, paths, prior, similarity, gold = collate_candidates(candidates)
        question, tokens, mask = bank.batch([each.question for each in candidates], TOKEN_DROPOUT)
        names, texts, directions = arcs.pick(codes)
        weight = torch.rand(len(paths), 1) * (torch.rand(len(paths), 1) >= WITHOUT_PHRASES)
        scores, known = aligner(question, tokens, mask, noisy(texts), noisy(names), directions, paths, prior)
        answered = gold.any(1)
        path_loss = gold_loss(scores + PHRASE_WEIGHT * weight * similarity, gold) * answered
        known_loss = F.binary_cross_entropy_with_logits(known, answered.to(known.dtype))
        return {"paths": path_loss.sum() / answered.sum().clamp(min=1), "answerable": 0.5 * known_loss}, {}

    return fit(aligner, step_losses, folder, steps=config.steps, rate=config.rate, decay=0.05)
