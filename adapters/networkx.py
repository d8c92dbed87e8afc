"""Nodes and facts to and from networkx graphs, in attributes that every writer of networkx can write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import networkx

from graphmem.core.edits import AddEdge, AddNode, Edit
from graphmem.core.errors import InvalidValue
from graphmem.core.types import Fact, Node

FIELDS = ("relation", "text", "valid_from", "valid_to", "confidence", "source")

_RELATION_KEYS = ("relation", "label", "type")
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")  # lost or refused by one writer or another


def to_networkx(facts: Iterable[Fact], nodes: Iterable[Node] = ()) -> networkx.MultiDiGraph:
    """A MultiDiGraph with one node a name and one edge a fact, keyed by the fact's id.

    Fields become attributes; empty ones are left out. ``aliases`` and ``attributes`` of nodes are JSON text, and
    ``provenance`` repeats ``source``, which GML has a meaning of its own for. Control characters are replaced;
    the attribute ``exact`` (JSON) keeps the values as they were.
    """
    graph = networkx.MultiDiGraph()
    for node in nodes:
        lists = {"aliases": _json(list(node.aliases)), "attributes": _json(dict(node.attributes))}
        values = {"kind": node.kind, "text": node.text, **lists}
        graph.add_node(_key(node.name), **_plain(values, node.name))
    for fact in facts:
        for name in (fact.subject, fact.object):
            if _key(name) not in graph:
                graph.add_node(_key(name), **_plain({}, name))
        values = {name: getattr(fact, name) for name in FIELDS} | {"provenance": fact.source}
        graph.add_edge(_key(fact.subject), _key(fact.object), key=fact.id, **_plain(values))
    return graph


def _key(name: str) -> str:
    """Key of a node: its name, or a text without control characters that no other name has."""
    clean = _clean(name)
    return name if clean == name else f"{clean} #{blake2b(name.encode(), digest_size=4).hexdigest()}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _json(value: Any) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None


def _plain(values: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    kept = {key: value for key, value in values.items() if value is not None and value != ""}
    exact = {
        key: text for key, text in {**kept, "name": name}.items() if isinstance(text, str) and _NOT_XML.search(text)
    }
    clean = {key: _clean(value) if key in exact else value for key, value in kept.items()}
    return clean | ({"exact": json.dumps(exact)} if exact else {})


def from_networkx(graph: networkx.Graph, relation: str = "related to") -> list[Edit]:
    """Edits that add every node and edge of a networkx graph, for ``memory.apply``.

    Node keys become names through ``str``. Attributes that are no field are kept as attributes of nodes and facts.
    ``relation`` is that of edges without a relation, label or type.
    """
    edits: list[Edit] = []
    for key, data in graph.nodes(data=True):
        values = _exact(data)
        more = _more(values, ("kind", "text", "aliases", "attributes", "name"))
        aliases = _list(values.get("aliases"))
        name = values["name"] if "name" in _loaded(data.get("exact")) else str(key)
        kind, text = str(values.get("kind") or "entity"), str(values.get("text") or "")
        edits.append(AddNode(name, kind, text, aliases, more, ambiguous=True))
    for fact, data in _facts(graph, relation):
        more = _more(data, (*FIELDS, "provenance", "attributes", _relation_key(data)))
        times = fact.valid_from, fact.valid_to
        edits.append(AddEdge(*_names(fact), fact.text, *times, fact.confidence, fact.source, more))
    return edits


def facts_from_networkx(graph: networkx.Graph, relation: str = "related to") -> Iterator[Fact]:
    """The edges of any networkx graph as facts. The relation is the edge's ``relation``, ``label`` or ``type``.

    Node keys become names through ``str``. ``relation`` is that of edges without such an attribute.
    """
    return (fact for fact, _ in _facts(graph, relation))


def _facts(graph: networkx.Graph, relation: str) -> Iterator[tuple[Fact, dict[str, Any]]]:
    names = {key: str(_exact(data).get("name", key)) for key, data in graph.nodes(data=True) if "exact" in data}
    for start, end, attributes in graph.edges(data=True):
        data = _exact(attributes)
        key = _relation_key(data)
        fact = Fact(
            subject=names.get(start, str(start)),
            relation=relation if key is None else str(data[key]),
            object=names.get(end, str(end)),
            text=str(data.get("text") or ""),
            valid_from=data.get("valid_from"),
            valid_to=data.get("valid_to"),
            confidence=_number(data.get("confidence", 1.0)),
            source=data.get("source") or data.get("provenance"),
        )
        yield fact, data


def _names(fact: Fact) -> tuple[str, str, str]:
    return fact.subject, fact.relation, fact.object


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidValue(f"the confidence of an edge must be a number, not {value!r:.80}") from None


def _relation_key(data: Mapping[str, Any]) -> str | None:
    return next((key for key in _RELATION_KEYS if data.get(key)), None)


def _loaded(text: Any) -> Any:
    """The object of some JSON text, or an empty one."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        found = {}
    return found if isinstance(found, dict) else {}


def _list(text: Any) -> tuple[str, ...]:
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        found = str(text).split("|")
    return tuple(map(str, found)) if isinstance(found, (list, tuple)) else ()


def _exact(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "exact"} | _loaded(data.get("exact"))


def _more(data: Mapping[str, Any], used: Iterable[str | None]) -> dict[str, Any]:
    own = data.get("attributes")
    kept = _loaded(own) if isinstance(own, str) else dict(own) if isinstance(own, Mapping) else {}
    known = set(used)
    return {str(key): value for key, value in data.items() if key not in known and value is not None} | kept
