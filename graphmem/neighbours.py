"""What a plain text may name next: the names around those that it has named, each with the fact that leads to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphmem.tokens import FEATURES, SURE, TOLD, Candidates, Told

PER_NODE = 12
"""Most names of one relation around one node: a list of hundreds tells a text nothing."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A name and the fact that leads to it.

    Attributes:
        node: id.
        name: as it is said.
        relation: in words; empty for what the text named itself.
        hops: 0 for what the text named, else facts from there, 1 or 2.
        inverse: whether the fact is walked from its object.
    """

    node: int
    name: str
    relation: str = ""
    hops: int = 0
    inverse: bool = False


def told_candidates(found: Any, limit: int) -> Candidates | None:
    """The names around what a text named, as its readings are told of them; None where nothing can be told.

    Args:
        found: a ``Retrieval`` for the text. Only exact names count as named.
        limit: most names.

    Returns:
        Candidates, nearest first; of equally near ones the most relevant first. Without names where the text names
        nothing that the memory knows; None where ``found`` is not a retrieval that says what was named.
    """
    seeds, store = getattr(found, "seeds", None), getattr(found, "store", None)
    if seeds is None or store is None:
        return None
    named = seeds.nodes.tolist() if seeds.how == "mention" else []
    return as_candidates(_around(found.subgraph, named, store, limit))


def as_candidates(around: Sequence[Neighbour]) -> Candidates:
    """Neighbours, nearest first, with their features."""
    shared = Counter((n.relation, n.inverse, n.hops) for n in around)
    told = np.zeros((len(around), len(TOLD)), np.float32)
    for i, n in enumerate(around):
        told[i] = (
            n.hops == 0, n.hops == 1, n.hops > 1, n.inverse, np.log1p(i) / 2,
            np.log(shared[n.relation, n.inverse, n.hops]) / 2 if n.hops else 0.0,
        )  # fmt: skip
    return Candidates(
        tuple(n.name for n in around), np.zeros((len(around), len(FEATURES)), np.float32), SURE if around else 0.0,
        tuple(n.node for n in around), Told(tuple(n.relation for n in around), told),
    )  # fmt: skip


def _around(graph: Any, named: Sequence[int], store: Any, limit: int) -> list[Neighbour]:
    """Breadth first over the arcs of a subgraph, two facts deep."""
    place = {node: i for i, node in enumerate(graph.node_ids.tolist())}
    arcs: dict[int, list[tuple[int, int, int]]] = {}
    for (a, b), code, edge in zip(graph.edge_index.T.tolist(), graph.relations.tolist(), graph.edge_ids.tolist(), strict=True):
        arcs.setdefault(a, []).append((b, code, edge))
        arcs.setdefault(b, []).append((a, code ^ 1, edge))
    reached: dict[int, tuple[int, int, bool]] = {place[node]: (0, -1, False) for node in named if node in place}
    frontier = list(reached)
    for hops in (1, 2):
        steps = [step for start in frontier for step in _steps(arcs.get(start, ()))]
        new: dict[int, tuple[int, int, bool]] = {}
        for end, code, edge in sorted(steps):  # positions are by falling relevance
            if end not in reached and end not in new:
                new[end] = hops, edge, bool(code & 1)
        reached |= dict(list(new.items())[: max(0, limit - len(reached))])
        frontier = [end for end in new if end in reached]
    ids = [int(graph.node_ids[at]) for at in reached]
    names = store.names(ids)
    edges = [edge for _, edge, _ in reached.values() if edge >= 0]
    relation = {fact.id: fact.relation for fact in store.facts_by_id(edges)} if edges else {}
    return [
        Neighbour(node, name, relation.get(edge, ""), hops, inverse)
        for node, name, (hops, edge, inverse) in zip(ids, names, reached.values(), strict=True)
    ][:limit]


def _steps(arcs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The most relevant arcs of each relation, ``PER_NODE`` at most."""
    seen: Counter[int] = Counter()
    kept = []
    for arc in sorted(arcs):
        seen[arc[1]] += 1
        if seen[arc[1]] <= PER_NODE:
            kept.append(arc)
    return kept
