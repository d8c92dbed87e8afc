"""Retrieval of nodes, facts, paths and passages for a query."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.protocols import GraphStore, TextEncoder
from graphmem.core.times import Time, to_micros
from graphmem.core.types import RANKERS
from graphmem.core.validation import require
from graphmem.encoding.query_encoder import QueryEncoder
from graphmem.retrieval.activation_rankers import ActivationRanker, PathSimilarityRanker
from graphmem.retrieval.checkpoints import SHIPPED, load_weights
from graphmem.retrieval.facts_only import facts_only
from graphmem.retrieval.rankers import BM25Ranker, DenseRanker, HybridRanker, PageRankRanker, Ranked, Ranker, Search
from graphmem.retrieval.relation_scorer import RelationScorer
from graphmem.retrieval.results import Retrieval, ScoredNode
from graphmem.retrieval.search.spreading_activation import Budget
from graphmem.retrieval.seeds import SeedFinder, Seeds
from graphmem.text.name_matching import MAX_CHARACTERS

if TYPE_CHECKING:
    from graphmem.retrieval.passages.search import PassageSearch, ScoredPassage


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """Settings of a search; a number out of range raises InvalidValue.

    Attributes:
        budget: bounds of one search.
        max_seeds: maximum number of seed nodes.
        damping: of personalised PageRank, between 0 and 1.
        max_facts: maximum length of ``Retrieval.facts``.
    """

    budget: Budget = field(default_factory=Budget)
    max_seeds: int = 8
    damping: float = 0.5
    max_facts: int = 100

    def __post_init__(self) -> None:
        require(0 < self.damping < 1, "damping", self.damping, "between 0 and 1")
        require(self.max_seeds >= 1, "max_seeds", self.max_seeds, "at least 1")
        require(self.max_facts >= 1, "max_facts", self.max_facts, "at least 1")


def checked_query(query: str) -> str:
    """The first ``MAX_CHARACTERS`` of a query, with lone surrogates, which no tokenizer can encode, replaced.

    Raises:
        InvalidValue: not a string.
    """
    if not isinstance(query, str):
        raise InvalidValue(f"a query is a string, not {type(query).__name__}: {str(query)[:40]!r}")
    return query[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


class Retriever:
    """Retriever of one memory; ``weights`` None are the shipped ones where they fit the encoder."""

    def __init__(
        self, store: GraphStore, encoder: TextEncoder, weights: str | PathLike[str] | None = None, *,
        config: RetrievalConfig | None = None,
    ) -> None:  # fmt: skip
        self.store, self.encoder, self.weights = store, encoder, weights
        self.config = config or RetrievalConfig()
        self.queries = QueryEncoder(encoder)
        self._seeds = SeedFinder(store, self.queries)
        self._passages: PassageSearch | None = None

    def retrieve(
        self, query: str, *, top_k: int = 10, ranker: str = "activation", as_of: Time | None = None
    ) -> Retrieval:
        """Search the facts valid at a time (now) with one of ``RANKERS``; the result holds the ``top_k`` best nodes.

        Raises:
            InvalidValue: no such ranker, ``top_k`` below 1, or a query that is not a string.
            InvalidTime: ``as_of`` cannot be parsed.
        """
        require(top_k >= 1, "top_k", top_k, "at least 1")
        query = checked_query(query)
        chosen = self._ranker(ranker)
        moment = to_micros(as_of)
        store, index = facts_only(self.store, self.store.index(as_of=moment))
        finder = copy(self._seeds)
        finder.store = store
        seeds = finder.find(query, max_seeds=self.config.max_seeds, index=index)
        ranked = chosen.rank(Search(query, seeds, index, store, self.queries, self.config.budget))
        found = self._result(query, ranked, seeds, ranker, top_k)
        if store is self.store:
            return found
        return replace(found, find_passages=lambda: self._search_passages(query, top_k, ranker, moment))

    def _search_passages(self, query: str, top_k: int, ranker: str, as_of: int | None) -> tuple[ScoredPassage, ...]:
        from graphmem.retrieval.passages.search import PassageSearch

        if self._passages is None:
            self._passages = PassageSearch(self.store, self.queries)
        chosen: Any = ranker if ranker in ("ppr", "dense", "bm25") else "learned"
        return self._passages.search(query, top_k=top_k, ranker=chosen, as_of=as_of, damping=self.config.damping)

    def retrieve_many(
        self, queries: Sequence[str], *, top_k: int = 10, ranker: str = "activation", as_of: Time | None = None
    ) -> list[Retrieval]:
        """``retrieve`` for each query, in their order; the text encoder runs once for all of them.

        Raises:
            InvalidValue: as ``retrieve``, or ``queries`` is one string and not a list.
        """
        if isinstance(queries, str):
            raise InvalidValue(f"queries must be a list, not {queries!r:.80}; use retrieve() for one")
        if ranker not in ("ppr", "bm25") and hasattr(self.encoder, "encode_tokens"):
            self.queries.prepare(self._seeds.masked_queries([checked_query(query) for query in queries]))
        return [self.retrieve(query, top_k=top_k, ranker=ranker, as_of=as_of) for query in queries]

    def _result(self, query: str, ranked: Ranked, seeds: Seeds, ranker: str, top_k: int) -> Retrieval:
        graph = ranked.graph
        names = self.store.names(graph.node_ids[:top_k])
        nodes = tuple(
            ScoredNode(int(node), name, float(score))
            for node, name, score in zip(graph.node_ids, names, graph.relevance, strict=False)
        )
        return Retrieval(query, nodes, graph, seeds, ranker, self.store, self.config.max_facts, ranked.activated)

    def _ranker(self, name: str) -> Ranker:
        if name not in RANKERS:
            raise InvalidValue(f"no ranker {name!r}; choose one of {', '.join(RANKERS)}")
        if name == "activation" and self._modules is not None:
            return ActivationRanker(self._scorer)
        return self._untrained[name if name in self._untrained else "path"]

    @cached_property
    def _untrained(self) -> dict[str, Ranker]:
        return {
            "path": PathSimilarityRanker(self.encoder), "dense": DenseRanker(), "bm25": BM25Ranker(),
            "hybrid": HybridRanker(), "ppr": PageRankRanker(self.config.damping),
        }  # fmt: skip

    @cached_property
    def _scorer(self) -> RelationScorer:
        assert self._modules is not None
        return RelationScorer(self._modules["gates"], self.queries, self._modules.get("aligner"))

    @cached_property
    def _modules(self) -> dict[str, Any] | None:
        """Trained modules; None, with a warning, where no file was given and the shipped weights do not fit."""
        if self.weights is not None:
            return load_weights(Path(self.weights), self.encoder.fingerprint)
        try:
            return load_weights(SHIPPED, self.encoder.fingerprint)
        except WeightsMismatch as error:
            warnings.warn(f"searching with the untrained ranker 'path': {error}", stacklevel=5)
            return None
