"""GraphML, parsed as a stream: the document is never held in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO
from xml.parsers import expat

from graphmem.core.edits import AddNode
from graphmem.storage.exchange.fact_files import DETAILS, Item, Reject, checked, fact

BLOCK = 1 << 16
NAME_KEYS = ("name", "label", "title")
RELATION_KEYS = ("relation", "label", "type", "name")
DEFAULT_RELATION = "related to"
MAX_DATA = 8 << 20


class _Document:
    """Handlers of one pass. Names by node id are kept in a temporary SQLite file, so that memory stays bounded."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.out: list[tuple[int, Item]] = []
        self.ids = sqlite3.connect("", isolation_level=None)
        self.ids.execute("CREATE TABLE ids(id TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID")
        self.ids.execute("BEGIN")
        self._keys: dict[str, str] = {}
        self._open: tuple[str, dict[str, str]] | None = None
        self._data: dict[str, str] = {}
        self._key: str | None = None
        self._text: list[str] = []
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "key":
            self._keys[attributes.get("id", "")] = attributes.get("attr.name", attributes.get("id", ""))
        elif tag in ("node", "edge"):
            self._open, self._data = (tag, attributes), {}
        elif tag == "data" and self._open:
            self._key, self._text = attributes.get("key", ""), []

    def _characters(self, text: str) -> None:
        if self._key is not None:
            self._text.append(text)
            if sum(map(len, self._text)) > MAX_DATA:
                raise ValueError(f"a data element is longer than {MAX_DATA} characters")

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "data" and self._key is not None:
            self._data[self._keys.get(self._key, self._key)] = "".join(self._text)
            self._key = None
        elif self._open and tag == self._open[0]:
            attributes, self._open = self._open[1], None
            line = self.parser.CurrentLineNumber
            self.out.append((line, self._node(attributes) if tag == "node" else self._edge(attributes)))

    def _node(self, attributes: dict[str, str]) -> Item:
        data, identifier = self._data, attributes.get("id")
        if identifier is None:
            return Reject("a node without an id")
        name = next((data[key] for key in NAME_KEYS if data.get(key)), identifier)
        aliases = tuple(alias for alias in data.get("aliases", "").split("|") if alias)
        item = checked(AddNode, name, data.get("kind") or "entity", data.get("text", ""), aliases)
        if not isinstance(item, Reject):
            self.ids.execute("INSERT OR REPLACE INTO ids VALUES (?, ?)", (identifier, name))
        return item

    def _edge(self, attributes: dict[str, str]) -> Item:
        data = self._data
        sql = "SELECT name FROM ids WHERE id = ?"
        ends = [self.ids.execute(sql, (attributes.get(end),)).fetchone() for end in ("source", "target")]
        if None in ends:
            return Reject("an edge whose ends are no nodes of the document so far")
        relation = next((data[key] for key in RELATION_KEYS if data.get(key)), DEFAULT_RELATION)
        details = {key: data[key] for key in DETAILS if data.get(key)}
        return checked(fact, {"subject": ends[0][0], "relation": relation, "object": ends[1][0], **details})


def _refuse_entities(*_: Any) -> None:
    raise ValueError("the document defines entities, which are not supported")


def read_graphml(file: BinaryIO) -> Iterator[tuple[int, Item]]:
    """Nodes and edges of a GraphML document. Broken XML ends with one last reject."""
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _refuse_entities
    document, block = _Document(parser), b" "
    with closing(document.ids):
        while block:
            block = file.read(BLOCK)
            try:
                parser.Parse(block, not block)
            except (expat.ExpatError, ValueError) as error:
                document.out.append((parser.CurrentLineNumber, Reject(f"broken XML: {error}")))
                block = b""
            yield from document.out
            document.out.clear()
