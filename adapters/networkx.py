"""Facts to and from networkx graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import networkx

from graphmem.core.types import Fact

FIELDS = ("relation", "text", "valid_from", "valid_to", "confidence", "source")


def to_networkx(facts: Iterable[Fact]) -> networkx.MultiDiGraph:
    """A MultiDiGraph with one node a name and one edge a fact, keyed by the fact's id; fields become attributes."""
    graph = networkx.MultiDiGraph()
    for fact in facts:
        fields = {name: getattr(fact, name) for name in FIELDS}
        graph.add_edge(fact.subject, fact.object, key=fact.id, **fields)
    return graph


def facts_from_networkx(graph: networkx.Graph, relation: str = "related to") -> Iterator[Fact]:
    """The edges of any networkx graph as facts. The relation is the edge's ``relation``, ``label`` or ``type``.

    Node keys become names through ``str``. ``relation`` is that of edges without such an attribute.
    """
    for source, target, data in graph.edges(data=True):
        yield Fact(
            subject=str(source),
            relation=str(next((data[key] for key in ("relation", "label", "type") if data.get(key)), relation)),
            object=str(target),
            text=str(data.get("text") or ""),
            valid_from=data.get("valid_from"),
            valid_to=data.get("valid_to"),
            confidence=float(data.get("confidence", 1.0)),
            source=data.get("source"),
        )
