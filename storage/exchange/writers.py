"""Present facts of one namespace in the formats of other tools: CSV, GraphML, Cypher and N-Triples, piece by piece."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from graphmem.core.types import Edge, Fact, Node
from graphmem.storage.exchange.delimited import cell
from graphmem.storage.exchange.graphml import OWN
from graphmem.storage.exchange.rdf_names import ALIAS_IRI, LABEL_IRI, NODE_IRI, RELATION_IRI
from graphmem.storage.exchange.xml_stream import NOT_XML

if TYPE_CHECKING:
    from graphmem.storage.sqlite import SQLiteStore

FACT_FIELDS = ("subject", "relation", "object", "text", "valid_from", "valid_to", "confidence", "source")
PAGE = 4096

_RDF_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^<>\"{}|^`\\\x00-\x20]+")


def all_nodes(store: SQLiteStore) -> Iterator[Node]:
    """Live nodes, a page at a time."""
    after = 0
    while page := store.all_nodes(after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def all_facts(store: SQLiteStore) -> Iterator[tuple[Fact, Edge]]:
    """Present facts, by names and by ids, a page at a time."""
    ids = store.present_ids()
    for start in range(0, len(ids), PAGE):
        part = ids[start : start + PAGE]
        yield from zip(store.facts_by_id(part), store.edges(part), strict=True)


def csv(store: SQLiteStore, spreadsheet_safe: bool) -> Iterator[str]:
    """A head line and one line a fact."""
    yield ",".join(FACT_FIELDS) + "\n"
    for fact, _ in all_facts(store):
        values = (getattr(fact, field) for field in FACT_FIELDS)
        yield ",".join("" if value is None else cell(str(value), spreadsheet_safe) for value in values) + "\n"


_GRAPHML_KEYS = {
    "node": ("name", "kind", "text", "aliases", "attributes", "exact"),
    "edge": ("relation", *FACT_FIELDS[3:], "attributes", "exact"),
}


def _data(kind: str, values: dict[str, Any]) -> str:
    """Data elements. Values with characters that XML cannot hold stand once more, as JSON, in the key ``exact``."""
    texts = {key: str(value) for key, value in values.items() if value is not None and value != ""}
    exact = {key: text for key, text in texts.items() if NOT_XML.search(text)}
    if exact:
        texts["exact"] = json.dumps(exact)
    return "".join(
        f"<data key={quoteattr(f'{kind}_{key}')}>{escape(NOT_XML.sub(chr(0xFFFD), text), {chr(13): '&#13;'})}</data>"
        for key, text in texts.items()
    )


def _json(value: Any) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None


def graphml(store: SQLiteStore, _: bool) -> Iterator[str]:
    """One document with one graph."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for kind, keys in _GRAPHML_KEYS.items():
        for name in keys:
            type_ = "double" if name == "confidence" else "string"
            yield f'<key id="{kind[0]}_{name}" for="{kind}" attr.name="{name}" attr.type="{type_}"/>\n'
    yield f'<graph id="{OWN}" edgedefault="directed">\n'
    for node in all_nodes(store):
        lists = {"aliases": _json(node.aliases), "attributes": _json(dict(node.attributes))}
        values = {"name": node.name, "kind": node.kind, "text": node.text, **lists}
        yield f'<node id="n{node.id}">{_data("n", values)}</node>\n'
    for fact, edge in all_facts(store):
        values = {name: getattr(fact, name) for name in ("relation", *FACT_FIELDS[3:])}
        values["attributes"] = _json(dict(edge.attributes))
        yield f'<edge id="e{edge.id}" source="n{edge.src}" target="n{edge.dst}">{_data("e", values)}</edge>\n'
    yield "</graph>\n</graphml>\n"


def cypher(store: SQLiteStore, _: bool) -> Iterator[str]:
    """One statement a line; attributes as one property of JSON text."""
    for node in all_nodes(store):
        values: dict[str, Any] = {"name": node.name, "kind": node.kind, "text": node.text, "aliases": [*node.aliases]}
        if node.attributes:
            values["attributes"] = _json(dict(node.attributes))
        yield f"MERGE (n:Entity {{name: {_literal(node.name)}}}) SET n += {_literal(values)};\n"
    for fact, edge in all_facts(store):
        values = {name: getattr(fact, name) for name in FACT_FIELDS[3:] if getattr(fact, name) not in (None, "")}
        if edge.attributes:
            values["attributes"] = _json(dict(edge.attributes))
        yield (
            f"MATCH (a:Entity {{name: {_literal(fact.subject)}}}), (b:Entity {{name: {_literal(fact.object)}}}) "
            f"CREATE (a)-[:`{_backticked(fact.relation)}` {_literal(values)}]->(b);\n"
        )


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    return f'"{_no_escape(value, lambda part: json.dumps(part, ensure_ascii=False)[1:-1])}"'


def _backticked(name: str) -> str:
    """A name between backticks: backticks and backslashes doubled, control characters escaped."""

    def plain(part: str) -> str:
        part = part.replace("\\", "\\\\").replace("`", "``")
        return re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04X}", part)

    return _no_escape(name, plain)


