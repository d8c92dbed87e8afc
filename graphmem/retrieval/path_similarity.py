"""Ranking without any training: the relation path whose words are most like the question's."""

from __future__ import annotations

import numpy as np

from graphmem.core.protocols import GraphIndex, TextEncoder
from graphmem.core.types import Subgraph
from graphmem.encoding.embedding_cache import EmbeddingCache, arc_texts
from graphmem.retrieval.learned_rankers import as_subgraph, roots_of
from graphmem.retrieval.rankers import Ranked, Search
from graphmem.retrieval.search.spreading_activation import Budget, Walk

SHARPNESS = 60.0
"""Turns differences of cosines into nats."""


class PathSimilarityRanker:
    """Compares the question, its topic blanked, with the text of every relation path around the topic.

    Paths grow arc by arc, and the most similar go on. It needs no weights, so it is what a memory with a foreign
    encoder falls back to, and the baseline that training has to beat.
    """

    def __init__(self, encoder: TextEncoder, *, hops: int = 4) -> None:
        self.encoder, self.hops = encoder, hops
        self._vectors = EmbeddingCache(encoder)

    def rank(self, search: Search) -> Ranked:
        """Rank the ends of the most similar paths."""
        if not len(search.seeds.nodes) or not len(search.index.relations):
            return Ranked(Subgraph.empty())
        question = self._vectors([search.seeds.asked])[0]
        walk = _SimilarityWalk(search.index, *roots_of(search), question, self._vectors, self.hops, search.budget)
        for hop in range(self.hops):
            if not walk.advance(hop):
                break
        found = walk.finish()
        if not len(found.nodes):
            return Ranked(Subgraph.empty())
        return Ranked(as_subgraph(search, found, np.log(np.maximum(found.activation, 1e-9))), found)


class _SimilarityWalk(Walk):
    """A walk whose paths are scored as wholes, by the cosine of their text."""

    def __init__(
        self, index: GraphIndex, roots: list[np.ndarray], weights: np.ndarray, question: np.ndarray,
        vectors: EmbeddingCache, hops: int, budget: Budget,
    ) -> None:  # fmt: skip
        open_gates = np.zeros((hops, 2 * len(index.relations)))
        lengths = np.zeros(hops + 1)
        lengths[0] = -1e6  # it cannot tell that nothing answers
        super().__init__(index, roots, weights, open_gates, lengths, budget)
        self._question, self._vectors, self._texts = question, vectors, arc_texts(index.relations)

    def extend(self, hop: int, scores: np.ndarray, parents: np.ndarray, codes: np.ndarray) -> np.ndarray:
        texts = [
            " of ".join(self._texts[step] for step in (int(code), *self.codes_of(hop, int(parent))[::-1]))
            for parent, code in zip(parents, codes, strict=True)
        ]
        return SHARPNESS * (self._vectors(texts) @ self._question).astype(np.float64)

    def hopeless(self, hop: int) -> float:
        return -np.inf
