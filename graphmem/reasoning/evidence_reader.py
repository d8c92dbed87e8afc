"""Reader of evidence: finds the units of evidence for a question, reads them with it, and weighs what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphmem.core.errors import WeightsMismatch
from graphmem.core.names import normalise
from graphmem.core.types import PASSAGE, Edge, Node
from graphmem.encoding.evidence_encoder import EvidenceEncoder, Reading
from graphmem.questions.operation import OPERATIONS, OperationClassifier, QuestionForm
from graphmem.questions.temporal_form import TemporalClassifier
from graphmem.questions.time_expressions import moment_of_asking
from graphmem.questions.time_scope import TimeScope, time_scope, without_phrase
from graphmem.reasoning.calibration import probability
from graphmem.reasoning.durations import in_durations
from graphmem.reasoning.evidence_graph import QuestionContext, evidence_graph
from graphmem.reasoning.graph_network import GraphNetwork, load_graph_network, weights_of
from graphmem.reasoning.joint_reading import read_jointly
from graphmem.reasoning.temporal_weighing import in_time
from graphmem.reasoning.weighing import Support, Weighed, is_alias, supports_of, weigh, weighed_of
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
        self.reads_jointly = True
        try:
            self.operations: OperationClassifier | None = OperationClassifier.load(encoder.fingerprint)
        except WeightsMismatch:  # every question is a lookup then, or asks for a verdict as far as the units say
            self.operations = None
        try:
            self.graph_network: GraphNetwork | None = load_graph_network(encoder.fingerprint)
        except WeightsMismatch:  # answers are weighed by reading alone then
            self.graph_network = None
        try:
            self.temporal: TemporalClassifier | None = TemporalClassifier.load(encoder.fingerprint)
        except WeightsMismatch:  # no time is set by a question then
            self.temporal = None

    def read(self, retrieval: Any, as_of: int | None = None, at: int | None = None) -> Weighed:
        """What the evidence says to the query of a retrieval.

        Args:
            as_of: only facts that held at that time, in microseconds.
            at: moment of asking in microseconds, for relative times and for what holds now; ``as_of``, or now.
        """
        scope = self.scope(retrieval, as_of if at is None else at)
        if (
            scope.is_set
            and self._asks_verdict(retrieval) <= 0.5
            and (asked := without_phrase(retrieval, scope)).query.strip()
        ):
            weighed = self._read_as(asked, retrieval, scope, as_of)
            if weighed.other_times or _is_dated(weighed):
                return weighed
        return self._read_as(retrieval, retrieval, scope, as_of)  # the time may be a condition on a value

    def _read_as(self, asked: Any, retrieval: Any, scope: TimeScope, as_of: int | None) -> Weighed:
        """What the evidence says to the query of ``asked``: that of the retrieval, or the same without its time."""
        units = self.search.find(retrieval if scope.nodes else asked, as_of)
        if scope.nodes:  # the holder named is in the pattern asked for
            units += self.search.dated_facts(scope.nodes, as_of)
            units = list({unit.text: unit for unit in units}.values())
        if not units:
            return Weighed()
        readings = self.read_units(asked, units, retrieval.query)
        if asked is not retrieval:
            readings = self._read_again(retrieval, units, readings)
        if self.operations is not None:
            asks = verdict_wanted(self._asks_verdict(retrieval), readings)
        else:
            best = max(readings, key=lambda reading: reading.relevance)
            asks = probability((0.0, 1.0), (best.asks_verdict,))
        named = frozenset(named_nodes(asked)) if scope.nodes else excluded(asked)
        weighed = self.weighed(asked, units, readings, asks, named)
        if asks <= 0.5 and (not weighed.answers or weighed.answers[0].weight < 0):  # none is likelier than any of them
            further = self.search.longer_chains(asked, units, as_of)
            units, readings = [*units, *further], [*readings, *self.read_units(asked, further, retrieval.query)]
            weighed = self.weighed(asked, units, readings, asks, named)
        if scope.asks == "duration":
            return in_durations(weighed, units, readings, scope.at)
        return weighed if as_of is not None else in_time(weighed, scope, self.search.store, named)

    def weighed(
        self, asked: Any, units: Sequence[EvidenceUnit], readings: Sequence[Reading], asks: float, named: frozenset[int]
    ) -> Weighed:
        """Ranked answers of units that were read for a retrieval, weighed by the graph network and read together.

        Args:
            asks: probability that the question asks for yes or no.
            named: nodes that are no answers because the question names them.
        """
        supports = supports_of(units, readings, named, named_in_full(asked))
        supports = self.reweighed(supports, QuestionContext.of(asked))
        if self.reads_jointly and asks <= 0.5 and any(one.unit.passage is not None for one in supports):
            supports = read_jointly(self.network, with_full_names(asked), supports)
        return weighed_of(supports, units, readings, asks)

    def reweighed(self, supports: list[Support], context: QuestionContext) -> list[Support]:
        """Supports with the weights that the graph network gives them; as they are without a network."""
        if self.graph_network is None or not supports:
            return supports
        weights = weights_of(self.graph_network, evidence_graph(supports, context, self.search.vectors))
        return [replace(support, weight=weight) for support, weight in zip(supports, weights, strict=True)]

    def form(self, question: str) -> QuestionForm | None:
        """The operation that a question wants; None without a classifier for the memory's text encoder."""
        return None if self.operations is None else self.operations.forms(self.encoder, [question])[0]

    def _asks_verdict(self, retrieval: Any) -> float:
        """Probability that yes or no is asked for, by the classifier; 0 without one."""
        form = self.form(retrieval.query)
        return 0.0 if form is None else form.probabilities[OPERATIONS.index("verify")]

    def excepting(self, beginning: str) -> float:
        """Probability that the beginning of a question asks for what is not so; 1 without a classifier."""
        form = self.form(beginning) if beginning.strip() else None
        if form is None:
            return 1.0 if self.operations is None else 0.0
        return form.probabilities[OPERATIONS.index("except")]

    def _read_again(
        self, retrieval: Any, units: Sequence[EvidenceUnit], readings: Sequence[Reading]
    ) -> list[Reading]:  # fmt: skip
        """Readings in which dated facts are as relevant as to the question with its time, where that is more."""
        rows = [row for row, unit in enumerate(units) if len(unit.facts) == 1 and unit.evidence.dates != (0, 0)]
        again = dict(zip(rows, self.read_units(retrieval, [units[row] for row in rows]), strict=True))
        return [
            replace(reading, relevance=max(reading.relevance, again[row].relevance)) if row in again else reading
            for row, reading in enumerate(readings)
        ]

    def scope(self, retrieval: Any, at: int | None = None) -> TimeScope:
        """The time that a query asks about; ``at``: moment of asking in microseconds, now when None."""
        asked_at = moment_of_asking() if at is None else at
        if self.temporal is None:
            return TimeScope(asked_at)
        form = self.temporal.forms(self.encoder, [retrieval.query])[0]
        return time_scope(form, retrieval.query, retrieval.seeds.mentions, asked_at)

    def read_text(self, question: str, text: str) -> Weighed:
        """What a text that is no passage of the memory says to a question."""
        units = windows_of(Node(-1, "text", PASSAGE, text))
        return weigh(units, self.network.read(question, [unit.text for unit in units]))

    def read_units(self, retrieval: Any, units: Sequence[EvidenceUnit], query: str | None = None) -> list[Reading]:
        """Each unit read with the question: facts with the names that they use, others with those as asked.

        ``query`` is the question for passages and other names; passages speak of their times themselves.
        """
        as_asked = [unit.passage is not None or is_alias(unit) for unit in units]
        facts = [unit.text for unit, asked in zip(units, as_asked, strict=True) if not asked]
        others = [unit.text for unit, asked in zip(units, as_asked, strict=True) if asked]
        read_facts = iter(self.network.read(with_full_names(retrieval), facts))
        read_others = iter(self.network.read(retrieval.query if query is None else query, others))
        return [next(read_others if asked else read_facts) for asked in as_asked]


def verdict_wanted(classified: float, readings: Sequence[Reading]) -> float:
    """Probability that yes or no is asked for: the harmonic mean of that of the question and that of its readings.

    ``classified`` is the classifier's, from the question alone; of the readings, the unit that is surest counts.
    """
    read = probability((0.0, 1.0), (max(reading.asks_verdict for reading in readings),))
    return 2 * classified * read / max(1e-9, classified + read)


def _is_dated(weighed: Weighed) -> bool:
    """Whether the best answer is that of a fact with an interval."""
    unit = weighed.answers[0].support[0].unit if weighed.answers else None
    return unit is not None and any(edge.valid_from is not None or edge.valid_to is not None for edge in unit.edges)


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
