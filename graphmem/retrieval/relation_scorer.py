"""Relation scorer: the gate of every relation at every hop, and scores of whole relation paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from graphmem.core.protocols import TextEncoder
from graphmem.encoding.embedding_cache import EmbeddingCache, arc_texts, path_phrase
from graphmem.encoding.query_encoder import QueryEncoder
from graphmem.retrieval.search.spreading_activation import PathRescorer

PHRASE_WEIGHT = 30.0
"""Nats per unit of cosine between a question and the phrase of a path.

The cosine is not trained, so it helps most for relations that were not in the training data."""
RETRACE_PENALTY = 2.0
"""Nats subtracted for every step that retraces the previous one; training questions do so more often than people's."""


@dataclass(frozen=True, slots=True)
class RelationScores:
    """Scores of a question for the relations of a graph, and the tensors that they were made of.

    Attributes:
        steps: float32 [hops, A], gate of every arc code at every hop, in nats.
        lengths: float32 [hops + 1], score of every path length, in nats.
        question: [K], vector of the question.
        relations: [A, K], relation vectors of the gates.
        tokens: [1, T, K], token states of the question.
    """

    steps: np.ndarray
    lengths: np.ndarray
    question: Any
    relations: Any
    tokens: Any


class RelationVectors(NamedTuple):
    """Vectors of a graph's relations by arc code.

    Attributes:
        gates: [A, K], compared with the question by the gates.
        texts: [A, K], vectors of the arc texts.
        names: [A, K], vectors of the relation names.
    """

    gates: Any
    texts: Any
    names: Any
    arc_texts: list[str]


class RelationScorer:
    """Scores of relations and of relation paths for a question.

    The trained ``RelationGates`` score relations and, without a ``PathAligner``, paths.
    """

    def __init__(self, gates: Any, encoder: TextEncoder, aligner: Any = None) -> None:
        self.gates, self.aligner = gates, aligner
        self.encoder = encoder if isinstance(encoder, QueryEncoder) else QueryEncoder(encoder)
        self.vectors = EmbeddingCache(encoder)
        self._relations: dict[tuple[str, ...], RelationVectors] = {}

    def relations(self, names: Sequence[str]) -> RelationVectors:
        """Vectors of a graph's relations; made once for a set of relations."""
        import torch

        key = tuple(names)
        if key not in self._relations:
            self._relations = dict(list(self._relations.items())[-7:])
            words = arc_texts(key)
            doubled, texts = (torch.from_numpy(self.vectors(t)) for t in ([n for n in key for _ in (0, 1)], words))
            with torch.inference_mode():
                gates = self.gates.relations(doubled, texts, torch.arange(len(texts)) % 2)
            self._relations[key] = RelationVectors(gates, texts, doubled, words)
        return self._relations[key]

    def score(self, masked_query: str, names: Sequence[str]) -> RelationScores:
        """Scores of a question, its entity names masked, for a graph of these relations."""
        import torch

        with torch.inference_mode():
            question, tokens, mask = map(torch.from_numpy, self.encoder.encode_both([masked_query]))
            relations = self.relations(names).gates
            steps, lengths = self.gates(question, tokens, mask, relations)
        return RelationScores(steps[0].numpy(), lengths[0].numpy(), question[0], relations, tokens[:, mask[0]])

    def rescorer(self, scores: RelationScores, names: Sequence[str]) -> PathRescorer | None:
        """The path aligner for this question; None without an aligner."""
        return None if self.aligner is None else partial(self._rescore_paths, scores, self.relations(names))

    def _rescore_paths(
        self, scores: RelationScores, vectors: RelationVectors, paths: list[tuple[int, ...]], prior: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Scores [P] of whole paths in nats, and the probability that one of them answers."""
        import torch

        hops = self.aligner.config.hops
        padded = np.asarray([[*path, *[-1] * (hops - len(path))] for path in paths], np.int64)  # [P, hops]
        codes = np.unique(padded[padded >= 0])
        positions = torch.from_numpy(np.where(padded >= 0, np.searchsorted(codes, padded), -1))[None]
        rows = torch.from_numpy(codes)
        with torch.inference_mode():
            aligned, known = self.aligner(
                scores.question[None], scores.tokens, torch.ones(scores.tokens.shape[:2], dtype=torch.bool),
                vectors.texts[rows], vectors.names[rows], rows % 2, positions, torch.from_numpy(prior[None]).float(),
            )  # fmt: skip
        phrases = self.vectors([path_phrase([vectors.arc_texts[code] for code in path]) for path in paths])
        similarity = (phrases @ scores.question.numpy()).astype(np.float64)
        retraced = np.asarray([sum(one == other ^ 1 for one, other in pairwise(path)) for path in paths])
        total = aligned[0].numpy() + PHRASE_WEIGHT * similarity - RETRACE_PENALTY * retraced
        return total, float(torch.sigmoid(known[0]))


def widened_lengths(lengths: np.ndarray, slack: float = 4.0) -> np.ndarray:
    """Length scores at most ``slack`` nats apart, so that no length is pruned before its paths are rescored."""
    kept = np.maximum(lengths, lengths[1:].max() - slack)
    kept[0] = lengths[1:].max() - 100.0
    return kept
