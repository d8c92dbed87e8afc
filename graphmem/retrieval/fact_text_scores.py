"""Tells facts of one relation apart by their own texts: what a vague relation ("note", "said") leaves open.

Activation crosses arcs by what their relations say. Where several facts of the same path carry a text, the question is
compared with it, and ends of the path whose last fact is about what was asked come before the others. Only differences
within a path count, so that a graph without texts, or with one fact a path, is ranked as if there were none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmem.core.types import Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.retrieval.rankers import Search
from graphmem.retrieval.search.spreading_activation import ActivatedSubgraph

WEIGHT = 30.0
"""Nats for a whole point of likeness; that of a path's wording."""
MOST = 64
"""Only so many of the best nodes are compared."""


def text_bonus(search: Search, found: ActivatedSubgraph, question: np.ndarray, vectors: EmbeddingCache) -> np.ndarray:
    """What is added to each node's relevance, in nats, float32 [N]; it sums to nothing over the ends of a path.

    Args:
        search: the query, with the store that holds the facts.
        found: what it activated.
        question: [K] vector of the question with its topic blanked.
        vectors: of texts.
    """
    bonus = np.zeros(len(found.nodes), np.float32)
    has_texts = getattr(search.store, "has_fact_texts", None)
    if has_texts is None or not has_texts():
        return bonus
    groups: dict[tuple[int, int], list[int]] = {}
    for place, (layer, entry) in enumerate(found.best[:MOST].tolist()):
        groups.setdefault((layer, int(found.layers[layer].path[entry])), []).append(place)
    for places in groups.values():
        if len(places) > 1:
            facts = search.store.facts_by_id([_last_fact(found, place) for place in places])
            told = [(place, _told(fact)) for place, fact in zip(places, facts, strict=True) if fact.text]
            if len(told) > 1:
                cosines = vectors([text for _, text in told]) @ question
                bonus[[place for place, _ in told]] = WEIGHT * (cosines - cosines.mean())
    return bonus


def _last_fact(found: ActivatedSubgraph, place: int) -> int:
    layer, entry = found.best[place].tolist()
    return int(found.layers[layer].edge[entry])


def _told(fact: Any) -> str:
    """The text of a fact with its ends blanked: their names are no reason to be asked for."""
    assert isinstance(fact, Fact)
    return fact.text.replace(fact.subject, "it").replace(fact.object, "something")[:400]
