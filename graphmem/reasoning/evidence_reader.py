"""Reader of evidence: finds the units of evidence for a question, reads them with it, and weighs what they say."""

from __future__ import annotations

from typing import Any

from graphmem.encoding.evidence_encoder import EvidenceEncoder
from graphmem.questions.answer_type import AnswerTypeClassifier
from graphmem.reasoning.weighing import Weighed, weigh
from graphmem.retrieval.evidence import EvidenceBudget, EvidenceSearch


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
        self.types = AnswerTypeClassifier.load(encoder.fingerprint)

    def read(self, retrieval: Any, as_of: int | None = None) -> Weighed:
        """What the evidence says to the query of a retrieval, among facts that held at ``as_of`` (microseconds)."""
        units = self.search.find(retrieval, as_of)
        if not units:
            return Weighed()
        asks = float(self.types.verdict(self.encoder, [retrieval.query])[0])
        return weigh(units, self.network.read(retrieval.query, [unit.text for unit in units]), asks)
