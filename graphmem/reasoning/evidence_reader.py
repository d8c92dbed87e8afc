"""Reader of evidence: finds the units of evidence for a question, reads them with it, and weighs what they say."""

from __future__ import annotations

from typing import Any

from graphmem.core.errors import WeightsMismatch
from graphmem.encoding.evidence_encoder import EvidenceEncoder
from graphmem.questions.answer_type import AnswerTypeClassifier
from graphmem.reasoning.calibration import probability
from graphmem.reasoning.weighing import Weighed, weigh
from graphmem.retrieval.evidence import EvidenceBudget, EvidenceSearch, named_nodes


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
        readings = self.network.read(retrieval.query, [unit.text for unit in units])
        if self.types is not None:
            asks = float(self.types.verdict(self.encoder, [retrieval.query])[0])
        else:
            best = max(readings, key=lambda reading: reading.relevance)
            asks = probability((0.0, 1.0), (best.asks_verdict,))
        return weigh(units, readings, asks, named_nodes(retrieval))
