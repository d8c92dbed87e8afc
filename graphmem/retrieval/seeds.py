"""Where a search starts: names in the query first, then names it nearly spells, then words and meaning.

Words and meaning are looked for in nodes and in facts alike. A fact has no vector of its own: its likeness to the
query is the sum of those of its subject, relation and object, so that no fact has to be encoded.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphmem.core.protocols import GraphIndex, GraphStore, TextEncoder
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.node_embeddings import encode_nodes
from graphmem.text.fuzzy_matching import find_near
from graphmem.text.name_matching import MAX_CHARACTERS, NameMatch, blank, match_names

BACKLOG = 50_000
"""Most nodes that one search encodes before it answers."""

RANK_OFFSET = 60
"""The constant of reciprocal-rank fusion (Cormack et al., SIGIR 2009)."""

NEAR_WORDS, NEAR_MEANING = 24, 40
"""Nodes, by words and by meaning, whose names may be what the query misspells."""

FACT_NODES, FACT_ARCS = 8, 32
"""Nodes, by words and by meaning each, whose facts are compared with the query, and facts of each."""

FACT_WEIGHT = 0.5
"""What a ranking of facts counts beside one of nodes; a fact brings two nodes, and one of them is not meant."""

DAMPING = 0.5
"""Power of a seed's inverse frequency, the reciprocal of the logarithm of its number of facts."""

CONTRAST = 8.0
"""Power to which fused scores are raised: reciprocal ranks alone hardly tell the first from the last."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Nodes that activation starts from.

    Attributes:
        nodes: int64 [S], ids.
        weights: float32 [S], in (0, 1], strongest first.
        mentions: what in the query named them; empty when nothing did.
        asked: the query with its mentions blanked out.
        how: ``mention``, ``spelling``, ``fused`` or ``none``.
    """

    nodes: np.ndarray
    weights: np.ndarray
    mentions: tuple[NameMatch, ...] = ()
    asked: str = ""
    how: str = "none"

    def pairs(self) -> tuple[tuple[int, float], ...]:
        """Ids with their weights, as a Subgraph holds them."""
        return tuple(zip(self.nodes.tolist(), self.weights.tolist(), strict=True))


class SeedFinder:
    """Finds where to start in one memory.

    Args:
        store: the memory.
        encoder: makes query and node vectors; None leaves meaning out.
    """

    def __init__(self, store: GraphStore, encoder: TextEncoder | None) -> None:
        self.store, self.encoder = store, encoder
        self._relations = EmbeddingCache(encoder) if encoder is not None else None

    def find(self, query: str, *, limit: int = 8, index: GraphIndex | None = None) -> Seeds:
        """Seeds of a query: exact names when there are any, else near ones, else words and vectors fused by rank.

        Nodes that lack a vector are encoded, and the vectors stored, only when no exact name was found.

        Args:
            query: any text; only its first part is looked at when it is very long.
            limit: most seeds.
            index: the graph whose facts are looked at; None takes the present one.
        """
        query = query[:MAX_CHARACTERS]
        mentions = match_names(query, self.store)
        if mentions:
            return replace(_from_mentions(mentions, limit), asked=blank(query, mentions))
        words, facts = self.store.search_texts(query, nodes=NEAR_WORDS, facts=limit)
        vector = None if self.encoder is None or not query.strip() else self.encoder.encode([query])[0]
        meant = self._nearest(vector)
        near = find_near(query, self._names({*words, *meant}))
        if near:
            return replace(_from_mentions(near, limit), asked=blank(query, near), how="spelling")
        index = self.store.index() if index is None else index
        rankings = [
            (1.0, words[:limit]), (1.0, meant[:limit]), (FACT_WEIGHT, self._ends(facts)[:limit]),
            (FACT_WEIGHT, self._dense_facts(words, meant, vector, index)[:limit]),
        ]  # fmt: skip
        if not any(ranking for _, ranking in rankings):
            return Seeds(np.zeros(0, np.int64), np.zeros(0, np.float32), asked=query)
        return Seeds(*fuse(rankings, limit, index), asked=query, how="fused")

    def asked(self, queries: Sequence[str]) -> list[str]:
        """What of each query will be encoded: the names in it blanked, as far as they stand in it as they are."""
        cut = [query[:MAX_CHARACTERS] for query in queries]
        return [text for text in (blank(query, match_names(query, self.store)) for query in cut) if text.strip()]

    def _nearest(self, vector: np.ndarray | None) -> list[int]:
        if vector is None or self.encoder is None:
            return []
        encode_missing(self.store, self.encoder)
        return [int(node) for node in self.store.approximate_nearest(vector, self.encoder.fingerprint, NEAR_MEANING)]

    def _names(self, nodes: set[int]) -> dict[int, str]:
        ids = sorted(nodes)
        return dict(zip(ids, self.store.names(ids), strict=True))

    def _ends(self, facts: Sequence[int]) -> list[int]:
        return list(dict.fromkeys(end for edge in self.store.edges(facts) for end in (edge.src, edge.dst)))

    def _dense_facts(
        self, words: list[int], meant: list[int], vector: np.ndarray | None, index: GraphIndex
    ) -> list[int]:
        """Both ends of the facts most like the query, among those around the best nodes."""
        around = np.unique(np.asarray([*words[:FACT_NODES], *meant[:FACT_NODES]], np.int64))
        if vector is None or self.encoder is None or self._relations is None or not len(around):
            return []
        arcs = index.expand(around, FACT_ARCS)
        relations, which = np.unique(arcs.relation >> 1, return_inverse=True)
        named = self._relations([index.relations[relation] for relation in relations.tolist()]) @ vector
        nodes, where = np.unique(np.concatenate([around[arcs.origin], arcs.target]), return_inverse=True)
        like = np.nan_to_num(self.store.similarity(vector, self.encoder.fingerprint, nodes))
        here, there = where.reshape(2, -1)  # [2, E]
        best = np.argsort(-(like[here] + named[which] + like[there]), kind="stable")[:FACT_ARCS]
        ends = [int(nodes[end[arc]]) for arc in best.tolist() for end in (here, there)]
        return list(dict.fromkeys(ends))


