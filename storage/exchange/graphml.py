"""GraphML as its standard says, parsed as a stream, more than once: nodes may come after their edges.

Ids are the identity of nodes. Nodes of one label get distinguishing names, such as "Mercury (n7)", and the id of every
node is kept in the attribute ``id``. Attributes that are no field of a node or fact are kept, with their types, and so
is the description (``desc``) of a node or edge. What is said of the graph itself has no place in a memory.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.storage.exchange.fact_files import DETAILS, Context, Item, Reject, checked, fact, parse_json, rewound
from graphmem.storage.exchange.xml_stream import BrokenXml, XmlStream

NAME_KEYS = ("name", "label", "title")
RELATION_KEYS = ("relation", "label", "type", "name")
DEFAULT_RELATION = "related to"
DESCRIPTION = "desc"
OWN = "graphmem"
"""Id of the graph in graphmem's own exports, whose node ids mean nothing."""

MAX_DATA = 8 << 20  # characters of the data of one element
MAX_KEYS = 10_000
_HOLDERS = ("graphml", "graph", "node", "edge", "hyperedge", "port", "endpoint", "key")
_TYPES = {
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": lambda text: text.strip() in ("true", "1"),
}


class _Element:
    """An open element that may hold data."""

    __slots__ = ("attributes", "data", "description", "line", "size", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], line: int) -> None:
        self.tag, self.attributes, self.line, self.size = tag, attributes, line, 0
        self.data: dict[str, str] = {}
        self.description = ""


