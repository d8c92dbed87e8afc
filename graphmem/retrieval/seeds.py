"""Seed nodes of a search: names in the query, else parts of names and misspelt ones, else BM25 and dense retrieval.

BM25 and dense retrieval cover nodes and facts. A fact has no vector of its own: its similarity to the query is the sum
of those of its subject, relation and object, so no fact has to be encoded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rapidfuzz import fuzz, process

from graphmem.core.names import fold, normalise, normalise_relation
from graphmem.core.protocols import GraphIndex, GraphStore, TextEncoder
from graphmem.core.types import ALSO_KNOWN
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.node_embeddings import encode_nodes
from graphmem.text.fuzzy_matching import match_fuzzy
from graphmem.text.name_matching import MAX_CHARACTERS, NameMatch, best_matches, mask_names, match_names
from graphmem.text.name_parts import is_possessive, match_parts, other_first_names
from graphmem.text.word_classes import STOP_WORDS, ordinary_words

MAX_BACKLOG = 50_000
"""Nodes that one search encodes at most before it answers."""

RANK_OFFSET = 60
"""The constant of reciprocal-rank fusion (Cormack et al., SIGIR 2009)."""

MAX_LEXICAL, MAX_DENSE = 24, 40
"""Nodes, by BM25 and by vectors, whose names are compared with the query for misspellings."""

FACT_NODES, FACT_ARCS = 8, 32
"""Nodes, by BM25 and by vectors each, whose facts are compared with the query, and facts of each."""

FACT_WEIGHT = 0.5
"""Weight of a ranking of facts relative to one of nodes; a fact adds two nodes, and only one of them is relevant."""

DEGREE_DAMPING = 0.5
"""Exponent of a seed's inverse log degree."""

SAME_WORD = 80
"""Similarity, of 100, from which a word of a query is a form of one of a relation: "live" of "lives in"."""

CONTRAST = 8.0
"""Exponent of fused scores: reciprocal ranks alone hardly separate the first from the last."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Seed nodes of a search.

    Attributes:
        nodes: int64 [S], ids.
        weights: float32 [S], in (0, 1], highest first.
        mentions: the names in the query that match them; empty for ``hybrid``.
        masked_query: the query with these names masked.
        strategy: ``exact``, ``fuzzy``, ``hybrid`` or ``none``.
        unclear: names in the query that may mean several nodes, each with the names of these.
    """

    nodes: np.ndarray
    weights: np.ndarray
    mentions: tuple[NameMatch, ...] = ()
    masked_query: str = ""
    strategy: str = "none"
    unclear: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def pairs(self) -> tuple[tuple[int, float], ...]:
        """Ids with their weights, in the form of ``Subgraph.seeds``."""
        return tuple(zip(self.nodes.tolist(), self.weights.tolist(), strict=True))


