"""Files of facts, parsed one record at a time: TSV, CSV, JSON lines and N-Triples. GraphML is in ``graphml``.

A reader yields ``(line, item)``: the line number, counted from 1, and an edit, or a ``Reject`` with the
reason. Memory stays bounded, because lines have a maximum length.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import GraphMemError, InvalidValue
from graphmem.core.names import check_name
from graphmem.storage.exchange.export import LABEL_IRI, NODE_IRI, RELATION_IRI
from graphmem.storage.tables.validation import check_number, check_text, interval, to_json

MAX_LINE = 8 << 20  # longest line, in bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not be read."""

    reason: str


Item = AddEdge | AddNode | Reject
Reader = Callable[[BinaryIO], Iterator[tuple[int, Item]]]


def checked(make: Callable[..., AddEdge | AddNode], *values: Any) -> Item:
    """The edit that ``make`` gives, whose values can all be stored, or a reject."""
    try:
        edit = make(*values)
        if isinstance(edit, AddEdge):
            names: tuple[str, ...] = (edit.subject, edit.relation, edit.object)
            interval(edit)
            check_number(edit.confidence, "confidence", 0.0, 1.0)
            if edit.source is not None:
                check_name(edit.source, "source")
        else:
            names = (edit.name, edit.kind, *edit.aliases)
        for name in names:
            check_name(name)
        check_text(edit.text)
        to_json(edit.attributes)
    except (GraphMemError, ValueError, TypeError, KeyError, RecursionError) as error:
        return Reject(str(error) or type(error).__name__)
    return edit


def lines(file: BinaryIO) -> Iterator[tuple[int, str | Reject]]:
    """Numbered lines as text without their ends; empty ones are left out, bad ones are rejects."""
    number = 0
    while raw := file.readline(MAX_LINE):
        number += 1
        if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, Reject(f"the line is longer than {MAX_LINE} bytes")
            continue
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            yield number, Reject(f"not valid UTF-8 at byte {error.start}")
            continue
        if text.strip():
            yield number, text


DETAILS = ("text", "source", "valid_from", "valid_to", "confidence")
COLUMNS = {
    "subject": ("subject", "head", "source_name", "from", "src"),
    "relation": ("relation", "predicate", "property", "edge", "rel"),
    "object": ("object", "tail", "target_name", "to", "dst"),
    **{name: (name,) for name in DETAILS},
}
"""Names of each column in a head line."""


def header(cells: Sequence[str]) -> dict[str, int] | None:
    """Columns by field if this is a head line, else None."""
    found = {cell.strip().casefold(): place for place, cell in enumerate(cells)}
    columns = {
        field: next(found[name] for name in names if name in found)
        for field, names in COLUMNS.items()
        if any(name in found for name in names)
    }
    return columns if {"subject", "relation", "object"} <= set(columns) else None


def table(rows: Iterator[tuple[int, list[str] | Reject]]) -> Iterator[tuple[int, Item]]:
    """Rows as facts: by the head line when there is one, else three columns."""
    columns: dict[str, int] | None = None
    width, first = 3, True
    for number, cells in rows:
        if isinstance(cells, Reject):
            yield number, cells
            continue
        found = header(cells) if first else None
        first = False
        if found is not None:
            columns, width = found, len(cells)
        elif len(cells) != width:
            yield number, Reject(f"{len(cells)} columns, {width} expected")
        elif columns is None:
            yield number, checked(AddEdge, *cells)
        else:
            yield number, checked(fact, {field: cells[at] for field, at in columns.items() if cells[at] != ""})


def fact(fields: Mapping[str, Any]) -> AddEdge:
    """A fact from named fields; the three names are required, the rest has its defaults."""
    attributes = fields.get("attributes") or {}
    if not isinstance(attributes, Mapping):
        raise InvalidValue(f"attributes must be an object, not {attributes!r:.80}")
    names: dict[str, Any] = {name: fields.get(name) for name in ("subject", "relation", "object")}
    details: dict[str, Any] = {name: fields[name] for name in DETAILS if fields.get(name) is not None}
    details["confidence"] = float(details.get("confidence", 1.0))
    return AddEdge(**names, **details, attributes=attributes)


def read_tsv(file: BinaryIO) -> Iterator[tuple[int, Item]]:
    """Tab-separated facts, one a line, without quoting."""
    return table((number, line if isinstance(line, Reject) else line.split("\t")) for number, line in lines(file))


