"""Candidates: the nodes of a retrieval that are offered to the model, with their rank features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graphmem.core.types import Subgraph
from graphmem.retrieval.answerability import answerability_threshold

TRUST, CERTAIN = 0.4, 0.99
"""Default answerability from which a retrieval is treated as certain; the answerability that it then gets."""

FEATURES = ("top", "gap", "rank", "activation", "share", "answerable", "refusal", "refusal_answerable")
"""Features behind the attention bias of a node, in the order of ``MemoryTokens.features``."""

CONTINUATION_FEATURES = ("topic", "one", "two", "inverse", "rank", "shared")
"""Features of a candidate in plain text: mentioned in the text, one fact away, or two; its fact is traversed from the
object; its rank; how many candidates share its relation."""


class RetrievedNodes(Protocol):
    """A retrieval, as far as the model uses it; nodes have an ``id`` and a ``name``."""

    @property
    def nodes(self) -> Sequence[Any]: ...
    @property
    def subgraph(self) -> Subgraph: ...
    @property
    def answerable(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ContinuationCandidates:
    """Further features of N candidates for plain text.

    Attributes:
        relations: words of the relation that leads to each.
        features: float32 [N, len(CONTINUATION_FEATURES)].
        unlocks: bool [N, N], whether a mention of name j makes name i likely.
        strict: whether a name is blocked until one that unlocks it is mentioned: the query was more than a name.
    """

    relations: tuple[str, ...]
    features: np.ndarray
    unlocks: np.ndarray
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """Names offered to the model for one text, most relevant first.

    Attributes:
        names: N names.
        features: float32 [N, len(FEATURES)].
        answerable: probability that some node answers, 0..1.
        ids: N node ids; -1 for the refusal, which is no node.
        continuation: features for plain text; None for a question.
    """

    names: tuple[str, ...]
    features: np.ndarray
    answerable: float
    ids: tuple[int, ...]
    continuation: ContinuationCandidates | None = None


def candidates(
    retrieval: RetrievedNodes, max_nodes: int, refusal: str | None = None, trust: float = TRUST,
    min_answerability: float = 0.0,
) -> Candidates:  # fmt: skip
    """At most ``max_nodes`` nodes of a retrieval, and the refusal if there is one.

    There are none where the answerability is below ``min_answerability`` (or the higher threshold that a question
    without a known name needs), so that the base is left unchanged; unless a refusal is offered or ``trust`` is 0.

    Answerability of ``trust`` or more becomes at least ``CERTAIN``: it is underestimated for relations outside of the
    retriever's training. Features are scale-free (ranks, clipped differences to the best), so that the same weights fit
    rankers with other scales of relevance.
    """
    threshold = answerability_threshold(retrieval, min_answerability) if min_answerability else 0.0
    offered = refusal is not None or trust <= 0 or float(retrieval.answerable) >= threshold
    nodes = list(retrieval.nodes)[:max_nodes] if offered else []
    answerable = float(retrieval.answerable) if nodes else 0.0
    if nodes and answerable >= trust:
        answerable = max(answerable, CERTAIN)
    relevance, activation = _scores(nodes, retrieval.subgraph)
    order = np.argsort(-relevance, kind="stable")
    features = rank_features(relevance[order], activation[order], answerable)
    names, ids = tuple(nodes[i].name for i in order), tuple(nodes[i].id for i in order)
    ranked = Candidates(names, features, answerable, ids)
    return add_refusal(ranked, refusal) if refusal else ranked


def add_refusal(ranked: Candidates, refusal: str) -> Candidates:
    """The same candidates and, where there are any, the refusal as another one."""
    if not ranked.names:
        return ranked
    own = np.zeros((1, len(FEATURES)), np.float32)
    own[0, 5:] = log_odds(ranked.answerable), 1.0, log_odds(ranked.answerable)
    features = np.vstack([ranked.features, own])
    return Candidates((*ranked.names, refusal), features, ranked.answerable, (*ranked.ids, -1))


def _scores(nodes: Sequence[Any], graph: Subgraph) -> tuple[np.ndarray, np.ndarray]:
    """Relevance and activation, float32 [N] each, of the nodes; a node outside the subgraph gets the minimum."""
    index = {node: i for i, node in enumerate(np.asarray(graph.node_ids).tolist())}
    rows = np.array([index.get(node.id, -1) for node in nodes], np.int64)  # -1: what is appended below
    lowest = np.min(graph.relevance) if len(graph.relevance) else 0.0
    relevance, activation = np.append(graph.relevance, lowest), np.append(graph.activation, 0.0)
    return relevance[rows].astype(np.float32), activation[rows].astype(np.float32)


def rank_features(relevance: np.ndarray, activation: np.ndarray, answerable: float) -> np.ndarray:
    """float32 [N, len(FEATURES)] of nodes sorted by falling relevance."""
    count = len(relevance)
    features = np.zeros((count, len(FEATURES)), np.float32)
    if not count:
        return features
    gap = np.nan_to_num(relevance - relevance[0], nan=-8.0, neginf=-8.0)
    features[0, 0] = 1.0
    features[:, 1] = np.clip(gap, -8.0, 0.0) / 4
    features[:, 2] = np.log1p(np.arange(count)) / 2
    activation = np.clip(np.nan_to_num(activation), 0.0, 1e6)
    features[:, 3] = np.clip(np.log((activation + 1e-6) / (activation[0] + 1e-6)), -8.0, 8.0) / 4
    share = np.exp(np.clip(gap, -60.0, 0.0))
    features[:, 4] = share / share.sum()
    features[:, 5] = log_odds(answerable)
    return features


def log_odds(probability: float) -> float:
    """Log-odds over 4, clipped to [-1, 1]."""
    p = min(max(float(probability), 1e-6), 1 - 1e-6)
    return float(np.clip(np.log(p / (1 - p)) / 4, -1.0, 1.0))
