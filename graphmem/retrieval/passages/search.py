"""Passage retrieval without a language model: titles, links between passages, BM25, vectors and PageRank, reranked.

A search starts at the passages whose titles the question names and follows their links to other titled passages. The
best passages by BM25 and vectors join them, and ``PassageReranker`` ranks all. The baselines rank by one signal alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.protocols import TextEncoder
from graphmem.core.validation import require
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.node_embeddings import encode_passages
from graphmem.retrieval.passages.links import PASSED_OVER, Link, find_links, match_titles, title_of
from graphmem.retrieval.passages.reranker import Evidence, PassageReranker, Signals
from graphmem.retrieval.search.pagerank import push
from graphmem.retrieval.search.spreading_activation import Budget
from graphmem.retrieval.seeds import reciprocal_ranks
from graphmem.text.name_matching import MAX_CHARACTERS, mask_names, match_names

PassageRanker = Literal["learned", "ppr", "dense", "bm25", "hybrid"]
RANKERS: tuple[PassageRanker, ...] = get_args(PassageRanker)

BASELINE_DEPTH = 100
"""Passages that a baseline ranks."""

MAX_CANDIDATES = 40
"""Candidates from BM25 and vectors."""

MAX_ANCHORS = 5
"""Candidates from BM25 and vectors whose links are followed."""

FEATURE_PAGERANK: dict[str, Any] = {"hops": 4, "floor": 1e-4, "budget": Budget(frontier=500, arcs=20_000, hub=500)}
BASELINE_PAGERANK: dict[str, Any] = {"hops": 8, "floor": 1e-5, "budget": Budget(hub=2000)}
"""Settings of PageRank as a feature and as a baseline."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A retrieved passage. ``score`` is comparable within one retrieval."""

    id: int
    title: str
    text: str
    score: float