class _Document:
    """Handlers of one pass. What must be known of all nodes is kept in a temporary SQLite file.

    The first pass keeps keys, ids and names; later ones give the edits of the elements ``wanted`` in ``out``.
    """

    def __init__(self, spool: sqlite3.Connection, first: _Document | None = None, wanted: tuple[str, ...] = ()) -> None:
        self.spool, self.first, self.wanted = spool, first, wanted
        self.stream = XmlStream(self)
        self.out: list[tuple[int, Item]] = []
        self.keys: dict[str, tuple[str, str, str, str | None]] = {} if first is None else first.keys
        self.own: bool = first is not None and first.own
        self._open: list[_Element] = []
        self._key: str | None = None
        self._text: list[str] = []
        self._held = 0  # characters of data of the open elements
        self._default: str | None = None
        self._part = ""
        self.left_out: set[str] = set()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if tag in _HOLDERS and self._key is None:
            self._open.append(_Element(tag, attributes, self.stream.line))
            self._default = None
            if tag == "graph" and attributes.get("id") == OWN:
                self.own = True
        elif tag in ("data", "default", DESCRIPTION) and self._open and self._key is None:
            self._key, self._text = attributes.get("key", "") if tag == "data" else "", []
            self._part = tag

    def characters(self, text: str) -> None:
        """Text of the element."""
        if self._key is not None:
            self._text.append(text)
            self._open[-1].size += len(text)
            self._held += len(text)
            if self._held > MAX_DATA:
                raise BrokenXml(f"the data of an element is longer than {MAX_DATA} characters")

    def end(self, tag: str) -> None:
        """An element ends."""
        if self._key is not None and tag == self._part:
            if tag == "default":
                self._default = "".join(self._text)
            elif tag == DESCRIPTION:
                self._open[-1].description = "".join(self._text).strip()
            elif self._open:
                self._open[-1].data[self._key] = "".join(self._text)
            self._key = None
        elif self._key is None and self._open and tag == self._open[-1].tag:
            element = self._open.pop()
            self._held -= element.size
            self._close(element)

    def _close(self, element: _Element) -> None:
        attributes = element.attributes
        if (element.data or element.description) and element.tag not in ("node", "edge", "hyperedge"):
            self.left_out.add(element.tag)
        if element.tag == "key" and self.first is None:
            name = attributes.get("attr.name") or attributes.get("id", "")
            kind, domain = attributes.get("attr.type", "string"), attributes.get("for", "all")
            self.keys[attributes.get("id", "")] = (name, domain, kind, self._default)
            if len(self.keys) > MAX_KEYS:
                raise BrokenXml(f"more than {MAX_KEYS} keys")
        elif element.tag == "node" and self.first is None:
            self._keep(element)
        elif element.tag in self.wanted:
            item: Item = Reject("a hyperedge, which joins more than two nodes")
            if element.tag != "hyperedge":
                item = checked(self._node if element.tag == "node" else self._edge, element)
            self.out.append((element.line, item))

    def _values(self, element: _Element) -> dict[str, str]:
        """Data of an element by the names of their keys, with the defaults of those that it lacks."""
        values = {
            name: default
            for key, (name, domain, _, default) in self.keys.items()
            if default is not None and domain in ("all", element.tag) and key not in element.data
        }
        values |= {self.keys[key][0] if key in self.keys else key: text for key, text in element.data.items()}
        return {DESCRIPTION: element.description, **values} if element.description else values

    def _exact(self, element: _Element) -> dict[str, str]:
        """Values of an element; in an export of graphmem, those that XML cannot hold are put in their places."""
        values = self._values(element)
        try:
            exact = parse_json(values.pop("exact")) if self.own and "exact" in values else {}
        except InvalidValue:
            return values
        return values | {key: value for key, value in exact.items() if isinstance(value, str)}

    def _keep(self, element: _Element) -> None:
        identifier = element.attributes.get("id")
        if identifier is not None:
            values = self._exact(element)
            name = next((values[key].strip() for key in NAME_KEYS if values.get(key, "").strip()), identifier)
            row = (identifier, name, normalise(name))
            self.spool.execute("INSERT OR IGNORE INTO nodes(id, label, norm) VALUES (?, ?, ?)", row)

    def _found(self, identifier: str | None) -> str | None:
        row = self.spool.execute("SELECT name FROM nodes WHERE id = ?", (identifier,)).fetchone()
        return None if row is None else str(row[0])

    def _node(self, element: _Element) -> AddNode:
        identifier = element.attributes.get("id")
        if identifier is None:
            raise InvalidValue("a node without an id")
        self.spool.execute("UPDATE nodes SET seen = seen + 1 WHERE id = ?", (identifier,))
        if self.spool.execute("SELECT seen FROM nodes WHERE id = ?", (identifier,)).fetchone()[0] > 1:
            raise InvalidValue(f"a second node of the id {identifier!r:.80}")
        values = self._exact(element)
        used = {"kind", "text", "aliases", "attributes"} | {key for key in NAME_KEYS[:1] if values.get(key)}
        used |= {key for key in NAME_KEYS if normalise(values.get(key, "")) == normalise(self._found(identifier) or "")}
        attributes = self._more(values, used, {} if self.own else {"id": identifier})
        outer = next((other for other in reversed(self._open) if other.tag == "node"), None)
        if outer is not None:
            attributes["inside"] = self._found(outer.attributes.get("id"))
        aliases = _aliases(values.get("aliases", ""))
        return AddNode(self._found(identifier) or "", values.get("kind") or "entity", values.get("text", ""), aliases,
                       attributes, None, True)  # fmt: skip

    def _edge(self, element: _Element) -> AddEdge:
        ends = [self._found(element.attributes.get(end)) for end in ("source", "target")]
        if None in ends:
            raise InvalidValue("an edge whose ends are no nodes of the document")
        values = self._exact(element)
        key = next((key for key in RELATION_KEYS if values.get(key, "").strip()), None)
        relation = DEFAULT_RELATION if key is None else values[key]
        details = {name: values[name] for name in DETAILS if values.get(name)}
        attributes = self._more(values, {key or "", "attributes", *DETAILS}, {})
        if not self.own and element.attributes.get("id"):
            attributes["id"] = element.attributes["id"]
        graph = next((other for other in reversed(self._open) if other.tag == "graph"), None)
        usual = "true" if graph is None or graph.attributes.get("edgedefault") != "undirected" else "false"
        if element.attributes.get("directed", usual) == "false":
            attributes["directed"] = False
        names: dict[str, Any] = {"subject": ends[0], "relation": relation, "object": ends[1]}
        return fact(names | details | {"attributes": attributes})

    def _more(self, values: dict[str, str], used: set[str], attributes: dict[str, Any]) -> dict[str, Any]:
        """Attributes: those that an export of graphmem wrote as JSON, and other keys with their types."""
        kept = parse_json(values["attributes"]) if self.own and values.get("attributes") else {}
        if not self.own:
            used = used - {"attributes"}
        types = {name: kind for name, _, kind, _ in self.keys.values()}
        for name, text in values.items():
            if name not in used and name:
                attributes[name] = _typed(text, types.get(name, "string"))
        return attributes | kept


