"""Reader of evidence: finds the units of evidence for a question, reads them with it, and weighs what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphmem.core.errors import WeightsMismatch
from graphmem.core.names import normalise
from graphmem.core.types import PASSAGE, Edge, Node
from graphmem.encoding.evidence_encoder import EvidenceEncoder, Reading
from graphmem.questions.answer_type import AnswerTypeClassifier
from graphmem.reasoning.calibration import load_calibration, probability
from graphmem.reasoning.weighing import Weighed, is_alias, weigh
from graphmem.retrieval.evidence import EvidenceBudget, EvidenceSearch, EvidenceUnit, named_nodes, windows_of


class EvidenceReader:
    """Evidence search and encoder of one memory.

    Args:
        store, encoder: of the memory; ``encoder`` should cache the vectors of queries.
        network: the evidence encoder.
        budget: units that are read for a question.
    """

    def __init__(
        self, store: Any, encoder: Any, network: EvidenceEncoder, budget: EvidenceBudget | None = None
    ) -> None:
        self.search, self.network, self.encoder = EvidenceSearch(store, encoder, budget), network, encoder
        try:
            self.types: AnswerTypeClassifier | None = AnswerTypeClassifier.load(encoder.fingerprint)
        except WeightsMismatch:  # the memory has another text encoder; the evidence encoder tells the type less well
            self.types = None

    def read(self, retrieval: Any, as_of: int | None = None) -> Weighed:
        """What the evidence says to the query of a retrieval, among facts that held at ``as_of`` (microseconds)."""
        units = self.search.find(retrieval, as_of)
        if not units:
            return Weighed()
        readings = self.read_units(retrieval, units)
        if self.types is not None:
            asks = float(self.types.verdict(self.encoder, [retrieval.query])[0])
        else:
            best = max(readings, key=lambda reading: reading.relevance)
            asks = probability((0.0, 1.0), (best.asks_verdict,))
        return weigh(
            units, readings, asks, excluded(retrieval), load_calibration()["kinds"], named_in_full(retrieval)
        )

    def read_text(self, question: str, text: str) -> Weighed:
        """What a text that is no passage of the memory says to a question."""
        units = windows_of(Node(-1, "text", PASSAGE, text))
        return weigh(units, self.network.read(question, [unit.text for unit in units]))

    def read_units(self, retrieval: Any, units: Sequence[EvidenceUnit]) -> list[Reading]:
        """Each unit read with the question: facts with the names that they use, others with those as asked."""
        as_asked = [unit.passage is not None or is_alias(unit) for unit in units]
        facts = [unit.text for unit, asked in zip(units, as_asked, strict=True) if not asked]
        others = [unit.text for unit, asked in zip(units, as_asked, strict=True) if asked]
        read_facts = iter(self.network.read(with_full_names(retrieval), facts))
        read_others = iter(self.network.read(retrieval.query, others))
        return [next(read_others if asked else read_facts) for asked in as_asked]


def excluded(retrieval: Any) -> frozenset[int]:
    """Nodes that are no answers: what the question names, unless it names several things, to choose one of them."""
    spans = {(mention.start, mention.end) for mention in retrieval.seeds.mentions}
    return frozenset(named_nodes(retrieval)) if len(spans) == 1 else frozenset()


def named_in_full(retrieval: Any) -> frozenset[int]:
    """Nodes whose own name, not another one, stands in the question."""
    nodes = [node for mention in retrieval.seeds.mentions for node in mention.nodes]
    said = {normalise(mention.text) for mention in retrieval.seeds.mentions}
    names = retrieval.store.names(nodes)
    return frozenset(node for node, name in zip(nodes, names, strict=True) if normalise(name) in said)


def with_full_names(retrieval: Any) -> str:
    """The question with the full name of each node that it names by an alias or a part, where that is one node.

    A node with the words of the mention that has one fact only, which leads to the other reading, is a name of that
    node: some memories hold "Ann Berg | also known as | Annie" as a fact.
    """
    query, store = str(retrieval.query), retrieval.store
    for mention in sorted(retrieval.seeds.mentions, key=lambda mention: -mention.start):
        nodes = list(mention.nodes)
        if len(nodes) == 2:
            around = {node: store.edges(store.fact_ids_around([node], limit=2)) for node in nodes}
            nodes = [node for node in nodes if not _is_name_of_another(node, nodes, around[node])]
        names = store.names(nodes)
        if len(names) == 1 and normalise(names[0]) != normalise(mention.text):
            query = query[: mention.start] + names[0] + query[mention.end :]
    return query


def _is_name_of_another(node: int, nodes: Sequence[int], facts: Sequence[Edge]) -> bool:
    """Whether a node's only fact has it as the object and the other node as the subject."""
    return len(facts) == 1 and facts[0].dst == node and facts[0].src in nodes
