"""Patterns of facts around the topics of a question, and the set of nodes that each pattern selects, exactly.

A pattern is a path of relations from a topic: "treated by, from object to subject" from Tobias Renn selects his
patients. The evidence encoder reads one or two instances of each pattern with the question; the store gives all of its
members. Patterns of one and two steps are tried, those of two beyond the best ones of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from graphmem.core.names import normalise_relation
from graphmem.core.types import ALSO_KNOWN, Edge, Fact
from graphmem.encoding.evidence_encoder import Reading
from graphmem.encoding.evidence_text import EvidenceText, relation_words, stored_fact_text
from graphmem.reasoning.member_sets import MemberSet, expand
from graphmem.reasoning.topics import Topic, is_plural
from graphmem.retrieval.evidence import chain_unit

INSTANCES = 2
"""Instances of a pattern of one step that are read; of one of two steps, one is."""

MAX_READ = 16
"""Patterns of a topic, of each length, that are read; those nearest to the question by their relations' names."""

EXTENDED, BETWEEN = 3, 200
"""Patterns of a topic that a second step is tried of, and members of each that the step is tried from."""

COSINE = 5.0
"""Logits of relevance that a cosine of 1 between the question and an instance is worth."""

SECOND_STEP = 2.0
"""Logits that a pattern of two steps must be better than one of one step."""

LEAST_SPAN = -2.0
"""Lowest logit that is added for an answer that the encoder does not mark."""

MEMBERSHIP, PLURAL = -1.0, 0.5
"""Logits of a topic of several nodes as the set itself, relative to its best pattern; of one that is a plural."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path of relations from a topic and the nodes that it leads to.

    Attributes:
        topic: position of the topic; -1 for a set without one.
        codes: arc codes of the steps, ``2 * relation + direction`` (1: from object to subject); empty for the topic's
            own nodes.
        near: whether the members are the topic's own nodes that have such a fact, not the far ends.
        members: the set, exact.
        score: logits relative to the topic's best pattern.
        relevance: logits of the best instance by itself.
    """

    topic: int
    codes: tuple[int, ...]
    near: bool
    members: MemberSet = field(repr=False)
    score: float = 0.0
    relevance: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Instance:
    """Facts of one pattern that are read as one text; ``answer`` is the span of the member in it.

    ``facts`` are the texts of the single facts.
    """

    pattern: Pattern
    text: str
    answer: tuple[int, int]
    facts: tuple[str, ...]