class SeedFinder:
    """Seed search in one memory."""

    def __init__(self, store: GraphStore, encoder: TextEncoder) -> None:
        self.store, self.encoder = store, encoder
        self._relations = EmbeddingCache(encoder)

    def find(self, query: str, *, max_seeds: int = 8, index: GraphIndex | None = None) -> Seeds:
        """Seeds of a query: exact names if there are any, else fuzzy ones, else BM25 and vectors fused by rank.

        Exact names are names, aliases and their folded forms; fuzzy ones are parts of names and misspelt names. A name
        that may mean several nodes means the one that has facts of a relation in the query, where there is one. Where
        facts say that something is ``also known as`` a name, it is found too.
        Only the query's first ``MAX_CHARACTERS`` count. Where no exact name is found, nodes that lack a vector are
        encoded and their vectors stored. ``index`` is the graph whose facts are compared; None is the present one.
        """
        query = query[:MAX_CHARACTERS]
        index = self.store.index() if index is None else index
        exact = self._exact(query, index)
        if exact:
            exact += self._parts_beside(query, exact, index)
            return self._from_matches(query, exact, max_seeds, "exact", index)
        lexical, facts = self.store.search_texts(query, nodes=MAX_LEXICAL, facts=max_seeds)
        vector = self.encoder.encode([query])[0] if query.strip() else None
        dense = self._nearest(vector)
        near = sorted({*lexical, *dense})
        parts = match_parts(query, self.store, _words_of(index.relations))
        spelt = match_fuzzy(query, dict(zip(near, self.store.names(near), strict=True)))
        fuzzy = best_matches([*self._topics(query, parts, index), *spelt], lambda m: self._is_topic(query, m, index))
        if fuzzy:
            return self._from_matches(query, fuzzy, max_seeds, "fuzzy", index)
        ends = list(dict.fromkeys(end for edge in self.store.edges(facts) for end in (edge.src, edge.dst)))
        dense_ends = self._dense_facts(lexical, dense, vector, index)
        rankings = [(1.0, lexical), (1.0, dense), (FACT_WEIGHT, ends), (FACT_WEIGHT, dense_ends)]
        if not any(ranking for _, ranking in rankings):
            return Seeds(np.zeros(0, np.int64), np.zeros(0, np.float32), masked_query=query)
        cut = [(weight, ranking[:max_seeds]) for weight, ranking in rankings]
        return Seeds(*fuse(cut, max_seeds, index), masked_query=query, strategy="hybrid")

    def masked_queries(self, queries: Sequence[str]) -> list[str]:
        """The texts that a search of each query encodes: the query with its exact names masked."""
        cut = [query[:MAX_CHARACTERS] for query in queries]
        index = self.store.index()
        return [text for text in (mask_names(query, self._exact(query, index)) for query in cut) if text.strip()]

    def _exact(self, query: str, index: GraphIndex) -> list[NameMatch]:
        return match_names(query, self.store, lambda match: self._is_topic(query, match, index))

    def _is_topic(self, query: str, match: NameMatch, index: GraphIndex) -> bool:
        """Whether a short match is written like a name, and is no word of the language.

        A capital within a sentence is. Another word is one where its node has facts of its own, and it is written just
        as the node, or is no ordinary word and begins the query with a capital or stands in a query without capitals.
        """
        if all(fold(word) in STOP_WORDS for word in match.text.split()):
            return False
        if match.text[:1].isupper() and match.start:
            return True
        cased = match.text[:1].isupper() or not _has_capitals(query)
        written = match.text in self.store.names(match.nodes) or (cased and not _is_ordinary(query, match))
        return written and bool(self._subjects(match.nodes, index))

    def _topics(self, query: str, parts: list[NameMatch], index: GraphIndex) -> list[NameMatch]:
        """In a query without capitals, the parts that name nodes with facts of their own, if there are any."""
        if _has_capitals(query):
            return parts
        return [part for part in parts if self._subjects(part.nodes, index)] or parts

    def _subjects(self, nodes: Sequence[int], index: GraphIndex) -> set[int]:
        """The nodes that are subjects of facts, or other names of nodes."""
        arcs = index.expand(np.asarray(nodes, np.int64), FACT_ARCS)
        return {
            nodes[origin]
            for origin, code in zip(arcs.origin.tolist(), arcs.relation.tolist(), strict=True)
            if not code & 1 or _is_alias(code, index)
        }

    def _known_as(self, nodes: Sequence[int], index: GraphIndex) -> tuple[int, ...]:
        """The nodes of which facts say that they are also known by the name of one of these."""
        arcs = index.expand(np.asarray(nodes, np.int64), FACT_ARCS)
        found = zip(arcs.relation.tolist(), arcs.target.tolist(), strict=True)
        owners = (end for code, end in found if code & 1 and _is_alias(code, index))
        return tuple(dict.fromkeys(owner for owner in owners if owner not in nodes))

    def _from_matches(
        self, query: str, matches: Sequence[NameMatch], max_seeds: int, strategy: str, index: GraphIndex
    ) -> Seeds:
        """Seeds from names, each with its likely readings; a name that keeps several is unclear."""
        words = sorted(_words_of([mask_names(query, matches)]))
        matches = [replace(match, nodes=self._likely(match, words, index)) for match in matches]
        known = [self._known_as(match.nodes, index) for match in matches]
        readings = [(match.text, owners or match.nodes) for match, owners in zip(matches, known, strict=True)]
        unclear = tuple((text, tuple(self.store.names(nodes))) for text, nodes in readings if len(nodes) > 1)
        matches = [replace(m, nodes=(*owners, *m.nodes)) for m, owners in zip(matches, known, strict=True)]
        return replace(_from_matches(query, matches, max_seeds, strategy), unclear=unclear)

    def _parts_beside(self, query: str, exact: Sequence[NameMatch], index: GraphIndex) -> list[NameMatch]:
        """Parts of names outside the exact names, where each has one likely reading.

        They are capitalised; in a query without capitals they have a digit, or begin the name of a node with facts of
        its own.
        """
        rest, capitals = query, _has_capitals(query)
        for match in exact:
            rest = rest[: match.start] + "," * (match.end - match.start) + rest[match.end :]
        if capitals and not _has_capitals(rest):
            return []
        words = sorted(_words_of([mask_names(query, exact)]))
        found = match_parts(rest, self.store, () if capitals else _words_of(index.relations))
        parts = (replace(part, score=0.9 * exact[-1].score) for part in found)
        likely = (replace(part, nodes=self._likely(part, words, index)) for part in parts)
        single = [replace(part, text=query[part.start : part.end]) for part in likely if len(part.nodes) == 1]
        return single if capitals else [part for part in single if self._begins(rest, part, index)]

    def _begins(self, rest: str, part: NameMatch, index: GraphIndex) -> bool:
        """Whether a part is no ordinary word and begins the name of its node, which has facts of its own."""
        word = fold(part.text).split()[0]
        first = {fold(name).split()[0] for name in self.store.names(part.nodes)}
        begins = first & {word, word.removesuffix("s"), *other_first_names(word)} or any(map(str.isdigit, part.text))
        return bool(begins and not _is_ordinary(rest, part) and self._subjects(part.nodes, index))

    def _likely(self, match: NameMatch, words: Sequence[str], index: GraphIndex) -> tuple[int, ...]:
        """The node of exactly that name; else, of several nodes, the one with facts of a relation in the query."""
        nodes = match.nodes
        if len(nodes) < 2:
            return nodes
        norm = normalise(match.text)
        names = zip(nodes, self.store.names(nodes), strict=True)
        if named := [node for node, name in names if normalise(name) == norm]:
            return tuple(named)
        arcs = index.expand(np.asarray(nodes, np.int64), FACT_ARCS)
        relations = (arcs.relation >> 1).tolist()
        asked = {code for code in set(relations) if _shares_word(words, index.relations[code])}
        origins = zip(arcs.origin.tolist(), relations, strict=True)
        likely = {nodes[origin] for origin, code in origins if code in asked}
        return tuple(likely) if len(likely) == 1 else nodes

    def _nearest(self, vector: np.ndarray | None) -> list[int]:
        if vector is None:
            return []
        encode_missing(self.store, self.encoder)
        return [int(node) for node in self.store.approximate_nearest(vector, self.encoder.fingerprint, MAX_DENSE)]

    def _dense_facts(
        self, lexical: list[int], dense: list[int], vector: np.ndarray | None, index: GraphIndex
    ) -> list[int]:
        """Both ends of the facts most similar to the query, among those around the best nodes."""
        around = np.unique(np.asarray([*lexical[:FACT_NODES], *dense[:FACT_NODES]], np.int64))
        if vector is None or not len(around):
            return []
        arcs = index.expand(around, FACT_ARCS)
        relations, which = np.unique(arcs.relation >> 1, return_inverse=True)
        relation_similarity = self._relations([index.relations[r] for r in relations.tolist()]) @ vector
        nodes, where = np.unique(np.concatenate([around[arcs.origin], arcs.target]), return_inverse=True)
        similarity = np.nan_to_num(self.store.similarity(vector, self.encoder.fingerprint, nodes))
        here, there = where.reshape(2, -1)  # [2, E]
        fact_similarity = similarity[here] + relation_similarity[which] + similarity[there]
        best = np.argsort(-fact_similarity, kind="stable")[:FACT_ARCS]
        ends = [int(nodes[end[arc]]) for arc in best.tolist() for end in (here, there)]
        return list(dict.fromkeys(ends))


