"""Scores of the facts' own texts: they rank the facts of one vague relation ("note", "said").

Activation depends on relations alone. Where several facts of a path have a text, the question is compared with each,
and the ends of the path are reordered by similarity. Only differences within a path count, so a graph without texts, or
with one fact a path, is ranked as if there were none.
"""

from __future__ import annotations

import numpy as np

from graphmem.core.types import Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.retrieval.rankers import Search
from graphmem.retrieval.search.spreading_activation import ActivatedSubgraph

WEIGHT = 30.0
"""Nats per unit of cosine, as for the phrase of a path."""
MAX_NODES = 64
"""Nodes that are compared, best first."""


def text_bonus(search: Search, found: ActivatedSubgraph, question: np.ndarray, vectors: EmbeddingCache) -> np.ndarray:
    """Addition to each node's relevance, in nats, float32 [N]; it sums to zero over the ends of a path.

    Args:
        search: the query and the store of the facts.
        found: the activated nodes.
        question: [K] vector of the masked question.
        vectors: cached vectors of texts.
    """
    bonus = np.zeros(len(found.nodes), np.float32)
    has_texts = getattr(search.store, "has_fact_texts", None)
    if has_texts is None or not has_texts():
        return bonus
    groups: dict[tuple[int, int], list[int]] = {}
    for position, (layer, entry) in enumerate(found.best[:MAX_NODES].tolist()):
        groups.setdefault((layer, int(found.layers[layer].path[entry])), []).append(position)
    for (layer, _), positions in groups.items():
        if len(positions) > 1:
            facts = search.store.facts_by_id(found.layers[layer].edge[found.best[positions, 1]].tolist())
            texts = [(p, _masked_text(fact)) for p, fact in zip(positions, facts, strict=True) if fact.text]
            if len(texts) > 1:
                cosines = vectors([text for _, text in texts]) @ question
                bonus[[p for p, _ in texts]] = WEIGHT * (cosines - cosines.mean())
    return bonus


def _masked_text(fact: Fact) -> str:
    """The text of a fact with the names of its subject and object masked."""
    return fact.text.replace(fact.subject, "it").replace(fact.object, "something")[:400]