def _no_escape(text: str, write: Callable[[str], str]) -> str:
    r"""A text in which no ``\u`` is left to be read as an escape, whether or not a reader pairs backslashes first."""
    return "\\\\\\u0075".join(map(write, text.split("\\u")))


def ntriples(store: SQLiteStore, _: bool) -> Iterator[str]:
    """Labels of nodes, and facts. A node's IRI is its attribute ``iri`` if no other has it, else made of its name."""
    iris: dict[int, str] = {}
    shared = store.connection.rows(
        "SELECT json_extract(attributes, '$.iri') FROM nodes WHERE ns = (SELECT id FROM namespaces WHERE name = ?) "
        "AND retired_at IS NULL AND attributes LIKE '%\"iri\"%' GROUP BY 1 HAVING count(*) > 1",
        (store.namespace,),
    )
    taken = {row[0] for row in shared}
    for node in all_nodes(store):
        iri = node.attributes.get("iri")
        if isinstance(iri, str) and iri not in taken and _IRI.fullmatch(iri) and not iri.startswith(NODE_IRI):
            iris[node.id] = iri
        own = iris.get(node.id) or _own(node.name)
        for label in (node.name, *node.aliases):
            kind = LABEL_IRI if label == node.name else ALIAS_IRI
            if label != iri:
                yield f'<{own}> <{kind}> "{label.translate(_RDF_ESCAPES)}" .\n'
    for fact, edge in all_facts(store):
        ends = [iris.get(node) or _own(name) for node, name in ((edge.src, fact.subject), (edge.dst, fact.object))]
        yield f"<{ends[0]}> <{RELATION_IRI}{quote(fact.relation, safe='')}> <{ends[1]}> .\n"


def _own(name: str) -> str:
    return f"{NODE_IRI}{quote(name, safe='')}"


WRITERS: dict[str, Callable[[SQLiteStore, bool], Iterator[str]]] = {
    "csv": csv, "graphml": graphml, "cypher": cypher, "ntriples": ntriples,
}  # fmt: skip
"""Writers by format; they take the store, and whether spreadsheets must not run a cell as a formula."""


def losses(store: SQLiteStore, format: str) -> dict[str, int]:
    """What a format cannot hold, and how many rows of the namespace have it."""
    ns = store.connection.one("SELECT id FROM namespaces WHERE name = ?", (store.namespace,))
    if ns is None:
        return {}
    nodes = "SELECT count(*) FROM nodes n WHERE n.ns = :ns AND n.retired_at IS NULL AND"
    facts = "SELECT count(*) FROM edges e WHERE e.ns = :ns AND e.retired_at IS NULL AND"
    joined = "(SELECT src FROM edges UNION SELECT dst FROM edges)"
    table, triples = ("csv",), ("ntriples",)
    counted: list[tuple[str, tuple[str, ...] | None, str]] = [
        ("nodes without facts", table, f"{nodes} n.id NOT IN {joined}"),
        ("kinds of nodes", (*table, *triples), f"{nodes} n.kind <> 'entity'"),
        ("texts of nodes", (*table, *triples), f"{nodes} n.text <> ''"),
        ("aliases of nodes", table, f"{nodes} n.id IN (SELECT node FROM aliases)"),
        ("attributes of nodes", table, f"{nodes} n.attributes IS NOT NULL"),
        ("attributes of nodes beside `iri`", triples,
         f"{nodes} json_remove(n.attributes, '$.iri') <> '{{}}'"),
        ("dates of nodes", None, f"{nodes} (n.dated IS NOT NULL OR n.date_text IS NOT NULL)"),
        ("states of nodes", None, f"{nodes} n.state IS NOT NULL"),
        ("strengths of nodes", None, f"{nodes} n.strength <> 1"),
        ("texts of facts", triples, f"{facts} e.text <> ''"),
        ("times of facts", triples, f"{facts} (e.valid_from IS NOT NULL OR e.valid_to IS NOT NULL)"),
        ("confidences of facts", triples, f"{facts} e.confidence <> 1"),
        ("sources of facts", triples, f"{facts} e.source IS NOT NULL"),
        ("attributes of facts", (*table, *triples), f"{facts} e.attributes IS NOT NULL"),
        ("sources of facts beyond the first", None, f"{facts} e.id IN (SELECT edge FROM edge_sources)"),
        ("strengths of facts", None, f"{facts} e.strength <> 1"),
        ("factuality, status, qualifiers, pins or places of facts", None,
         f"{facts} coalesce(e.factuality, e.status, e.qualifiers, e.pinned, e.passage) IS NOT NULL"),
        ("retired nodes", None, "SELECT count(*) FROM nodes WHERE ns = :ns AND retired_at IS NOT NULL"),
        ("entries of the journal", None, "SELECT count(*) FROM journal WHERE ns = :ns"),
    ]  # fmt: skip
    found = {
        what: int(store.connection.one(sql, {"ns": ns[0]})[0])
        for what, formats, sql in counted
        if formats is None or format in formats
    }
    recorded = store.connection.one("SELECT count(*) FROM edges WHERE ns = ?", ns)[0]
    found["facts that do not hold now"] = recorded - len(store.present_ids())
    return {what: count for what, count in found.items() if count}
