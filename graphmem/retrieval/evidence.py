"""Evidence for a question: facts, chains of facts and parts of passages, side by side and bounded in number.

Facts are those around the names of the question, around the nodes that activation reached, and around the nodes
nearest by words and vectors. Chains are the paths of the search, and two facts in a row from a name of the question.
Passages are cut into overlapping windows. Each kind is ranked by the cosine of its text to the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphmem.core.names import normalise
from graphmem.core.protocols import GraphStore, TextEncoder
from graphmem.core.types import ALSO_KNOWN, Edge, Fact, Node
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.evidence_text import (
    LINK,
    EvidenceText,
    chain_text,
    passage_text,
    relation_words,
    stored_fact_text,
)
from graphmem.retrieval.passages.links import title_of
from graphmem.retrieval.seeds import encode_missing
from graphmem.text.name_matching import MAX_CHARACTERS
from graphmem.text.sentences import sentences

MAX_POOL = 400
"""Facts that are compared with the question."""

PER_NAME, PER_NODE, NEAR_NODES = 120, 24, 32
"""Facts of each end of a name of the question, and of another node; other nodes."""

MAX_MISSING = 5_000
"""Nodes without a vector up to which they are encoded for a question that names something."""

MAX_ALIASES = 8
"""Nodes of which other names are read, and other names of each."""

NAMED, BESIDE = 0.4, 0.15
"""Added to the cosine of a fact with an end that the question names, and of one that is one fact further."""

STARTS, STEPS = 10, 24
"""First facts of chains, and second facts of each."""

EXTENDED, LONGER = 8, 12
"""Chains of two facts that go on, and chains of three that are read."""
ORIGINS, MAX_LINKS, LINKED_WINDOW = 6, 48, 420
"""Windows from which links lead on, links that are looked at, and characters of a window in a chain of two."""

LONGEST_WINDOW, SHORT_WINDOW = 900, 260
"""Characters of the windows of a passage: of two sizes, since an answer may need its surroundings or drown in them."""


@dataclass(frozen=True, slots=True)
class EvidenceBudget:
    """Most units of each kind that are read for a question."""

    facts: int = 28
    paths: int = 8
    chains: int = 14
    windows: int = 12
    linked: int = 6


@dataclass(frozen=True, slots=True)
class EvidenceUnit:
    """One unit of evidence with its origin.

    Attributes:
        evidence: its text and the spans of its fields.
        facts: one, several for a chain, none for a passage.
        edges: of the facts.
        passage: node of the passage; None for facts.
        start: character of the passage's text at which the window begins.
        score: cosine to the question, with what names add.
        origin: window that names the passage, read before it as one text; None where the window stands alone.
    """

    evidence: EvidenceText
    facts: tuple[Fact, ...] = ()
    edges: tuple[Edge, ...] = ()
    passage: Node | None = None
    start: int = 0
    score: float = 0.0
    origin: EvidenceUnit | None = None

    @property
    def text(self) -> str:
        """As the evidence encoder reads it."""
        return self.evidence.text


class EvidenceSearch:
    """Search for evidence in one memory; ``encoder`` should cache the vectors of queries."""

    def __init__(self, store: GraphStore, encoder: TextEncoder, budget: EvidenceBudget | None = None) -> None:
        self.store: Any = store
        self.encoder, self.budget = encoder, budget or EvidenceBudget()
        self.vectors = EmbeddingCache(encoder, max_texts=50_000)

    def find(self, retrieval: Any, as_of: int | None = None) -> list[EvidenceUnit]:
        """Units of evidence for the query of a retrieval, each text once: facts, chains, windows."""
        query = retrieval.query[:MAX_CHARACTERS].strip()
        if not query:
            return []
        vector = np.asarray(self.encoder.encode([query])[0], np.float32)
        named = named_nodes(retrieval)
        pool = self._pool(retrieval, named, vector, as_of)
        units = [*self._aliases(named), *pool[: self.budget.facts], *self._paths(retrieval)]
        units += self._chains(pool, named, vector, as_of)
        units += self._windows(retrieval, vector, as_of)
        return list({unit.text: unit for unit in units[::-1]}.values())[::-1]

    def _aliases(self, named: Sequence[int]) -> Iterator[EvidenceUnit]:
        """The other names of what the question names, as facts without a record of their own."""
        for node in self.store.nodes(named[:MAX_ALIASES]):
            for alias in node.aliases[:MAX_ALIASES]:
                fact, edge = Fact(node.name, ALSO_KNOWN, alias), Edge(-1, node.id, ALSO_KNOWN, -1)
                yield EvidenceUnit(stored_fact_text(fact), (fact,), (edge,))

    def dated_facts(self, nodes: Iterable[int], as_of: int | None = None) -> list[EvidenceUnit]:
        """Facts with an interval at some nodes, as units; at most ``PER_NODE`` newest of each end."""
        ids = self.store.fact_ids_around(nodes, limit=PER_NODE, as_of=as_of)
        facts = zip(self.store.facts_by_id(ids), self.store.edges(ids), strict=True)
        return [
            EvidenceUnit(stored_fact_text(fact), (fact,), (edge,)) for fact, edge in facts
            if edge.valid_from is not None or edge.valid_to is not None
        ]  # fmt: skip

    def _pool(self, retrieval: Any, named: Sequence[int], vector: np.ndarray, as_of: int | None) -> list[EvidenceUnit]:
        """Facts around what the question names and around what is near to it, best first."""
        ids = self.store.fact_ids_around(named, limit=PER_NAME, as_of=as_of)
        near = [int(node) for node in retrieval.subgraph.node_ids[:NEAR_NODES]] + self._near(retrieval, vector, named)
        around = self.store.fact_ids_around(dict.fromkeys(near), limit=PER_NODE, as_of=as_of)
        return self._ranked(list(dict.fromkeys([*ids, *around]))[:MAX_POOL], named, vector)

    def _near(self, retrieval: Any, vector: np.ndarray, named: Sequence[int]) -> list[int]:
        """Nodes nearest to the question by words and by vectors, and ends of facts that share its words."""
        nodes, facts = self.store.search_texts(retrieval.query[:MAX_CHARACTERS], nodes=NEAR_NODES, facts=8)
        found = [*nodes[:NEAR_NODES], *(end for edge in self.store.edges(facts) for end in (edge.src, edge.dst))]
        if not named or len(self.store.missing_vectors(self.encoder.fingerprint)) <= MAX_MISSING:
            encode_missing(self.store, self.encoder)
            found += self.store.approximate_nearest(vector, self.encoder.fingerprint, NEAR_NODES).tolist()
        return [int(node) for node in dict.fromkeys(found)]

    def _ranked(self, ids: Sequence[int], named: Iterable[int], vector: np.ndarray) -> list[EvidenceUnit]:
        """Facts as units, by cosine to the question and by their ends."""
        if not ids:
            return []
        edges, facts, known = self.store.edges(ids), self.store.facts_by_id(ids), set(named)
        texts = [stored_fact_text(fact) for fact in facts]
        cosines = self.vectors([text.text for text in texts]) @ vector
        beside = {end for edge in edges if known & {edge.src, edge.dst} for end in (edge.src, edge.dst)}
        units = []
        for text, fact, edge, cosine in zip(texts, facts, edges, cosines.tolist(), strict=True):
            ends = {edge.src, edge.dst}
            bonus = NAMED if ends & known else BESIDE if ends & beside else 0.0
            units.append(EvidenceUnit(text, (fact,), (edge,), score=cosine + bonus))
        return sorted(units, key=lambda unit: -unit.score)

    def _paths(self, retrieval: Any) -> Iterator[EvidenceUnit]:
        """The search's chains of several facts to its best nodes."""
        if not len(retrieval.subgraph.node_ids):
            return
        for path in retrieval.paths[: self.budget.paths]:
            if len(path.facts) > 1 and len(set(path.nodes)) == len(path.nodes):  # a walk back is no chain
                edges = tuple(self.store.edges([fact.id for fact in path.facts]))
                yield chain_unit(path.facts, edges, path.node.name)

    def _chains(
        self, pool: Sequence[EvidenceUnit], named: Sequence[int], vector: np.ndarray, as_of: int | None
    ) -> list[EvidenceUnit]:
        """Two facts in a row: the best first facts, and the best facts of their other ends."""
        known = set(named) or {end for unit in pool[:3] for edge in unit.edges for end in (edge.src, edge.dst)}
        firsts = [unit for unit in pool if {unit.edges[0].src, unit.edges[0].dst} & known][:STARTS]
        middles = {
            end: unit for unit in firsts[::-1] for end in (unit.edges[0].src, unit.edges[0].dst) if end not in known
        }
        if not middles:
            return []
        seconds = self._ranked(self.store.fact_ids_around(middles, limit=STEPS, as_of=as_of), (), vector)
        chains = []
        for second in seconds:
            edge, fact = second.edges[0], second.facts[0]
            for middle, end, name in ((edge.src, edge.dst, fact.object), (edge.dst, edge.src, fact.subject)):
                first = middles.get(middle)
                if first is None or first.edges[0].id == edge.id or end in known:
                    continue
                chain = chain_unit((*first.facts, fact), (*first.edges, edge), name)
                score = first.score / 2 + second.score
                chains.append(EvidenceUnit(chain.evidence, chain.facts, chain.edges, score=score))
        return sorted(chains, key=lambda unit: -unit.score)[: self.budget.chains]

    def longer_chains(
        self, retrieval: Any, units: Sequence[EvidenceUnit], as_of: int | None = None
    ) -> list[EvidenceUnit]:
        """Chains of three facts that go on from the chains of two whose relations are nearest to the question.

        Where no two facts answer, the answer may lie one fact further.
        """
        query = retrieval.query[:MAX_CHARACTERS].strip()
        if not query:
            return []
        vector = np.asarray(self.encoder.encode([query])[0], np.float32)
        found = [unit for unit in units if len(unit.facts) == 2]
        known = {unit.text for unit in units}
        starts = sorted(found, key=lambda unit: -self._relations_near(unit, vector))[:EXTENDED]
        ends: dict[int, EvidenceUnit] = {}
        for unit in starts:
            ends.setdefault(_end_of(unit), unit)
        if not ends:
            return []
        named = set(named_nodes(retrieval))
        made = []
        for third in self._ranked(self.store.fact_ids_around(ends, limit=STEPS, as_of=as_of), (), vector):
            edge, fact = third.edges[0], third.facts[0]
            for middle, end, name in ((edge.src, edge.dst, fact.object), (edge.dst, edge.src, fact.subject)):
                before = ends.get(middle)
                passed = named | {node for one in before.edges for node in (one.src, one.dst)} if before else named
                if before is None or end in passed:
                    continue
                chain = chain_unit((*before.facts, fact), (*before.edges, edge), name)
                score = self._relations_near(before, vector) + third.score
                made.append(EvidenceUnit(chain.evidence, chain.facts, chain.edges, score=score))
        made.sort(key=lambda unit: -unit.score)
        return [unit for unit in made if unit.text not in known][:LONGER]

    def _relations_near(self, unit: EvidenceUnit, vector: np.ndarray) -> float:
        """Mean cosine of a chain's relations to the question."""
        texts = [relation_words(fact.relation) for fact in unit.facts]
        return float((self.vectors(texts) @ vector).mean())

    def _windows(self, retrieval: Any, vector: np.ndarray, as_of: int | None) -> list[EvidenceUnit]:
        """Windows of the best passages, best first, and chains of two of them."""
        found = [passage.id for passage in retrieval.passages]
        if not found:
            return []
        found += [passage for passage, _, _ in self.store.search_sentences(retrieval.query[:MAX_CHARACTERS], limit=12)]
        nodes = self.store.passages_by_id(list(dict.fromkeys(found)))
        units = [unit for passage in dict.fromkeys(found) if passage in nodes for unit in windows_of(nodes[passage])]
        cosines = (self.vectors([unit.text for unit in units]) @ vector).tolist()
        ranked = [replace(unit, score=cosine) for unit, cosine in zip(units, cosines, strict=True)]
        ranked.sort(key=lambda unit: -unit.score)
        return [*ranked[: self.budget.windows], *self._linked(ranked, vector, as_of)]

    def _linked(self, windows: Sequence[EvidenceUnit], vector: np.ndarray, as_of: int | None) -> list[EvidenceUnit]:
        """Chains of two windows: one of the best that names another passage's title, and one of that passage."""
        firsts = [unit for unit in windows if len(unit.text) <= LINKED_WINDOW][:ORIGINS]
        passages = [unit.passage for unit in firsts if unit.passage is not None]
        mentioned = self.store.mentioned([passage.id for passage in passages], as_of)[:MAX_LINKS]
        titled = list(self.store.passages_of(list(dict.fromkeys(node for _, node in mentioned)), as_of))[:MAX_LINKS]
        found = self.store.passages_by_id([passage for _, passage in titled])
        names = dict(zip(ends := list(dict.fromkeys(node for node, _ in titled)), self.store.names(ends), strict=True))
        parts = [
            (node, unit) for node, passage in titled if passage in found
            for unit in windows_of(found[passage]) if len(unit.text) <= LINKED_WINDOW
        ]  # fmt: skip
        near = (self.vectors([unit.text for _, unit in parts]) @ vector).tolist() if parts else []
        chains = []
        for first, passage in zip(firsts, passages, strict=True):
            linked = {node for origin, node in mentioned if origin == passage.id and node in names}
            linked = {node for node in linked if _names(first.text, names[node])}
            chains += [
                linked_unit(first, second, first.score + cosine / 2)
                for (node, second), cosine in zip(parts, near, strict=True)
                if node in linked and second.passage is not None and second.passage.id != passage.id
            ]  # fmt: skip
        return sorted(chains, key=lambda unit: -unit.score)[: self.budget.linked]


