"""Candidates: the nodes of a retrieval that are offered to the model, with their rank features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from graphmem.core.types import Subgraph
from graphmem.retrieval.answerability import answerability_threshold

LIKELY, SURE = 0.4, 0.99
FEATURES = ("top", "gap", "rank", "activation", "share", "answerable", "refusal", "refusal_answerable")
"""What the attention bias of a node is made of, in the order of ``MemoryTokens.features``."""


class NamedNode(Protocol):
    """A node of a retrieval, as far as the model reads it."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


class RetrievedNodes(Protocol):
    """What a memory returns for a query, as far as the model reads it."""

    @property
    def nodes(self) -> Sequence[NamedNode]: ...
    @property
    def subgraph(self) -> Subgraph: ...
    @property
    def answerable(self) -> float: ...


CONTINUATION_FEATURES = ("topic", "one", "two", "inverse", "rank", "shared")
"""What a plain text is told of a name besides its words: whether the text named it itself, whether it stands one fact
away from what the text named or further, whether the fact is walked from its object, its rank, and how many names share
its relation."""


@dataclass(frozen=True, slots=True)
class ContinuationCandidates:
    """How plain text knows N candidates.

    Attributes:
        relations: words of the relation that leads to each.
        features: float32 [N, len(TOLD)].
        opens: bool [N, N], whether name i may be said once name j has been.
        own: whether no name may be said before that, since the memory was asked with more than a name.
    """

    relations: tuple[str, ...]
    features: np.ndarray
    opens: np.ndarray
    own: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """Nodes handed to the model for one text, most relevant first.

    Attributes:
        names: N names.
        features: float32 [N, len(FEATURES)].
        answerable: probability that some node answers, 0..1.
        ids: N node ids; -1 for the refusal, which is no node.
        told: how plain text knows them; None where somebody asked.
    """

    names: tuple[str, ...]
    features: np.ndarray
    answerable: float
    ids: tuple[int, ...]
    told: ContinuationCandidates | None = None


def candidates(
    found: RetrievedNodes, limit: int, refusal: str | None = None, trust: float = LIKELY, silent: float = 0.0
) -> Candidates:
    """Rank features of at most ``limit`` nodes of a retrieval, and of the refusal if there is one; ``trust`` as in
    ``calibrate_confidence``.

    There are none where the memory's probability of holding the answer is below ``silent``, so that the base says
    exactly what it would say alone, or what a question that does not name what the memory knows asks for
    (``answerability_threshold``); but where a refusal is offered, or the memory is believed always, there are.

    The features are scale-free (ranks, clipped differences to the best), so that rankers with other scales of
    relevance can be read by the same weights.
    """
    least = answerability_threshold(found, silent) if silent else silent
    heard = refusal is not None or trust <= 0 or float(found.answerable) >= least
    nodes = list(found.nodes)[:limit] if heard else []
    answerable = calibrate_confidence(float(found.answerable), trust) if nodes else 0.0
    relevance, activation = _aligned(nodes, found.subgraph)
    order = np.argsort(-relevance, kind="stable")
    features = rank_features(relevance[order], activation[order], answerable)
    names, ids = tuple(nodes[i].name for i in order), tuple(nodes[i].id for i in order)
    seen = Candidates(names, features, answerable, ids)
    return add_refusal(seen, refusal) if refusal else seen


def calibrate_confidence(answerable: float, trust: float = LIKELY) -> float:
    """The memory's probability of holding the answer, as the readings take it: likely is as good as sure.

    A memory is less sure of relations it was not trained on, though as often right; readings trained on what it is sure
    of would keep silent there. So from ``trust`` on it is read as ``SURE``; with 0 it is believed whatever it says.
    """
    return max(answerable, SURE) if answerable >= trust else answerable


def add_refusal(seen: Candidates, refusal: str) -> Candidates:
    """The same candidates and, where there are any, the words that say that none is the answer."""
    if not seen.names:
        return seen
    features = np.vstack([seen.features, refusal_features(seen.answerable)])
    return Candidates((*seen.names, refusal), features, seen.answerable, (*seen.ids, -1))


def _aligned(nodes: Sequence[NamedNode], graph: Subgraph) -> tuple[np.ndarray, np.ndarray]:
    """Relevance and activation, float32 [N] each, of the nodes; a node outside the subgraph gets the least."""
    place = {node: i for i, node in enumerate(np.asarray(graph.node_ids).tolist())}
    where = [place.get(node.id, -1) for node in nodes]
    least = float(np.min(graph.relevance)) if len(graph.relevance) else 0.0
    relevance = [float(graph.relevance[i]) if i >= 0 else least for i in where]
    activation = [float(graph.activation[i]) if i >= 0 else 0.0 for i in where]
    return np.asarray(relevance, np.float32), np.asarray(activation, np.float32)


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


def refusal_features(answerable: float) -> np.ndarray:
    """float32 [1, len(FEATURES)] of the refusal, which competes with the nodes like a name of its own."""
    features = np.zeros((1, len(FEATURES)), np.float32)
    features[0, 5:] = log_odds(answerable), 1.0, log_odds(answerable)
    return features


def log_odds(probability: float) -> float:
    """Log-odds over 4, cut to [-1, 1]."""
    p = min(max(float(probability), 1e-6), 1 - 1e-6)
    return float(np.clip(np.log(p / (1 - p)) / 4, -1.0, 1.0))
