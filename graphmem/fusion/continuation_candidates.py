"""Candidates of plain text: entities around those that the text mentions, each with the fact that leads to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphmem.fusion.candidates import CERTAIN, CONTINUATION_FEATURES, FEATURES, Candidates, ContinuationCandidates
from graphmem.text.longer_names import stands_alone

MAX_PER_RELATION, HUB = 12, 100
"""Most neighbours of one relation; and the degree above which a node predicts nothing about the next name, such as a
genre, a year or a country of a large memory."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A candidate and the fact that leads to it.

    Attributes:
        node, name: id, and name as it is generated.
        relation: in words; empty for an entity that the text mentions.
        hops: 0 for an entity that the text mentions, else facts from there, 1 or 2.
        inverse: whether the fact is traversed from its object.
        origin: id of the node at the other end of the fact; None for an entity that the text mentions.
    """

    node: int
    name: str
    relation: str = ""
    hops: int = 0
    inverse: bool = False
    origin: int | None = None


def continuation_candidates(found: Any, max_names: int) -> Candidates | None:
    """Entities within two facts of those that a text mentions; None where its retrieval has no seeds or store.

    Only exact matches count as mentions, and only where they are no part of a longer name, no common word, and no hub
    of the memory. Candidates are sorted, nearest first and of equally near ones the most relevant first. Where the
    query is more than a name alone, a name is blocked until another that unlocks it has been mentioned
    (``ContinuationCandidates.strict``), so that a text processed in one pass is treated as if it were being generated.
    """
    seeds, store = getattr(found, "seeds", None), getattr(found, "store", None)
    if seeds is None or store is None:
        return None
    named = _linked(found) if seeds.strategy == "exact" else []
    query = found.query.strip()
    strict = not any(mention.text.strip() == query for mention in seeds.mentions)
    return as_candidates(_neighbours(found.subgraph, named, store, max_names), strict)


def _linked(found: Any) -> list[int]:
    """Ids of the nodes that the text mentions, in the order of the text.

    One lower-case word, in a script that has capitals, is no mention: "university", "rain".
    """
    common = lambda surface: len(surface.split()) == 1 and surface.islower()
    mentions = sorted(found.seeds.mentions, key=lambda mention: mention.start)
    nodes = [
        node
        for mention in mentions
        if stands_alone(found.query, mention, mentions) and not common(found.query[mention.start : mention.end])
        for node in mention.nodes
    ]
    seeds = set(found.seeds.nodes.tolist())
    return [node for node in dict.fromkeys(nodes) if node in seeds]


def as_candidates(neighbours: Sequence[Neighbour], strict: bool = False) -> Candidates:
    """Neighbours, nearest first, with their features."""
    shared = Counter((n.relation, n.inverse, n.hops) for n in neighbours)
    features = np.zeros((len(neighbours), len(CONTINUATION_FEATURES)), np.float32)
    for i, n in enumerate(neighbours):
        features[i] = (
            n.hops == 0, n.hops == 1, n.hops > 1, n.inverse, np.log1p(i) / 2,
            np.log(shared[n.relation, n.inverse, n.hops]) / 2 if n.hops else 0.0,
        )  # fmt: skip
    facts = ContinuationCandidates(tuple(n.relation for n in neighbours), features, _unlocks(neighbours), strict)
    ranks, answerable = np.zeros((len(neighbours), len(FEATURES)), np.float32), CERTAIN if neighbours else 0.0
    return Candidates(tuple(n.name for n in neighbours), ranks, answerable, tuple(n.node for n in neighbours), facts)


def _unlocks(neighbours: Sequence[Neighbour]) -> np.ndarray:
    """bool [N, N]: whether a mention of name j unlocks name i: j itself, its neighbour, or the root of its path."""
    index = {n.node: i for i, n in enumerate(neighbours)}
    unlocks = np.eye(len(neighbours), dtype=bool)
    for i, n in enumerate(neighbours):
        root = n
        while root.origin is not None and root.origin in index:
            root = neighbours[index[root.origin]]
        unlocks[i, index[root.node]] = True
        if n.origin is not None and n.origin in index:
            unlocks[i, index[n.origin]] = unlocks[index[n.origin], i] = True
    return unlocks


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """One traversed arc: positions of its ends in a subgraph, its code, its fact, and the distance from a mention."""

    end: int
    code: int = 0
    edge: int = -1
    start: int = -1
    hops: int = 0


def _neighbours(graph: Any, named: Sequence[int], store: Any, max_names: int) -> list[Neighbour]:
    """Breadth-first over the arcs of a subgraph, two facts deep.

    A mentioned entity that is a neighbour of an earlier one is reached by their fact.
    """
    index = {node: i for i, node in enumerate(graph.node_ids.tolist())}
    arcs = _arcs(graph)
    reached: dict[int, _Step] = {}
    for at in (index[node] for node in named if node in index):
        if at not in reached and len(arcs.get(at, ())) <= HUB:
            reached[at] = _Step(at)
            _expand(reached, [at], arcs, 1, max_names)
    _expand(reached, [at for at, step in reached.items() if step.hops == 1], arcs, 2, max_names)
    steps = list(reached.values())[:max_names]
    ids = [int(graph.node_ids[step.end]) for step in steps]
    edges = [step.edge for step in steps if step.edge >= 0]
    relation = {fact.id: fact.relation for fact in store.facts_by_id(edges)} if edges else {}
    return [
        Neighbour(
            node, name, relation.get(step.edge, ""), step.hops, bool(step.code & 1),
            None if step.start < 0 else int(graph.node_ids[step.start]),
        )
        for node, name, step in zip(ids, store.names(ids), steps, strict=True)
    ]  # fmt: skip


def _expand(
    reached: dict[int, _Step], frontier: Sequence[int], arcs: Mapping[int, Sequence[_Step]], hops: int, max_names: int
) -> None:
    """Add the ends of one more fact, the most relevant first; of each node ``MAX_PER_RELATION`` a relation."""
    steps = []
    for start in frontier:
        seen: Counter[int] = Counter()
        for step in arcs.get(start, ()):
            seen[step.code] += 1
            steps += [step] if seen[step.code] <= MAX_PER_RELATION else []
    for step in sorted(steps):  # positions are by falling relevance
        if step.end not in reached and len(reached) < max_names:
            reached[step.end] = replace(step, hops=hops)


def _arcs(graph: Any) -> dict[int, list[_Step]]:
    """Arcs from each position of a subgraph, in both directions and by falling relevance of their ends."""
    arcs: dict[int, set[_Step]] = {}
    ends = zip(graph.edge_index.T.tolist(), graph.relations.tolist(), graph.edge_ids.tolist(), strict=True)
    for (a, b), code, edge in ends:
        arcs.setdefault(a, set()).add(_Step(b, code, edge, a))
        arcs.setdefault(b, set()).add(_Step(a, code ^ 1, edge, b))
    return {at: sorted(found) for at, found in arcs.items()}