def read_csv(file: BinaryIO) -> Iterator[tuple[int, Item]]:
    """Comma-separated facts; quoted cells may hold line breaks. The number of a row is that of its last line."""
    return table(_csv_rows(file))


def _csv_rows(file: BinaryIO) -> Iterator[tuple[int, list[str] | Reject]]:
    bad: list[tuple[int, Reject]] = []
    at = 0

    def texts() -> Iterator[str]:
        """Lines for the csv reader; their numbers are kept."""
        nonlocal at
        for number, line in lines(file):
            at = number
            if isinstance(line, Reject):
                bad.append((number, line))
            else:
                yield line + "\n"

    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(texts())
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield at, Reject(str(error))
            continue
        yield from bad
        bad.clear()
        if cells is None:
            return
        yield at, cells


def read_jsonl(file: BinaryIO) -> Iterator[tuple[int, Item]]:
    """One object or list a line.

    A list is ``[subject, relation, object]``. An object with ``subject`` is a fact, with the fields of ``AddEdge``;
    one with ``name`` is a node, with the fields of ``AddNode``.
    """
    for number, line in lines(file):
        yield number, line if isinstance(line, Reject) else checked(_record, line)


def _record(line: str) -> AddEdge | AddNode:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"no JSON: {error}") from None
    if isinstance(record, list) and len(record) == 3:
        return AddEdge(*record)
    if not isinstance(record, dict):
        raise InvalidValue("neither an object nor a list of three names")
    if "subject" in record:
        return fact(record)
    if "name" in record:
        return _node(record)
    if "graphmem" in record or "table" in record:
        raise InvalidValue("part of a graphmem dump; make a new memory from it with load_jsonl, or `graphmem import`")
    raise InvalidValue("neither `subject` nor `name` in it")


def _node(record: Mapping[str, Any]) -> AddNode:
    aliases, attributes = record.get("aliases") or (), record.get("attributes") or {}
    if isinstance(aliases, str) or not isinstance(aliases, Sequence) or not isinstance(attributes, Mapping):
        raise InvalidValue("aliases must be a list and attributes an object")
    return AddNode(
        record["name"],
        record.get("kind") or "entity",
        record.get("text") or "",
        tuple(aliases),
        attributes,
        ambiguous=True,
    )


_IRI = r"<([^<>\"{}|^`\\\x00-\x20]*|[^<>\s]*)>"
_TERM = rf"(?:{_IRI}|(_:[^\s<>\"]+)|\"((?:[^\"\\]|\\.)*)\"(?:@[A-Za-z0-9-]+|\^\^<[^<>\s]*>)?)"
_TRIPLE = re.compile(rf"\s*{_TERM}\s*{_IRI}\s*{_TERM}\s*\.\s*(?:#.*)?$")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_PLAIN = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}


def read_ntriples(file: BinaryIO) -> Iterator[tuple[int, Item]]:
    """RDF triples. An IRI is named by its last part, a literal by its text; ``rdfs:label`` gives an alias."""
    for number, line in lines(file):
        if isinstance(line, Reject):
            yield number, line
        elif not line.lstrip().startswith("#"):
            yield number, checked(_triple, line)


def _triple(line: str) -> AddEdge | AddNode:
    found = _TRIPLE.match(line)
    if found is None:
        raise InvalidValue("no triple of N-Triples")
    subject = _named(found[1], found[2], found[3])
    object = _named(found[5], found[6], found[7])
    if found[4] == LABEL_IRI:
        return AddNode(subject, aliases=(object,), ambiguous=True)
    return AddEdge(subject, _named(found[4], None, None), object)


def _named(iri: str | None, blank: str | None, literal: str | None) -> str:
    if iri is None:
        return blank if blank is not None else _unescape(literal or "")
    iri = _unescape(iri)
    for prefix in (NODE_IRI, RELATION_IRI):
        if iri.startswith(prefix):
            return unquote(iri[len(prefix) :], errors="strict")
    return unquote(re.split(r"[#/]", iri.rstrip("#/"))[-1]) or iri


def _unescape(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        return chr(int(code, 16)) if code else _PLAIN.get(found[3], found[3])

    return _ESCAPE.sub(plain, text)
