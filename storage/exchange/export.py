"""Export of a memory: whole as JSON lines, or its present facts in the formats of other tools."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from graphmem.core.errors import InvalidValue
from graphmem.core.types import Fact, Node
from graphmem.storage.files import replacing
from graphmem.storage.tables.row_images import as_base64
from graphmem.storage.tables.schema import SCHEMA_VERSION, STORED

if TYPE_CHECKING:
    from graphmem.storage.sqlite import SQLiteStore

FACT_FIELDS = ("subject", "relation", "object", "text", "valid_from", "valid_to", "confidence", "source")
NODE_IRI, RELATION_IRI = "urn:graphmem:node:", "urn:graphmem:relation:"
LABEL_IRI = "http://www.w3.org/2000/01/rdf-schema#label"
PAGE = 4096

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_RDF_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def export(store: SQLiteStore, target: str | os.PathLike[str] | TextIO, *, format: str | None = None) -> int:
    """Export a memory; return the number of records. A file appears only when it is whole.

    Args:
        target: a path, an open text file, or ``-`` for standard output.
        format: ``jsonl`` is the whole file, all namespaces, history and vectors, and is read back exactly by
            ``load_jsonl``. ``csv``, ``graphml``, ``cypher`` and ``ntriples`` hold the namespace's live nodes and
            present facts. None goes by the path's ending.

    Raises:
        InvalidValue: an unknown format.
    """
    name = _format_of(target) if format is None else format
    if name not in WRITERS:
        raise InvalidValue(f"no format {name!r}; use one of {', '.join(sorted(WRITERS))}")
    with opened(target) as file, store.connection.reading():
        count = 0
        for line in WRITERS[name](store):
            file.write(line)
            count += 1
    return count


def _format_of(target: str | os.PathLike[str] | TextIO) -> str:
    endings = {".nt": "ntriples", ".cyp": "cypher", ".ndjson": "jsonl", "": "jsonl"}
    if isinstance(target, (str, os.PathLike)) and os.fspath(target) != "-":
        ending = Path(target).suffix.lower()
        return endings.get(ending, ending.lstrip("."))
    return "jsonl"


@contextmanager
def opened(target: str | os.PathLike[str] | TextIO) -> Iterator[TextIO]:
    """The file to write to; a path appears only when everything was written."""
    if not isinstance(target, (str, os.PathLike)) or os.fspath(target) == "-":
        yield sys.stdout if isinstance(target, (str, os.PathLike)) else target
        return
    with replacing(Path(target)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


def _jsonl(store: SQLiteStore) -> Iterator[str]:
    """A head line, then ``{"table": ..., "row": {...}}`` for every row of every table; BLOBs as base64."""
    import sqlite_utils

    yield json.dumps({"graphmem": "dump", "schema": SCHEMA_VERSION}) + "\n"
    database = sqlite_utils.Database(store.connection.raw)
    for table in STORED:
        for row in database[table].rows:
            yield json.dumps({"table": table, "row": row}, ensure_ascii=False, default=as_base64) + "\n"


def all_nodes(store: SQLiteStore) -> Iterator[Node]:
    """Live nodes, a page at a time."""
    after = 0
    while page := store.all_nodes(after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def all_facts(store: SQLiteStore) -> Iterator[Fact]:
    """Present facts, a page at a time."""
    ids = store.present_ids()
    for start in range(0, len(ids), PAGE):
        yield from store.facts_by_id(ids[start : start + PAGE])


def _csv(store: SQLiteStore) -> Iterator[str]:
    rows = ([getattr(fact, field) for field in FACT_FIELDS] for fact in all_facts(store))
    for row in chain([FACT_FIELDS], rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(row)
        yield line.getvalue()


_GRAPHML_KEYS = {"node": ("name", "kind", "text", "aliases"), "edge": ("relation", *FACT_FIELDS[3:])}


def _data(values: dict[str, Any]) -> str:
    texts = {key: escape(_NOT_XML.sub("\ufffd", str(value))) for key, value in values.items() if value}
    return "".join(f"<data key={quoteattr(key)}>{text}</data>" for key, text in texts.items())


def _graphml(store: SQLiteStore) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for kind, keys in _GRAPHML_KEYS.items():
        for name in keys:
            type_ = "double" if name == "confidence" else "string"
            yield f'<key id="{kind[0]}_{name}" for="{kind}" attr.name="{name}" attr.type="{type_}"/>\n'
    yield '<graph edgedefault="directed">\n'
    ids: dict[str, int] = {}
    for node in all_nodes(store):
        ids[node.name] = node.id
        values = {"n_name": node.name, "n_kind": node.kind, "n_text": node.text, "n_aliases": "|".join(node.aliases)}
        yield f'<node id="n{node.id}">{_data(values)}</node>\n'
    for fact in all_facts(store):
        values = {f"e_{name}": getattr(fact, name) for name in _GRAPHML_KEYS["edge"]}
        ends = f'source="n{ids[fact.subject]}" target="n{ids[fact.object]}"'
        yield f'<edge id="e{fact.id}" {ends}>{_data(values)}</edge>\n'
    yield "</graph>\n</graphml>\n"


def _cypher(store: SQLiteStore) -> Iterator[str]:
    for node in all_nodes(store):
        values = {"name": node.name, "kind": node.kind, "text": node.text, "aliases": list(node.aliases)}
        yield f"MERGE (n:Entity {{name: {_literal(node.name)}}}) SET n += {_literal(values)};\n"
    for fact in all_facts(store):
        values = {name: getattr(fact, name) for name in FACT_FIELDS[3:] if getattr(fact, name) not in (None, "")}
        kind = fact.relation.replace("`", "``")
        yield (
            f"MATCH (a:Entity {{name: {_literal(fact.subject)}}}), (b:Entity {{name: {_literal(fact.object)}}}) "
            f"CREATE (a)-[:`{kind}` {_literal(values)}]->(b);\n"
        )


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _ntriples(store: SQLiteStore) -> Iterator[str]:
    for node in all_nodes(store):
        for label in (node.name, *node.aliases):
            text = label.translate(_RDF_ESCAPES)
            yield f'<{NODE_IRI}{quote(node.name, safe="")}> <{LABEL_IRI}> "{text}" .\n'
    for fact in all_facts(store):
        subject, relation, object = (quote(part, safe="") for part in (fact.subject, fact.relation, fact.object))
        yield f"<{NODE_IRI}{subject}> <{RELATION_IRI}{relation}> <{NODE_IRI}{object}> .\n"


WRITERS: dict[str, Callable[[SQLiteStore], Iterator[str]]] = {
    "jsonl": _jsonl, "csv": _csv, "graphml": _graphml, "cypher": _cypher, "ntriples": _ntriples,
}  # fmt: skip
