"""Rankers by spreading activation: through learned gates, or untrained by the similarity of paths.

Activation depends on relations alone. Where several facts of a path have a text, as with vague relations ("note"), the
question is compared with each, and the ends of the path are reordered by similarity (``text_bonus``). Only differences
within a path count, so a graph without texts, or with one fact a path, is ranked as if there were none.
"""

from __future__ import annotations

import numpy as np

from graphmem.core.protocols import TextEncoder
from graphmem.core.types import Fact, Subgraph
from graphmem.encoding.embedding_cache import EmbeddingCache, arc_texts, path_phrase
from graphmem.retrieval.rankers import Ranked, Search
from graphmem.retrieval.relation_scorer import RelationScorer, widened_lengths
from graphmem.retrieval.search.spreading_activation import ActivatedSubgraph, Walk, spread

MAX_TEXT_NODES = 64
"""Nodes whose facts' texts are compared with the question, best first."""

TEXT_WEIGHT = 30.0
"""Nats per unit of cosine of a fact's text, as for the phrase of a path."""

PATH_WEIGHT, MAX_HOPS = 60.0, 4
"""Without trained gates: nats per unit of cosine of a path, and its maximum length."""


class ActivationRanker:
    """Ranker by learned spreading activation: the probability that the answer is the end of a path."""

    def __init__(self, scorer: RelationScorer) -> None:
        self.scorer = scorer

    def rank(self, search: Search) -> Ranked:
        """Rank the activated nodes; no nodes without seeds or where nothing is reached."""
        seeds, index = search.seeds, search.index
        if not len(seeds.nodes) or not len(index.relations):
            return Ranked(Subgraph.empty())
        roots, weights = roots_of(search)
        scores = self.scorer.score(seeds.masked_query, index.relations)
        rescorer = self.scorer.rescorer(scores, index.relations)
        lengths = scores.lengths if rescorer is None else widened_lengths(scores.lengths)
        found = spread(index, roots, weights, scores.steps, lengths, search.budget, rescorer)
        if not len(found.nodes):
            return Ranked(Subgraph.empty())
        relevance = log_activation(found) + text_bonus(search, found, scores.question.numpy(), self.scorer.vectors)
        return Ranked(as_subgraph(search, found, relevance), found)


