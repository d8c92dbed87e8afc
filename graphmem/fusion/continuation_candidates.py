"""What a plain text may name next: the names around those that it has named, each with the fact that leads to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphmem.fusion.candidates import CONTINUATION_FEATURES, FEATURES, SURE, Candidates, ContinuationCandidates
from graphmem.retrieval.answerability import stands_alone

PER_NODE, HUB = 12, 100
"""Most names of one relation around one node; and the arcs from which on a node tells nothing of what comes next, as
with a genre, a year or a country of a large memory."""


_Arc = tuple[int, int, int]
"""Position of the end, arc code, id of the fact."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A name and the fact that leads to it.

    Attributes:
        node: id.
        name: as it is said.
        relation: in words; empty for what the text named itself.
        hops: 0 for what the text named, else facts from there, 1 or 2.
        inverse: whether the fact is walked from its object.
        beside: id of the node at the other end of the fact; None for what the text named itself.
    """

    node: int
    name: str
    relation: str = ""
    hops: int = 0
    inverse: bool = False
    beside: int | None = None


def continuation_candidates(found: Any, limit: int) -> Candidates | None:
    """The names around what a text named, as its readings are told of them; None where nothing can be told.

    Where the memory was asked with a text and not with a name alone, no name may be said before what leads to it has
    been: so a text that is read in one go is read as if it were being written.

    Args:
        found: a ``Retrieval`` for the text. Only exact names count as named, and only where they mean themselves: not
            as part of a longer name, not as a common word, not where they are a hub of the memory.
        limit: most names.

    Returns:
        Candidates, nearest first; of equally near ones the most relevant first. Without names where the text names
        nothing that the memory knows; None where ``found`` is not a retrieval that says what was named.
    """
    seeds, store = getattr(found, "seeds", None), getattr(found, "store", None)
    if seeds is None or store is None:
        return None
    named = _meant(found) if seeds.strategy == "exact" else []
    return as_candidates(_around(found.subgraph, named, store, limit), own=_is_own(found))


def batch_continuation_candidates(found: Sequence[Any], limit: int) -> list[Candidates] | None:
    """``continuation_candidates`` of several retrievals; None where one of them cannot be told."""
    told = [continuation_candidates(one, limit) for one in found]
    return [seen for seen in told if seen is not None] if all(seen is not None for seen in told) else None


def _is_own(found: Any) -> bool:
    """Whether the memory was asked with more than a name: with the text itself, its beginning, or somebody's question.

    Asked with a name alone, it is told what the text is about, and need not wait until the text says so.
    """
    query = found.query.strip()
    return not any(mention.text.strip() == query for mention in found.seeds.mentions)


def _meant(found: Any) -> list[int]:
    """Ids of nodes that the text names and means, in the order of the text."""
    mentions = sorted(found.seeds.mentions, key=lambda mention: mention.start)
    meant = [
        node
        for mention in mentions
        if (stands_alone(found.query, mention, mentions) and not _common(found.query[mention.start : mention.end]))
        for node in mention.nodes
    ]
    started = set(found.seeds.nodes.tolist())
    return [node for node in dict.fromkeys(meant) if node in started]


def _common(surface: str) -> bool:
    """Whether a mention is one word without a capital, in a script that has them: "university", "rain"."""
    return len(surface.split()) == 1 and surface.islower()


def as_candidates(around: Sequence[Neighbour], own: bool = False) -> Candidates:
    """Neighbours, nearest first, with their features."""
    shared = Counter((n.relation, n.inverse, n.hops) for n in around)
    told = np.zeros((len(around), len(CONTINUATION_FEATURES)), np.float32)
    for i, n in enumerate(around):
        told[i] = (
            n.hops == 0, n.hops == 1, n.hops > 1, n.inverse, np.log1p(i) / 2,
            np.log(shared[n.relation, n.inverse, n.hops]) / 2 if n.hops else 0.0,
        )  # fmt: skip
    return Candidates(
        tuple(n.name for n in around), np.zeros((len(around), len(FEATURES)), np.float32), SURE if around else 0.0,
        tuple(n.node for n in around), ContinuationCandidates(tuple(n.relation for n in around), told, _opens(around), own),
    )  # fmt: skip


def _opens(around: Sequence[Neighbour]) -> np.ndarray:
    """bool [N, N]: whether name i may be said once name j has been: j itself, its neighbour, or where it comes from."""
    place = {n.node: i for i, n in enumerate(around)}
    opens = np.eye(len(around), dtype=bool)
    for i, n in enumerate(around):
        start = n
        while start.beside is not None and start.beside in place:
            start = around[place[start.beside]]
        opens[i, place[start.node]] = True
        if n.beside is not None and n.beside in place:
            opens[i, place[n.beside]] = opens[place[n.beside], i] = True
    return opens


def _around(graph: Any, named: Sequence[int], store: Any, limit: int) -> list[Neighbour]:
    """Over the arcs of a subgraph, two facts deep.

    What is named later in the text, and is held to be beside what was named before, is known by that fact.
    """
    place = {node: i for i, node in enumerate(graph.node_ids.tolist())}
    arcs = _arcs(graph)
    reached: dict[int, _Step] = {}
    for at in (place[node] for node in named if node in place):
        if at not in reached and len(arcs.get(at, ())) <= HUB:
            reached[at] = _Step(at)
            _reach(reached, [at], arcs, 1, limit)
    _reach(reached, [at for at, step in reached.items() if step.hops == 1], arcs, 2, limit)
    steps = list(reached.values())[:limit]
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


def _reach(
    reached: dict[int, _Step], frontier: Sequence[int], arcs: Mapping[int, Sequence[_Arc]], hops: int, limit: int
) -> None:
    """Add what one more fact leads to, the most relevant first, up to the limit."""
    steps = [step for start in frontier for step in _steps(start, arcs.get(start, ()))]
    for step in sorted(steps):  # positions are by falling relevance
        if step.end not in reached and len(reached) < limit:
            reached[step.end] = replace(step, hops=hops)


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """One arc walked: positions of its ends in a subgraph, its code, its fact, and facts from what was named."""

    end: int
    code: int = 0
    edge: int = -1
    start: int = -1
    hops: int = 0


def _arcs(graph: Any) -> dict[int, list[_Arc]]:
    """(end, code, fact) of the arcs at each position of a subgraph, walked both ways."""
    arcs: dict[int, set[_Arc]] = {}
    ends = zip(graph.edge_index.T.tolist(), graph.relations.tolist(), graph.edge_ids.tolist(), strict=True)
    for (a, b), code, edge in ends:
        arcs.setdefault(a, set()).add((b, code, edge))
        arcs.setdefault(b, set()).add((a, code ^ 1, edge))
    return {at: sorted(found) for at, found in arcs.items()}


def _steps(start: int, arcs: Sequence[_Arc]) -> list[_Step]:
    """The most relevant arcs of each relation, ``PER_NODE`` at most."""
    seen: Counter[int] = Counter()
    kept = []
    for end, code, edge in arcs:
        seen[code] += 1
        if seen[code] <= PER_NODE:
            kept.append(_Step(end, code, edge, start))
    return kept