def _typed(text: str, kind: str) -> Any:
    try:
        value = _TYPES[kind](text) if kind in _TYPES else text  # type: ignore[operator]
    except ValueError:
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value


def _aliases(text: str) -> tuple[str, ...]:
    try:
        found = parse_json(text)
    except InvalidValue:
        found = None
    if isinstance(found, list) and all(isinstance(alias, str) for alias in found):
        return tuple(found)
    return tuple(alias for alias in text.split("|") if alias)


def read_graphml(file: BinaryIO, context: Context) -> Iterator[tuple[int, Item]]:
    """Nodes and edges of a GraphML document. Broken XML ends with one last reject."""
    with closing(sqlite3.connect("", isolation_level=None)) as spool:
        spool.execute(
            "CREATE TABLE nodes(n INTEGER PRIMARY KEY, id TEXT UNIQUE, label TEXT, norm TEXT, name TEXT, seen INTEGER "
            "DEFAULT 0)"
        )
        spool.execute("CREATE INDEX by_norm ON nodes(norm)")
        spool.execute("BEGIN")
        first = _Document(spool)
        try:
            while first.stream.feed(file):
                pass
        except (BrokenXml, EOFError, OSError, zlib.error):
            pass  # said in the last pass
        if first.left_out:
            context.notes.append(f"data and descriptions of {', '.join(sorted(first.left_out))} were not kept")
        _give_names(spool)
        for wanted in (("node",), ("edge", "hyperedge")):
            document, more = _Document(spool, first, wanted), True
            rewound(file)
            while more:
                try:
                    more = document.stream.feed(file)
                except BrokenXml as error:
                    more = False
                    if "edge" in wanted:
                        document.out.append((document.stream.line, Reject(str(error))))
                yield from document.out
                document.out.clear()


def _give_names(spool: sqlite3.Connection) -> None:
    """Labels that one node alone has are names; others get the node's id beside them."""
    spool.execute(
        "UPDATE nodes SET name = label "
        "WHERE NOT EXISTS (SELECT 1 FROM nodes o WHERE o.norm = nodes.norm AND o.n <> nodes.n)"
    )
    spool.execute("CREATE TABLE taken(norm TEXT PRIMARY KEY) WITHOUT ROWID")
    spool.execute("INSERT INTO taken SELECT norm FROM nodes WHERE name IS NOT NULL")
    page, after = "SELECT n, id, label FROM nodes WHERE name IS NULL AND n > ? ORDER BY n LIMIT 4096", 0
    while found := spool.execute(page, (after,)).fetchall():
        after = found[-1][0]
        for n, identifier, label in found:
            for name in (f"{label} ({identifier})", f"{label} ({identifier}) #{n}", f"{label} ({identifier}) #{n}!"):
                if spool.execute("INSERT OR IGNORE INTO taken VALUES (?)", (normalise(name),)).rowcount:
                    break
            spool.execute("UPDATE nodes SET name = ? WHERE n = ?", (name, n))