class PathSimilarityRanker:
    """Ranker by the cosine of the masked question and the text of every relation path around the seeds.

    A beam search over paths, arc by arc. It needs no weights: the fallback for encoders without trained weights, and a
    baseline.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self._vectors = EmbeddingCache(encoder)

    def rank(self, search: Search) -> Ranked:
        """Rank the end nodes of the most similar paths."""
        if not len(search.seeds.nodes) or not len(search.index.relations):
            return Ranked(Subgraph.empty())
        found = _SimilarityWalk(search, self._vectors).run()
        if not len(found.nodes):
            return Ranked(Subgraph.empty())
        return Ranked(as_subgraph(search, found, log_activation(found)), found)


class _SimilarityWalk(Walk):
    """A walk whose paths are scored by the cosine of their whole text."""

    def __init__(self, search: Search, vectors: EmbeddingCache) -> None:
        self._vectors, self._texts = vectors, arc_texts(search.index.relations)
        self._question = vectors([search.seeds.masked_query])[0]
        lengths = np.zeros(MAX_HOPS + 1)
        lengths[0] = -1e6  # no estimate of answerability
        open_gates = np.zeros((MAX_HOPS, len(self._texts)))
        super().__init__(search.index, *roots_of(search), open_gates, lengths, search.budget)

    def extension_scores(self, hop: int, scores: np.ndarray, parents: np.ndarray, codes: np.ndarray) -> np.ndarray:
        texts = [
            path_phrase([self._texts[step] for step in (*self.codes_of(hop, int(parent)), int(code))])
            for parent, code in zip(parents, codes, strict=True)
        ]
        return PATH_WEIGHT * (self._vectors(texts) @ self._question).astype(np.float64)

    def pruning_bound(self, hop: int) -> float:
        return -np.inf


def log_activation(found: ActivatedSubgraph) -> np.ndarray:
    """Relevance in nats, float32 [N]: the log of the activation, at least 1e-9."""
    return np.asarray(np.log(np.maximum(found.activation, 1e-9)))


def text_bonus(search: Search, found: ActivatedSubgraph, question: np.ndarray, vectors: EmbeddingCache) -> np.ndarray:
    """Addition to each node's relevance by its fact's text, in nats [N]; it sums to zero over the ends of a path.

    ``question`` [K] is the vector of the masked question.
    """
    bonus = np.zeros(len(found.nodes), np.float32)
    if not search.store.has_fact_texts():
        return bonus
    groups: dict[tuple[int, int], list[int]] = {}
    for position, (layer, entry) in enumerate(found.best[:MAX_TEXT_NODES].tolist()):
        groups.setdefault((layer, int(found.layers[layer].path[entry])), []).append(position)
    for (layer, _), positions in groups.items():
        if len(positions) > 1:
            facts = search.store.facts_by_id(found.layers[layer].edge[found.best[positions, 1]].tolist())
            texts = [(p, _masked_text(fact)) for p, fact in zip(positions, facts, strict=True) if fact.text]
            if len(texts) > 1:
                cosines = vectors([text for _, text in texts]) @ question
                bonus[[p for p, _ in texts]] = TEXT_WEIGHT * (cosines - cosines.mean())
    return bonus


def _masked_text(fact: Fact) -> str:
    """The text of a fact with the names of its subject and object masked."""
    return fact.text.replace(fact.subject, "it").replace(fact.object, "something")[:400]


def _arc_ends(nodes: np.ndarray, found: ActivatedSubgraph) -> np.ndarray:
    """Positions in ``nodes`` of the ends of all arcs, int64 [2, E]."""
    order = np.argsort(nodes, kind="stable")
    return np.asarray(order[np.searchsorted(nodes[order], found.arcs[:2])], np.int64)


def roots_of(search: Search) -> tuple[list[np.ndarray], np.ndarray]:
    """The nodes of each name in the query and its weight; without names every seed by itself."""
    seeds = search.seeds
    if not seeds.mentions:
        return [seeds.nodes[i : i + 1] for i in range(len(seeds.nodes))], seeds.weights
    allowed, best = set(seeds.nodes.tolist()), seeds.mentions[0].score
    roots = [(np.asarray([n for n in m.nodes if n in allowed], np.int64), m.score / best) for m in seeds.mentions]
    roots = [(nodes, weight) for nodes, weight in roots if len(nodes)]
    return [nodes for nodes, _ in roots], np.asarray([weight for _, weight in roots])


def _difference(few: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Ids of ``few`` that are not in ``many``, ascending; faster than ``numpy.setdiff1d``, which sorts both."""
    return np.unique(few[~(few[:, None] == many).any(axis=1)])


def as_subgraph(search: Search, found: ActivatedSubgraph, relevance: np.ndarray) -> Subgraph:
    """The activated nodes as a Subgraph, most relevant first; seeds that are not among them come last."""
    extra = _difference(search.seeds.nodes, found.nodes)
    order = np.argsort(-relevance, kind="stable")
    nodes = np.concatenate([found.nodes[order], extra])
    low = min(float(relevance.min(initial=0.0)), 0.0) - 2.0
    return Subgraph(
        node_ids=nodes, relevance=np.concatenate([relevance[order], np.full(len(extra), low)]).astype(np.float32),
        activation=np.concatenate([found.activation[order], np.zeros(len(extra), np.float32)]),
        edge_index=_arc_ends(nodes, found), relations=found.arcs[2], edge_ids=found.arcs[3], seeds=search.seeds.pairs(),
        truncated_mass=found.truncated_mass, answerable=1.0 - found.no_answer,
    )  # fmt: skip
