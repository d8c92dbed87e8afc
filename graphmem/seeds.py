"""Where a search starts: names in the query first, then words, then meaning."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphmem.encoder import encode_nodes
from graphmem.graph import GraphStore, TextEncoder
from graphmem.mentions import MAX_CHARACTERS, Mention, blank, find_mentions

BACKLOG = 50_000
"""Most nodes that one search encodes before it answers."""

RANK_OFFSET = 60
"""The constant of reciprocal-rank fusion (Cormack et al., SIGIR 2009)."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Nodes that activation starts from.

    Attributes:
        nodes: int64 [S], ids.
        weights: float32 [S], in (0, 1], strongest first.
        mentions: what in the query named them; empty when nothing did.
        asked: the query with its mentions blanked out.
        how: ``mention``, ``text``, ``dense``, ``fused`` or ``none``.
    """

    nodes: np.ndarray
    weights: np.ndarray
    mentions: tuple[Mention, ...] = ()
    asked: str = ""
    how: str = "none"

    def pairs(self) -> tuple[tuple[int, float], ...]:
        """Ids with their weights, as a Subgraph holds them."""
        return tuple(zip(self.nodes.tolist(), self.weights.tolist(), strict=True))


def find_seeds(query: str, store: GraphStore, encoder: TextEncoder | None, *, limit: int = 8) -> Seeds:
    """Seeds of a query: exact names when there are any, else words and vectors fused by rank.

    Nodes that lack a vector are encoded, and the vectors stored, only when it comes to that last resort.

    Args:
        query: any text; only its first part is looked at when it is very long.
        store: the memory.
        encoder: makes query and node vectors; None leaves meaning out.
        limit: most seeds.
    """
    query = query[:MAX_CHARACTERS]
    mentions = find_mentions(query, store)
    if mentions:
        return replace(_from_mentions(mentions, limit), asked=blank(query, mentions))
    rankings = [ranking for ranking in _without_names(query, store, encoder, limit) if ranking]
    if not rankings:
        return Seeds(np.zeros(0, np.int64), np.zeros(0, np.float32), asked=query)
    nodes, weights = fuse(rankings, limit)
    return Seeds(nodes, weights, asked=query, how="fused")


def fuse(rankings: Sequence[Sequence[int]], limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Reciprocal-rank fusion: ids int64 [S] and weights float32 [S], the best at 1."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, node in enumerate(ranking):
            scores[node] = scores.get(node, 0.0) + 1.0 / (RANK_OFFSET + rank)
    best = sorted(scores, key=lambda node: (-scores[node], node))[:limit]
    weights = np.asarray([scores[node] for node in best], np.float32)
    return np.asarray(best, np.int64), weights / weights[0]


def nearest(store: GraphStore, encoder: TextEncoder, query: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes nearest in meaning to a vector [K], of all: ids int64 [n] and cosines float32 [n], best first.

    Nodes that have no vector yet are encoded first, the newest ``BACKLOG`` of them. Writes their vectors to the store.

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
    return store.nearest(query, encoder.fingerprint, limit)


def _from_mentions(mentions: Sequence[Mention], limit: int) -> Seeds:
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


def _without_names(query: str, store: Any, encoder: TextEncoder | None, limit: int) -> list[list[int]]:
    nodes = [node for node, _ in store.search_text(query, limit=limit, what="node")]
    edges = [store.edge(edge) for edge, _ in store.search_text(query, limit=limit, what="edge")]
    facts = list(dict.fromkeys(end for edge in edges for end in (edge.src, edge.dst)))
    dense: list[int] = []
    if encoder is not None and query.strip():
        dense = nearest(store, encoder, encoder.encode([query])[0], limit)[0].tolist()
    return [nodes, facts, dense]