class PassageSearch:
    """Passage search in one memory; passages added later are found by the next search.

    ``reranker`` None has the shipped weights.
    """

    def __init__(self, store: Any, encoder: TextEncoder, reranker: PassageReranker | None = None) -> None:
        self.store, self.encoder, self.reranker = store, encoder, reranker
        self.ids = np.zeros(0, np.int64)
        self._vectors = np.zeros((0, encoder.dim), np.float32)
        self._texts = EmbeddingCache(encoder, max_texts=20_000)

    def search(
        self, query: str, *, top_k: int = 10, ranker: PassageRanker = "learned", as_of: int | None = None,
        damping: float = 0.5,
    ) -> tuple[ScoredPassage, ...]:  # fmt: skip
        """The most relevant passages, best first; none for an empty memory or an empty query.

        All ``RANKERS`` but ``learned`` are baselines; ``damping`` is that of ``ppr``. Only links valid at ``as_of``
        (microseconds) count.

        Raises:
            InvalidValue: no such ranker, or ``top_k`` below 1.
            EncoderMismatch: the passages' vectors were made by another encoder.
        """
        if ranker not in RANKERS:
            raise InvalidValue(f"no passage ranker {ranker!r}; choose one of {', '.join(RANKERS)}")
        require(top_k >= 1, "top_k", top_k, "at least 1")
        query = query[:MAX_CHARACTERS].encode("utf-8", "replace").decode().strip()
        self.refresh()
        if not query or not len(self.ids):
            return ()
        signals = self.signals(query, as_of)
        ranked = self._ranked(signals, ranker, damping, as_of)
        found = self.store.passages_by_id([passage for passage, _ in ranked[: top_k + 16]])
        passages = [(found[passage], score) for passage, score in ranked if passage in found][:top_k]
        if len(found) < min(len(ranked), top_k + 16):
            self.ids = self.ids[:0]  # some were deleted: reload all at the next search
        return tuple(ScoredPassage(node.id, title_of(node), node.text, float(score)) for node, score in passages)

    def refresh(self) -> None:
        """Load passages added since the last search, and encode those without a vector. Writes their vectors."""
        last = int(self.ids[-1]) if len(self.ids) else 0
        new = self.store.passage_ids(after=last)
        if not len(new):
            return
        known, vectors = self.store.passage_vectors(self.encoder.fingerprint, new)
        missing = np.setdiff1d(new, known)
        for start in range(0, len(missing), 512):
            made = encode_passages(self.store, self.encoder, missing[start : start + 512])
            known = np.concatenate([known, missing[start : start + 512]])
            vectors = np.concatenate([vectors.reshape(-1, self.encoder.dim), made])
        order = np.argsort(known)
        old = self._vectors[: len(self.ids)]
        self.ids = np.concatenate([self.ids, known[order]])
        self._vectors = np.concatenate([old, vectors[order]])

    def _rows(self, passages: Sequence[int] | np.ndarray) -> np.ndarray:
        """Positions of passages in ``ids``, int64 [n]; arbitrary for passages that are not in it."""
        return np.minimum(np.searchsorted(self.ids, passages), len(self.ids) - 1)

    def signals(self, question: str, as_of: int | None) -> Signals:
        """Titles, BM25 scores and cosines of a question."""
        vector = self.encoder.encode([question])[0]
        dense = self._vectors @ vector
        order = lambda ids: sorted(ids, key=lambda i: -dense[self._rows([i])[0]])
        names = match_titles(question, self.store, order, as_of)
        masked = mask_names(question, [name for name in names if name.nodes])
        content = " ".join(word for word in _WORD.findall(question) if word.casefold() not in PASSED_OVER) or question
        words = dict(self.store.search_passages(content, limit=BASELINE_DEPTH))
        return Signals(question, masked, names, dense, words)

    def _best_dense(self, signals: Signals, count: int) -> np.ndarray:
        count = min(count, len(self.ids))
        best = np.sort(np.argpartition(-signals.dense, count - 1)[:count])
        return best[np.argsort(-signals.dense[best], kind="stable")]

    def _hybrid(self, signals: Signals) -> list[tuple[int, float]]:
        """Reciprocal-rank fusion of BM25 and vectors."""
        dense = self.ids[self._best_dense(signals, BASELINE_DEPTH)].tolist()
        scores = reciprocal_ranks([(1.0, dense), (1.0, list(signals.words))])
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))

    def _pagerank(
        self, signals: Signals, damping: float, as_of: int | None, settings: dict[str, Any]
    ) -> dict[int, float]:
        """Personalised PageRank mass of passages, highest first, from everything that the question names."""
        weights: dict[int, float] = {}
        for name in signals.names:
            for node in name.nodes:
                weights[node] = weights.get(node, 0.0) + 1.0 / len(name.nodes)
            for passage in name.passages:
                weights[passage] = weights.get(passage, 0.0) + name.confidence / len(name.passages)
        taken = [(name.start, name.end) for name in signals.names if name.nodes]
        for mention in match_names(signals.question, self.store):
            if all(mention.end <= start or mention.start >= end for start, end in taken):
                weights.update((node, 1.0) for node in mention.nodes if node not in weights)
        if not weights:
            best = self._best_dense(signals, MAX_ANCHORS)
            weights = {int(self.ids[row]): max(float(signals.dense[row]), 1e-3) for row in best}
        seeds, shares = np.asarray(list(weights), np.int64), np.asarray(list(weights.values()), np.float32)
        nodes, mass, _ = push(self.store.index(as_of=as_of), seeds, shares, damping=damping, **settings)
        inside = self.ids[self._rows(nodes)] == nodes
        return dict(zip(nodes[inside].tolist(), mass[inside].tolist(), strict=True))

    def _ranked(self, signals: Signals, ranker: str, damping: float, as_of: int | None) -> list[tuple[int, float]]:
        if ranker == "learned":
            self.reranker = self.reranker or PassageReranker.load()
            passages, features = self.features(signals, as_of)
            scores = self.reranker(features).tolist()
            return sorted(zip(passages, scores, strict=True), key=lambda item: -item[1])
        dense = [(int(self.ids[row]), float(signals.dense[row])) for row in self._best_dense(signals, BASELINE_DEPTH)]
        if ranker == "dense":
            return dense
        if ranker == "bm25":
            return list(signals.words.items())
        if ranker == "hybrid":
            return self._hybrid(signals)
        mass = self._pagerank(signals, damping, as_of, BASELINE_PAGERANK)
        return [*mass.items(), *((passage, 0.0) for passage, _ in dense if passage not in mass)]

    def features(self, signals: Signals, as_of: int | None = None) -> tuple[list[int], np.ndarray]:
        """Candidates of a question: ids, and their features float32 [C, F], columns as in ``FEATURES``."""
        hybrid = [passage for passage, _ in self._hybrid(signals)[:MAX_CANDIDATES]]
        anchors: dict[int, float] = {}
        for name in signals.names:
            for passage in name.passages:
                anchors[passage] = max(anchors.get(passage, 0.0), name.confidence / len(name.passages) ** 0.5)
        for rank, passage in enumerate(hybrid[:MAX_ANCHORS]):
            anchors.setdefault(passage, 0.3 / (1 + 0.3 * rank))
        nodes = self.store.passages_by_id(list(anchors))
        found = find_links([nodes[passage] for passage in anchors if passage in nodes], self.store, as_of)
        candidates = list(dict.fromkeys([*anchors, *hybrid, *(link.target for link in found)]))
        present = self.ids[self._rows(candidates)] == candidates
        candidates = [passage for passage, loaded in zip(candidates, present.tolist(), strict=True) if loaded]
        return candidates, self._evidence(signals, as_of, candidates, anchors, found).table(candidates)

    def _evidence(
        self, signals: Signals, as_of: int | None, candidates: list[int], anchors: dict[int, float],
        found: list[Link],
    ) -> Evidence:  # fmt: skip
        kept = set(candidates)
        found = [link for link in found if link.target in kept]
        question = self._texts([signals.masked_question])[0]
        similarity = self._texts([link.context for link in found]) @ question if found else np.zeros(0, np.float32)
        rows, order = self._rows(candidates), self._best_dense(signals, BASELINE_DEPTH)
        return Evidence(
            signals, anchors, found, similarity,
            dense=dict(zip(candidates, signals.dense[rows].tolist(), strict=True)),
            answers=dict(zip(candidates, (self._vectors[rows] @ question).tolist(), strict=True)),
            dense_ranks={int(self.ids[row]): rank for rank, row in enumerate(order.tolist())},
            mass=self._pagerank(signals, 0.85, as_of, FEATURE_PAGERANK),
        )  # fmt: skip