def linked_unit(first: EvidenceUnit, second: EvidenceUnit, score: float = 0.0) -> EvidenceUnit:
    """Two windows as one text; the answer stands in the second one."""
    offset = len(first.text) + len(LINK)
    start, end = second.evidence.object
    text = EvidenceText(first.text + LINK + second.text, first.evidence.subject, (offset + start, offset + end))
    return replace(second, evidence=text, score=score, origin=first)


def _names(text: str, title: str) -> bool:
    """Whether a text holds a title, without what stands in brackets behind it."""
    return normalise(title.partition(" (")[0]) in normalise(text)


def chain_unit(facts: Sequence[Fact], edges: Sequence[Edge], end: str) -> EvidenceUnit:
    """A chain of facts that leads to the name ``end``."""
    rows = [(fact.subject, fact.relation, fact.object, fact.valid_from, fact.valid_to) for fact in facts]
    return EvidenceUnit(chain_text(rows, end), tuple(facts), tuple(edges))


def _end_of(chain: EvidenceUnit) -> int:
    """The node that a chain leads to."""
    first, last = chain.edges[-2], chain.edges[-1]
    return last.dst if last.src in (first.src, first.dst) else last.src


def windows_of(passage: Node) -> list[EvidenceUnit]:
    """Overlapping windows of whole sentences of a passage, in two sizes."""
    spans = sentences(passage.text) or [(0, len(passage.text))]
    title, units = title_of(passage), {}
    for size in (LONGEST_WINDOW, SHORT_WINDOW):
        first = 0
        while first < len(spans):
            last = first
            while last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= size:
                last += 1
            start, end = spans[first][0], spans[last][1]
            units[start, end] = (start, passage.text[start:end].rstrip())
            if last == len(spans) - 1:
                break
            first = max(first + 1, first + (last - first + 1) // 2)
    return [
        EvidenceUnit(passage_text(title, text, passage.date), passage=passage, start=start)
        for start, text in units.values()
    ]


def named_nodes(retrieval: Any) -> list[int]:
    """Nodes that the question names."""
    seeds = retrieval.seeds
    return [int(node) for node in seeds.nodes] if seeds.strategy in ("exact", "fuzzy") else []