def find_seeds(query: str, store: GraphStore, encoder: TextEncoder | None, *, limit: int = 8) -> Seeds:
    """``SeedFinder.find`` for one query."""
    return SeedFinder(store, encoder).find(query, limit=limit)


def fuse(
    rankings: Sequence[tuple[float, Sequence[int]]], limit: int, index: GraphIndex | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted reciprocal-rank fusion: ids int64 [S] and weights float32 [S], the best at 1.

    Args:
        rankings: each with its weight.
        limit: most nodes.
        index: where given, nodes of many facts are damped.
    """
    scores: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, node in enumerate(ranking):
            scores[node] = scores.get(node, 0.0) + weight / (RANK_OFFSET + rank)
    nodes = np.asarray(sorted(scores), np.int64)
    fused = np.asarray([scores[node] for node in nodes.tolist()])
    if index is not None:
        fused = fused / np.log2(2.0 + index.degree(nodes)) ** DAMPING
    best = np.lexsort((nodes, -fused))[:limit]
    return nodes[best], ((fused[best] / fused[best[0]]) ** CONTRAST).astype(np.float32)


def encode_missing(store: GraphStore, encoder: TextEncoder) -> None:
    """Encode the newest ``BACKLOG`` nodes that have no vector yet. Writes their vectors to the store.

    Raises:
        EncoderMismatch: the stored vectors are all of other encoders.
    """
    missing = store.missing_vectors(encoder.fingerprint)
    if len(missing):
        encode_nodes(store, encoder, nodes=missing[-BACKLOG:])
    if len(missing) > BACKLOG:
        warnings.warn(
            f"{len(missing) - BACKLOG:,} nodes have no vector yet and are found by name and words only; run "
            "`graphmem reencode FILE`, or memory.encode()",
            stacklevel=2,
        )


def nearest(store: GraphStore, encoder: TextEncoder, query: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes nearest in meaning to a vector [K], of all: ids int64 [n] and cosines float32 [n], best first.

    Nodes that have no vector yet are encoded first; see ``encode_missing``.

    Raises:
        EncoderMismatch: the stored vectors are all of other encoders.
    """
    encode_missing(store, encoder)
    return store.nearest(query, encoder.fingerprint, limit)


def _from_mentions(mentions: Sequence[NameMatch], limit: int) -> Seeds:
    weights: dict[int, float] = {}
    best = mentions[0].score
    for mention in mentions:
        for node in mention.nodes:
            weights[node] = max(weights.get(node, 0.0), mention.score / best)
    ids = sorted(weights, key=lambda node: (-weights[node], node))[:limit]
    return Seeds(
        np.asarray(ids, np.int64),
        np.asarray([weights[node] for node in ids], np.float32),
        tuple(mentions),
        how="mention",
    )
