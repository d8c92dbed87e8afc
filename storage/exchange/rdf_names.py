"""Names of the resources of an RDF file, known at its end only: its statements wait in a temporary file.

The identity of a resource is its IRI, kept in the attribute ``iri`` and as an alias; its name is its ``rdfs:label``, or
the last part of the IRI. Resources of equal names are kept apart by a word of their IRIs, such as "Mercury (planet)".
"""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import unquote

from graphmem.core.edits import AddEdge, AddNode, UpdateNode
from graphmem.core.errors import GraphMemError
from graphmem.core.names import check_name, normalise
from graphmem.storage.exchange.fact_files import Context, Item, Reject, checked

NODE_IRI, RELATION_IRI = "urn:graphmem:node:", "urn:graphmem:relation:"
BLANK_IRI = "urn:graphmem:blank:"
LABEL_IRI = "http://www.w3.org/2000/01/rdf-schema#label"
ALIAS_IRI = "http://www.w3.org/2004/02/skos/core#altLabel"
_STRING_IRI = "http://www.w3.org/2001/XMLSchema#string"


class Term(NamedTuple):
    """A resource or blank node by its IRI, or a literal with its language and datatype."""

    iri: str | None
    literal: str = ""
    language: str | None = None
    datatype: str | None = None


class Triple(NamedTuple):
    """One statement; the graph is the IRI of the named graph that holds it."""

    subject: Term
    predicate: str
    object: Term
    graph: str | None = None


Statement = tuple[int, "Triple | Reject"]

_SPOOL = """
CREATE TABLE terms(
    id INTEGER PRIMARY KEY, iri TEXT, predicate INTEGER, base TEXT, norm TEXT, parent TEXT, last TEXT, label TEXT,
    rank INTEGER DEFAULT 9, name TEXT, written INTEGER DEFAULT 0, UNIQUE(iri, predicate)
);
CREATE TABLE labels(term INTEGER, text TEXT, PRIMARY KEY(term, text)) WITHOUT ROWID;
CREATE TABLE names(norm TEXT PRIMARY KEY, term INTEGER) WITHOUT ROWID;
CREATE TABLE carried(norm TEXT, term INTEGER, PRIMARY KEY(norm, term)) WITHOUT ROWID;
CREATE TABLE statements(
    id INTEGER PRIMARY KEY, line INTEGER, subject INTEGER, predicate INTEGER, object INTEGER, literal TEXT, more TEXT,
    reject TEXT
);
"""


def named(statements: Iterator[Statement], context: Context) -> Iterator[tuple[int, Item]]:
    """The statements as edits, with the names of their resources."""
    with closing(sqlite3.connect("", isolation_level=None)) as spool:
        spool.execute("PRAGMA journal_mode = OFF")
        spool.executescript(_SPOOL)
        spool.execute("BEGIN")
        names, broken = _Names(spool, context), None
        try:
            for line, statement in statements:
                names.keep(line, statement)
        except (EOFError, OSError, zlib.error, UnicodeError) as error:
            broken = error
        names.give()
        yield from names.edits()
    if broken is not None:
        raise broken


