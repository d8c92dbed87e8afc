"""Untrained ranking by the cosine of the question and the text of a relation path."""

from __future__ import annotations

import numpy as np

from graphmem.core.protocols import GraphIndex, TextEncoder
from graphmem.core.types import Subgraph
from graphmem.encoding.embedding_cache import EmbeddingCache, arc_texts, path_phrase
from graphmem.retrieval.learned_rankers import as_subgraph, log_activation, roots_of
from graphmem.retrieval.rankers import Ranked, Search
from graphmem.retrieval.search.spreading_activation import Budget, Walk

SCALE = 60.0
"""Nats per unit of cosine."""


class PathSimilarityRanker:
    """Ranker by the similarity of the masked question and the text of every relation path around the seeds.

    A beam search over paths, arc by arc. It needs no weights: the fallback for encoders without trained weights, and a
    baseline.
    """

    def __init__(self, encoder: TextEncoder, *, hops: int = 4) -> None:
        self.encoder, self.hops = encoder, hops
        self._vectors = EmbeddingCache(encoder)

    def rank(self, search: Search) -> Ranked:
        """Rank the end nodes of the most similar paths."""
        if not len(search.seeds.nodes) or not len(search.index.relations):
            return Ranked(Subgraph.empty())
        question = self._vectors([search.seeds.masked_query])[0]
        walk = _SimilarityWalk(search.index, *roots_of(search), question, self._vectors, self.hops, search.budget)
        for hop in range(self.hops):
            if not walk.advance(hop):
                break
        found = walk.finish()
        if not len(found.nodes):
            return Ranked(Subgraph.empty())
        return Ranked(as_subgraph(search, found, log_activation(found)), found)


class _SimilarityWalk(Walk):
    """A walk whose paths are scored by the cosine of their whole text."""

    def __init__(
        self, index: GraphIndex, roots: list[np.ndarray], weights: np.ndarray, question: np.ndarray,
        vectors: EmbeddingCache, hops: int, budget: Budget,
    ) -> None:  # fmt: skip
        open_gates = np.zeros((hops, 2 * len(index.relations)))
        lengths = np.zeros(hops + 1)
        lengths[0] = -1e6  # no estimate of answerability
        super().__init__(index, roots, weights, open_gates, lengths, budget)
        self._question, self._vectors, self._texts = question, vectors, arc_texts(index.relations)

    def extension_scores(self, hop: int, scores: np.ndarray, parents: np.ndarray, codes: np.ndarray) -> np.ndarray:
        texts = [
            path_phrase([self._texts[step] for step in (*self.codes_of(hop, int(parent)), int(code))])
            for parent, code in zip(parents, codes, strict=True)
        ]
        return SCALE * (self._vectors(texts) @ self._question).astype(np.float64)

    def pruning_bound(self, hop: int) -> float:
        return -np.inf