class PatternSearch:
    """Patterns of one question in one memory.

    Args:
        store: of the memory.
        index: adjacency of the facts that count.
        reader: an ``EvidenceReader``.
        question: with full names, as the evidence encoder reads facts.
    """

    def __init__(self, store: Any, index: Any, reader: Any, question: str) -> None:
        self.store, self.index, self.reader, self.question = store, index, reader, question
        self.vector = np.asarray(reader.encoder.encode([question])[0], np.float32)
        self._hidden = [at for at, name in enumerate(index.relations) if normalise_relation(name) == ALSO_KNOWN]

    def patterns(self, topics: Sequence[Topic]) -> list[list[Pattern]]:
        """Patterns of each topic, best first."""
        firsts = [self._scored(self._one_step(at, topic)) for at, topic in enumerate(topics)]
        seconds = [
            self._scored(self._two_steps(at, topic, found[:EXTENDED]), -SECOND_STEP)
            for at, (topic, found) in enumerate(zip(topics, firsts, strict=True))
        ]
        made = []
        for at, topic in enumerate(topics):
            found = sorted([*firsts[at], *seconds[at]], key=lambda pattern: -pattern.score)
            best = found[0].score if found else 0.0
            found = [replace(pattern, score=pattern.score - best) for pattern in found]
            if topic.several:
                own = PLURAL if topic.kind == "name" and is_plural(topic.text) else MEMBERSHIP
                found.append(Pattern(at, (), True, MemberSet.without_facts(topic.nodes), own))
            made.append(sorted(found, key=lambda pattern: -pattern.score))
        return made

    def words(self, pattern: Pattern) -> str:
        """The relations of a pattern in words."""
        return ", ".join(relation_words(self.index.relations[code >> 1]) for code in pattern.codes)

    def _one_step(self, at: int, topic: Topic) -> list[Pattern]:
        nodes = np.asarray(topic.nodes, np.int64)
        arcs, complete = expand(self.index, nodes)
        made = []
        for code in np.unique(arcs.relation).tolist():
            if code >> 1 in self._hidden:
                continue
            here = np.flatnonzero(arcs.relation == code)
            far = MemberSet.of(arcs.target[here], arcs.edge[here], complete).without(topic.nodes)
            if len(far):
                made.append(Pattern(at, (code,), False, far))
            if topic.several:
                near = MemberSet.of(nodes[arcs.origin[here]], arcs.edge[here], complete)
                made.append(Pattern(at, (code,), True, near))
        return made

    def _two_steps(self, at: int, topic: Topic, firsts: Sequence[Pattern]) -> list[Pattern]:
        made = []
        for first in firsts if topic.kind != "word" else ():  # what a common word names is next to the members
            if first.near or not first.codes:
                continue
            middle = first.members
            arcs = self.index.expand(middle.nodes[:BETWEEN], BETWEEN)
            complete = middle.complete and len(middle) <= BETWEEN and len(arcs.edge) < BETWEEN
            back = np.isin(arcs.edge, middle.edges)
            for code in np.unique(arcs.relation[~back]).tolist():
                if code >> 1 in self._hidden:
                    continue
                here = np.flatnonzero((arcs.relation == code) & ~back)
                edges = np.concatenate([middle.edges[arcs.origin[here]], arcs.edge[here, None]], axis=1)
                members = MemberSet.of(arcs.target[here], edges, complete).without(topic.nodes)
                if len(members):
                    made.append(Pattern(at, (*first.codes, code), False, members))
        return made

    def _scored(self, patterns: Sequence[Pattern], prior: float = 0.0) -> list[Pattern]:
        """The patterns nearest to the question, read; best first."""
        patterns = self._nearest(patterns)
        instances = [instance for pattern in patterns for instance in self.instances(pattern)]
        scores = self.read(instances)
        best: dict[int, Pattern] = {}
        for instance, score in zip(instances, scores, strict=True):
            pattern = instance.pattern
            if id(pattern) not in best or best[id(pattern)].score < score + prior:
                best[id(pattern)] = replace(pattern, score=score + prior, relevance=score)
        return sorted(best.values(), key=lambda pattern: -pattern.score)

    def _nearest(self, patterns: Sequence[Pattern]) -> list[Pattern]:
        """The patterns to read: those whose relations are nearest to the question by the cosine of their names."""
        if len(patterns) <= MAX_READ:
            return list(patterns)
        cosines = self.reader.search.vectors([self.words(pattern) for pattern in patterns]) @ self.vector
        return [patterns[at] for at in np.argsort(-cosines, kind="stable")[:MAX_READ]]

    def cosines(self, instances: Sequence[Instance]) -> list[float]:
        """Cosine of each instance to the question; of a chain, that of the mean of its facts' vectors."""
        flat = [text for instance in instances for text in instance.facts]
        vectors = iter(self.reader.search.vectors(flat))
        means = [np.mean([next(vectors) for _ in instance.facts], axis=0) for instance in instances]
        return [float(mean @ self.vector / max(1e-6, float(np.linalg.norm(mean)))) for mean in means]

    def read(self, instances: Sequence[Instance]) -> list[float]:
        """Logits of instances: relevance, whether the answer is where the encoder marks it, and cosine."""
        if not instances:
            return []
        near = self.cosines(instances)
        readings = self.reader.network.read(self.question, [instance.text for instance in instances])
        return [
            reading.relevance + span_logit(reading, instance.answer) + COSINE * cosine
            for reading, instance, cosine in zip(readings, instances, near, strict=True)
        ]

    def instances(self, pattern: Pattern) -> list[Instance]:
        """Texts of a pattern's first members."""
        members, count = pattern.members, INSTANCES if len(pattern.codes) < 2 else 1
        made = []
        for node, edges in zip(members.nodes[:count].tolist(), members.edges[:count].tolist(), strict=True):
            found, facts = self.store.edges(edges), self.store.facts_by_id(edges)
            text, single = _text(facts, found, node), tuple(stored_fact_text(fact).text for fact in facts)
            made.append(Instance(pattern, text.text, _answer(text, found[-1], node, len(facts) > 1), single))
        return made


def _text(facts: Sequence[Fact], edges: Sequence[Edge], node: int) -> EvidenceText:
    if len(facts) == 1:
        return stored_fact_text(facts[0])
    return chain_unit(facts, edges, facts[-1].object if edges[-1].dst == node else facts[-1].subject).evidence


def _answer(text: EvidenceText, last: Edge, node: int, chain: bool) -> tuple[int, int]:
    return text.object if chain or last.dst == node else text.subject


def span_logit(reading: Reading, answer: tuple[int, int]) -> float:
    """Log-probability that a span over the answer is one, relative to the best span; at least ``LEAST_SPAN``."""
    if not reading.spans:
        return LEAST_SPAN
    scores = [span.score for span in reading.spans if span.start < answer[1] and answer[0] < span.end]
    if not scores:
        return LEAST_SPAN
    return max(LEAST_SPAN, (max(scores) - reading.spans[0].score) / 2 - _softplus(reading.not_here - max(scores)) / 4)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
