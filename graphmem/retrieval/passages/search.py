"""Finds passages for a question without a language model: names, links between passages, words and meaning.

A search starts at the passages whose titles the question names, crosses the links to the passages that these name,
adds what BM25, vectors and personalised PageRank find, and a small trained scorer ranks all of them by what is in
``passage_scorer.FEATURES``. The baselines are rankings by one of these signals alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.protocols import TextEncoder
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.node_embeddings import encode_passages
from graphmem.retrieval.passages.links import Link, Named, links, named, title_of
from graphmem.retrieval.passages.reranker import Evidence, PassageReranker
from graphmem.retrieval.search.pagerank import push
from graphmem.retrieval.search.spreading_activation import Budget
from graphmem.text.name_matching import MAX_CHARACTERS, NameMatch, blank, match_names
from graphmem.text.stop_words import STOP_WORDS

PassageRanker = Literal["learned", "ppr", "dense", "bm25", "fused"]
RANKERS = ("learned", "ppr", "dense", "bm25", "fused")

DEEP = 100
"""Passages that a baseline ranks."""

CANDIDATES = 40
"""Passages that words and vectors bring in beside those that the graph leads to."""

ANCHORS = 5
"""Of these, so many have their links followed too."""

NEAR: dict[str, Any] = {"hops": 4, "floor": 1e-4, "budget": Budget(frontier=500, arcs=20_000, hub=500)}
"""How far PageRank goes as one signal among many; as a baseline it goes on to the end."""

FAR: dict[str, Any] = {"hops": 8, "floor": 1e-5, "budget": Budget(hub=2000)}

RANK_OFFSET = 60

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage that a query found. ``score`` is comparable within one retrieval."""

    id: int
    title: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What one question is known to have to do with the passages.

    Attributes:
        asked: the question with the names in it blanked out.
        names: titles it holds.
        dense: cosine of every passage, float32 [P], in the order of ``PassageSearch.ids``.
        words: BM25 by passage id, of the best.
    """

    question: str
    asked: str
    names: list[Named]
    dense: np.ndarray
    words: dict[int, float]


class PassageSearch:
    """Searches the passages of one memory. What was added since the last search is found.

    Args:
        store: the memory.
        encoder: makes the vectors of questions and passages.
        scorer: ranks candidates; None for the weights that ship.
    """

    def __init__(self, store: Any, encoder: TextEncoder, scorer: PassageReranker | None = None) -> None:
        self.store, self.encoder = store, encoder
        self.scorer = scorer
        self.ids = np.zeros(0, np.int64)
        self._vectors = np.zeros((0, encoder.dim), np.float32)
        self._texts = EmbeddingCache(encoder, limit=20_000)

    def search(
        self, query: str, *, limit: int = 10, ranker: PassageRanker = "learned", as_of: int | None = None,
        damping: float = 0.5,
    ) -> tuple[ScoredPassage, ...]:  # fmt: skip
        """The best passages, best first; none where the memory holds none or the query says nothing.

        Args:
            query: a question or any text.
            limit: most passages.
            ranker: one of ``RANKERS``; all but ``learned`` are baselines.
            as_of: microseconds; search what was linked at that time.
            damping: of the ``ppr`` ranker.

        Raises:
            InvalidValue: no such ranker, or ``limit`` below 1.
            EncoderMismatch: the passages' vectors were made by another encoder.
        """
        if ranker not in RANKERS:
            raise InvalidValue(f"no passage ranker {ranker!r}; choose one of {', '.join(RANKERS)}")
        if limit < 1:
            raise InvalidValue(f"limit must be at least 1, not {limit!r}")
        query = query[:MAX_CHARACTERS].encode("utf-8", "replace").decode().strip()
        self.refresh()
        if not query or not len(self.ids):
            return ()
        signals = self.signals(query, as_of)
        ranked = self._learned(signals, as_of) if ranker == "learned" else self._plain(signals, ranker, damping, as_of)
        found = self.store.passages_by_id([passage for passage, _ in ranked[: limit + 16]])
        passages = [(found[passage], score) for passage, score in ranked if passage in found][:limit]
        if len(found) < min(len(ranked), limit + 16):
            self.ids = self.ids[:0]  # some are gone: read all anew at the next search
        return tuple(ScoredPassage(node.id, title_of(node), node.text, float(score)) for node, score in passages)

    # ---------------------------------------------------------------- passages and their vectors

    def refresh(self) -> None:
        """Read the passages that were added since, and encode those that have no vector yet. Writes their vectors."""
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
        """Positions of passages in ``ids``, int64 [n]; those that are not there become the last one."""
        return np.minimum(np.searchsorted(self.ids, passages), len(self.ids) - 1)

    # ---------------------------------------------------------------- signals

    def signals(self, question: str, as_of: int | None) -> Signals:
        """Names, words and meaning of a question."""
        vector = self.encoder.encode([question])[0]
        dense = self._vectors @ vector
        names = named(question, self.store, lambda ids: sorted(ids, key=lambda i: -dense[self._rows([i])[0]]), as_of)
        exact = [name for name in names if name.nodes]
        asked = blank(question, [NameMatch(name.start, name.end, "", name.nodes, 1.0) for name in exact])
        telling = " ".join(word for word in _WORD.findall(question) if word.casefold() not in STOP_WORDS) or question
        words = dict(self.store.search_passages(telling, limit=DEEP))
        return Signals(question, asked, names, dense, words)

    def _best_dense(self, signals: Signals, count: int) -> np.ndarray:
        count = min(count, len(self.ids))
        best = np.argpartition(-signals.dense, count - 1)[:count]
        return best[np.argsort(-signals.dense[best], kind="stable")]

    def _fused(self, signals: Signals) -> list[tuple[int, float]]:
        """Reciprocal-rank fusion of words and vectors (Cormack et al., SIGIR 2009)."""
        scores: dict[int, float] = {}
        for ranking in (self.ids[self._best_dense(signals, DEEP)].tolist(), list(signals.words)):
            for rank, passage in enumerate(ranking):
                scores[passage] = scores.get(passage, 0.0) + 1.0 / (RANK_OFFSET + rank)
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))

    def _pagerank(self, signals: Signals, damping: float, as_of: int | None, reach: dict[str, Any]) -> dict[int, float]:
        """Mass of personalised PageRank on passages, most first, from all that the question names."""
        weights: dict[int, float] = {}
        for name in signals.names:
            for node in name.nodes:
                weights[node] = weights.get(node, 0.0) + 1.0 / len(name.nodes)
            for passage in name.passages:
                weights[passage] = weights.get(passage, 0.0) + name.sure / len(name.passages)
        taken = [(name.start, name.end) for name in signals.names if name.nodes]
        for mention in match_names(signals.question, self.store):
            if all(mention.end <= start or mention.start >= end for start, end in taken):
                weights.update((node, 1.0) for node in mention.nodes if node not in weights)
        if not weights:
            best = self._best_dense(signals, ANCHORS)
            weights = {int(self.ids[row]): max(float(signals.dense[row]), 1e-3) for row in best}
        seeds, shares = np.asarray(list(weights), np.int64), np.asarray(list(weights.values()), np.float32)
        nodes, mass, _ = push(self.store.index(as_of=as_of), seeds, shares, damping=damping, **reach)
        inside = self.ids[self._rows(nodes)] == nodes
        return dict(zip(nodes[inside].tolist(), mass[inside].tolist(), strict=True))

    # ---------------------------------------------------------------- rankings

    def _plain(self, signals: Signals, ranker: str, damping: float, as_of: int | None) -> list[tuple[int, float]]:
        dense = [(int(self.ids[row]), float(signals.dense[row])) for row in self._best_dense(signals, DEEP)]
        if ranker == "dense":
            return dense
        if ranker == "bm25":
            return list(signals.words.items())
        if ranker == "fused":
            return self._fused(signals)
        mass = self._pagerank(signals, damping, as_of, FAR)
        return [*mass.items(), *((passage, 0.0) for passage, _ in dense if passage not in mass)]

    def _learned(self, signals: Signals, as_of: int | None) -> list[tuple[int, float]]:
        passages, features = self.features(signals, as_of)
        if self.scorer is None:
            self.scorer = PassageReranker.load()
        scores = self.scorer(features)
        order = np.argsort(-scores, kind="stable")
        return [(passages[at], float(scores[at])) for at in order.tolist()]

    def features(self, signals: Signals, as_of: int | None = None) -> tuple[list[int], np.ndarray]:
        """Candidates of a question: ids, and what is known of each, float32 [C, F], F as ``FEATURES``."""
        fused = [passage for passage, _ in self._fused(signals)[:CANDIDATES]]
        anchors: dict[int, float] = {}
        for name in signals.names:
            for passage in name.passages:
                anchors[passage] = max(anchors.get(passage, 0.0), name.sure / len(name.passages) ** 0.5)
        for rank, passage in enumerate(fused[:ANCHORS]):
            anchors.setdefault(passage, 0.3 / (1 + 0.3 * rank))
        nodes = self.store.passages_by_id(list(anchors))
        found = links([nodes[passage] for passage in anchors if passage in nodes], self.store, as_of)
        candidates = list(dict.fromkeys([*anchors, *fused, *(link.target for link in found)]))
        present = self.ids[self._rows(candidates)] == candidates
        candidates = [passage for passage, here in zip(candidates, present.tolist(), strict=True) if here]
        return candidates, self._evidence(signals, as_of, candidates, anchors, found).table(candidates)

    def _evidence(
        self, signals: Signals, as_of: int | None, candidates: list[int], anchors: dict[int, float],
        found: list[Link],
    ) -> Evidence:  # fmt: skip
        kept = set(candidates)
        found = [link for link in found if link.target in kept]
        asked = self._texts([signals.asked])[0]
        around = self._texts([link.around for link in found]) @ asked if found else np.zeros(0, np.float32)
        rows = self._rows(candidates)
        order = np.argsort(-signals.dense, kind="stable") if len(self.ids) <= DEEP else self._best_dense(signals, DEEP)
        ranks = {int(self.ids[row]): rank for rank, row in enumerate(order.tolist())}
        return Evidence(
            asked=signals.asked, names=signals.names, anchors=anchors, links=found, around=around,
            dense=dict(zip(candidates, signals.dense[rows].tolist(), strict=True)),
            answers=dict(zip(candidates, (self._vectors[rows] @ asked).tolist(), strict=True)),
            dense_ranks=ranks, words=signals.words, mass=self._pagerank(signals, 0.85, as_of, NEAR),
        )  # fmt: skip