class _Names:
    """Statements of one file in a temporary database, and the names of their resources."""

    def __init__(self, spool: sqlite3.Connection, context: Context) -> None:
        self.spool, self.context, self.shared = spool, context, 0

    def keep(self, line: int, statement: Triple | Reject) -> None:
        """Keep a statement until every name is known."""
        if isinstance(statement, Reject):
            return self._row(line, reject=statement.reason)
        subject, predicate, object, graph = statement
        try:
            at = self._term(subject.iri or "", 0)
            if predicate in (LABEL_IRI, ALIAS_IRI) and object.iri is None:
                return self._label(line, at, predicate, object)
            more = {"language": object.language, "datatype": object.datatype, "graph": graph}
            if object.datatype == _STRING_IRI:
                more["datatype"] = None
            kept = json.dumps({key: value for key, value in more.items() if value}) if any(more.values()) else None
            end = None if object.iri is None else self._term(object.iri, 0)
            self._row(line, at, self._term(predicate, 1), end, object.literal, kept)
        except (GraphMemError, ValueError) as error:
            self._row(line, reject=str(error))

    def _row(
        self, line: int, subject: int | None = None, predicate: int | None = None, object: int | None = None,
        literal: str | None = None, more: str | None = None, reject: str | None = None,
    ) -> None:  # fmt: skip
        row = (line, subject, predicate, object, literal, more, reject)
        self.spool.execute(
            "INSERT INTO statements(line, subject, predicate, object, literal, more, reject) VALUES (?,?,?,?,?,?,?)",
            row,
        )

    def _term(self, iri: str, predicate: int) -> int:
        found = self.spool.execute("SELECT id FROM terms WHERE iri = ? AND predicate = ?", (iri, predicate)).fetchone()
        if found:
            return int(found[0])
        check_name(iri, "IRI")
        base, parent, last = self._parts(iri, (NODE_IRI, RELATION_IRI)[predicate])
        made = self.spool.execute(
            "INSERT INTO terms(iri, predicate, base, norm, parent, last) VALUES (?, ?, ?, ?, ?, ?)",
            (iri, predicate, base, normalise(base), parent, last),
        )
        if not predicate:
            self.spool.execute("INSERT INTO carried VALUES (?, ?)", (normalise(base), made.lastrowid))
        return int(made.lastrowid or 0)

    def _parts(self, iri: str, own: str) -> tuple[str, str, str]:
        """Name of a resource by its IRI, and two words of the IRI that tell it from others of that name."""
        if iri.startswith(own):
            name = unquote(iri[len(own) :], errors="strict")
            return check_name(name), "", ""
        if iri.startswith(BLANK_IRI):
            digest, _, label = iri[len(BLANK_IRI) :].partition(":")
            return f"_:{label} ({self.context.name})"[:1000], label, digest
        parts = [part for part in re.split(r"[#/]", iri.rstrip("#/")) if part and part not in ("http:", "https:")]
        words = [unquote(part).strip() for part in parts]
        try:
            base = check_name(words[-1])
        except (GraphMemError, IndexError):
            return iri, "", ""
        return base, words[-2] if len(words) > 1 else "", base

    def _label(self, line: int, term: int, predicate: str, label: Term) -> None:
        """A label names its resource: one in English or without language before others; the rest are aliases."""
        text = check_name(label.literal, "label")
        rank = 9 if predicate == ALIAS_IRI else 1 if not label.language else 2 if label.language[:2] == "en" else 3
        self.spool.execute("INSERT OR IGNORE INTO labels VALUES (?, ?)", (term, text))
        self.spool.execute("INSERT OR IGNORE INTO carried VALUES (?, ?)", (normalise(text), term))
        self.spool.execute(
            "UPDATE terms SET label = ?, norm = ?, rank = ? WHERE id = ? AND rank > ? AND iri NOT LIKE ?",
            (text, normalise(text), rank, term, rank, f"{NODE_IRI}%"),
        )
        self._row(line, term)

    def give(self) -> None:
        """Give every resource and predicate its name."""
        self.spool.execute("CREATE INDEX by_norm ON terms(predicate, norm, parent)")
        alike = "FROM terms o WHERE o.predicate = t.predicate AND o.norm = t.norm"
        rows = self.spool.execute(
            "SELECT id, iri, predicate, base, parent, last, label, "
            f"(SELECT count(*) FROM (SELECT 1 {alike} LIMIT 2)), "
            f"(SELECT count(*) FROM (SELECT 1 {alike} AND o.parent = t.parent LIMIT 2)) FROM terms t ORDER BY id"
        )
        for term, iri, predicate, base, parent, last, label, same, cousins in rows:
            name = self._choose(iri, predicate, label or base, same > 1, [
                *([parent] if cousins == 1 else []), last, f"{parent}/{last}", iri
            ])  # fmt: skip
            self.spool.execute("INSERT OR REPLACE INTO names VALUES (?, ?)", (f"{predicate}{normalise(name)}", term))
            self.spool.execute("UPDATE terms SET name = ? WHERE id = ?", (name, term))

    def _choose(self, iri: str, predicate: int, base: str, alike: bool, words: list[str]) -> str:
        if iri.startswith((NODE_IRI, RELATION_IRI)[predicate]):
            return base
        known = None if predicate else self.context.find(iri)
        if known is not None and known.attributes.get("iri") == iri:
            return known.name
        names = [] if alike else [base]
        names += [f"{base} ({word})" for word in words if word and normalise(word) != normalise(base)]
        for name in [*names, iri]:
            if len(name) <= 1024 and self._free(name, iri, predicate):
                return name
        return iri

    def _free(self, name: str, iri: str, predicate: int) -> bool:
        taken = self.spool.execute("SELECT 1 FROM names WHERE norm = ?", (f"{predicate}{normalise(name)}",)).fetchone()
        if taken or predicate:
            return not taken
        node = self.context.find(name)
        return node is None or node.attributes.get("iri", iri) == iri

    def edits(self) -> Iterator[tuple[int, Item]]:
        """The edits, in the order of the statements; a resource comes before its first fact."""
        sql = (
            "SELECT s.line, a.id, p.name, o.id, literal, more, reject "
            "FROM statements s LEFT JOIN terms a ON a.id = s.subject "
            "LEFT JOIN terms p ON p.id = s.predicate LEFT JOIN terms o ON o.id = s.object ORDER BY s.id"
        )
        for line, subject, relation, object, literal, more, reject in self.spool.execute(sql):
            if reject is not None:
                yield line, Reject(reject)
                continue
            for term in (subject, object):
                if term is not None:
                    yield from ((line, item) for item in self._resource(term))
            if relation is None:
                continue
            details = json.loads(more) if more else {}
            graph = details.pop("graph", None)
            ends = self._name(subject), literal if object is None else self._name(object)
            yield line, checked(_edge, ends[0], relation, ends[1], graph, details)

    def _name(self, term: int) -> str:
        return str(self.spool.execute("SELECT name FROM terms WHERE id = ?", (term,)).fetchone()[0])

    def _resource(self, term: int) -> Iterator[Item]:
        """A resource at its first occurrence: its IRI and its other names."""
        sql = "SELECT iri, name, label, base FROM terms WHERE id = ? AND written = 0"
        found = self.spool.execute(sql, (term,)).fetchone()
        if found is None:
            return
        self.spool.execute("UPDATE terms SET written = 1 WHERE id = ?", (term,))
        iri, name, label, base = found
        own = iri.startswith(NODE_IRI)
        labels = [row[0] for row in self.spool.execute("SELECT text FROM labels WHERE term = ? ORDER BY text", (term,))]
        if own and not labels:
            return
        known = self.context.find(name)
        if label and known is not None and known.name == name == base != label and known.attributes.get("iri") == iri:
            if self._free(label, iri, 0):  # known by the last part of its IRI so far
                yield UpdateNode(name, name=label)
                name = label
                self.spool.execute("UPDATE terms SET name = ? WHERE id = ?", (name, term))
                self.spool.execute("INSERT INTO names VALUES (?, ?)", (f"0{normalise(name)}", term))
        aliases = [text for text in (*([] if own else [iri, base]), *labels) if self._own_alias(text, name, iri, term)]
        yield checked(AddNode, name, "entity", "", tuple(aliases), {} if own else {"iri": iri}, None, True)

    def _own_alias(self, text: str, name: str, iri: str, term: int) -> bool:
        """Whether a name is this resource's alone, in the file and in the memory."""
        norm = normalise(text)
        if norm == normalise(name):
            return False
        carriers = self.spool.execute("SELECT 1 FROM carried WHERE norm = ? LIMIT 2", (norm,)).fetchall()
        self.spool.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (f"0{norm}", term))
        holder = self.spool.execute("SELECT term FROM names WHERE norm = ?", (f"0{norm}",)).fetchone()[0]
        node = self.context.find(text)
        mine = (
            holder == term
            and len(carriers) < 2
            and (node is None or node.attributes.get("iri") == iri or normalise(node.name) == normalise(name))
        )
        self.shared += not mine
        if not mine and self.shared == 1:
            self.context.notes.append("labels that several resources share were not made aliases")
        return mine


def _edge(subject: str, relation: str, object: str, source: str | None, details: dict[str, Any]) -> AddEdge:
    return AddEdge(subject, relation, object, source=source, attributes=details)