def reciprocal_ranks(rankings: Sequence[tuple[float, Sequence[int]]]) -> dict[int, float]:
    """Weighted reciprocal-rank fusion of rankings of ids: score by id."""
    scores: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, item in enumerate(ranking):
            scores[item] = scores.get(item, 0.0) + weight / (RANK_OFFSET + rank)
    return scores


def fuse(
    rankings: Sequence[tuple[float, Sequence[int]]], max_nodes: int, index: GraphIndex | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fused ranking of nodes: ids int64 [S] and weights float32 [S], the best at 1.

    Each ranking is a weight and node ids, best first. With an ``index``, nodes of high degree are damped.
    """
    scores = reciprocal_ranks(rankings)
    nodes = np.asarray(sorted(scores), np.int64)
    fused = np.asarray([scores[node] for node in nodes.tolist()])
    if index is not None:
        fused = fused / np.log2(2.0 + index.degree(nodes)) ** DEGREE_DAMPING
    best = np.lexsort((nodes, -fused))[:max_nodes]
    return nodes[best], ((fused[best] / fused[best[0]]) ** CONTRAST).astype(np.float32)


def encode_missing(store: GraphStore, encoder: TextEncoder) -> None:
    """Encode the newest ``MAX_BACKLOG`` nodes that have no vector yet. Writes their vectors to the store.

    Raises:
        EncoderMismatch: the stored vectors are all of other encoders.
    """
    missing = store.missing_vectors(encoder.fingerprint)
    if len(missing):
        encode_nodes(store, encoder, nodes=missing[-MAX_BACKLOG:])
    if len(missing) > MAX_BACKLOG:
        count = f"{len(missing) - MAX_BACKLOG:,}"
        advice = "found by name and BM25 only; run `graphmem reencode FILE`, or memory.encode()"
        warnings.warn(f"{count} nodes have no vector yet and are {advice}", stacklevel=2)


def _is_alias(code: int, index: GraphIndex) -> bool:
    return normalise_relation(index.relations[code >> 1]) == ALSO_KNOWN


def _is_ordinary(query: str, match: NameMatch) -> bool:
    """Whether a match is an ordinary word without a possessive."""
    return fold(match.text) in ordinary_words() and not is_possessive(query, (match.start, match.end))


def _has_capitals(query: str) -> bool:
    return any(word[:1].isupper() for word in query.split()[1:])


def _words_of(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"\w+", normalise_relation(text))}


def _shares_word(words: Sequence[str], relation: str) -> bool:
    """Whether a relation's name has one of the words, or a form of it."""
    own = [word for word in _words_of([relation]) if len(word) > 3]
    return any(process.extractOne(word, words, scorer=fuzz.ratio, score_cutoff=SAME_WORD) for word in own)


def _from_matches(query: str, matches: Sequence[NameMatch], max_seeds: int, strategy: str) -> Seeds:
    weights: dict[int, float] = {}
    for match in matches:
        for node in match.nodes:
            weights[node] = max(weights.get(node, 0.0), match.score / matches[0].score)
    ids = sorted(weights, key=lambda node: (-weights[node], node))[:max_seeds]
    nodes, shares = np.asarray(ids, np.int64), np.asarray([weights[node] for node in ids], np.float32)
    return Seeds(nodes, shares, tuple(matches), mask_names(query, matches), strategy)
