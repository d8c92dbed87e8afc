"""RDF: N-Triples and N-Quads line by line, other formats by pyoxigraph. Blank nodes belong to their file."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, BinaryIO

from graphmem.core.errors import InvalidValue, MissingExtra
from graphmem.storage.exchange.fact_files import Context, Item, Reject, lines, rewound
from graphmem.storage.exchange.rdf_names import BLANK_IRI, Statement, Term, Triple, named
from graphmem.storage.exchange.xml_stream import BrokenXml, XmlStream

MAX_JSON_DEPTH = 64

FORMATS = {
    "turtle": "TURTLE", "trig": "TRIG", "jsonld": "JSON_LD", "rdfxml": "RDF_XML",
}  # fmt: skip
"""Formats that pyoxigraph reads, by its names of them."""


_IRI = r"<([^<>\s]*)>"
_BLANK = r"_:([^\s<>\"]+)"
_LITERAL = rf"\"((?:[^\"\\]|\\.)*)\"(?:@([A-Za-z0-9-]+)|\^\^{_IRI})?"
_TRIPLE = re.compile(
    rf"\s*(?:{_IRI}|{_BLANK})\s*{_IRI}\s*(?:{_IRI}|{_BLANK}|{_LITERAL})\s*(?:(?:{_IRI}|{_BLANK})\s*)?\.\s*(?:#.*)?$"
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_PLAIN = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


def read_ntriples(file: BinaryIO, context: Context) -> Iterator[tuple[int, Item]]:
    """N-Triples and N-Quads; the graph of a quad is the source of its fact."""
    digest = _digest(file, context)

    def statements() -> Iterator[Statement]:
        for number, line in lines(rewound(file)):
            if isinstance(line, Reject):
                yield number, line
            elif not line.lstrip().startswith("#"):
                try:
                    yield number, _triple(line, digest)
                except InvalidValue as error:
                    yield number, Reject(str(error))

    yield from named(statements(), context)


def _triple(line: str, digest: str) -> Triple:
    found = _TRIPLE.match(line)
    if found is None:
        raise InvalidValue("no triple of N-Triples")
    subject, blank, predicate, iri, other, literal, language, datatype, graph, inner = found.groups()

    def resource(iri: str | None, blank: str | None) -> str | None:
        return _blank(digest, blank) if blank is not None else None if iri is None else _unescape(iri)

    object = Term(resource(iri, other))
    if literal is not None:
        object = Term(None, _unescape(literal), language, datatype)
    return Triple(Term(resource(subject, blank)), _unescape(predicate), object, resource(graph, inner))


def _unescape(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = int(found[1] or found[2] or "0", 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000 or (found[3] and found[3] not in _PLAIN):
            raise InvalidValue(f"{found[0]} is no character")
        return _PLAIN[found[3]] if found[3] else chr(code)

    return _ESCAPE.sub(one, text) if "\\" in text else text


def _blank(digest: str, label: str) -> str:
    return f"{BLANK_IRI}{digest}:{label}"


def _digest(file: BinaryIO, context: Context) -> str:
    """Name of a file's blank nodes: its place and its content."""
    digest = blake2b(context.place.encode(errors="replace"), digest_size=8)
    try:
        while block := file.read(1 << 20):
            digest.update(block)
    except (EOFError, OSError, zlib.error):
        pass  # said when it is read
    return digest.hexdigest()


def read_with_oxigraph(format: str, file: BinaryIO, context: Context) -> Iterator[tuple[int, Item]]:
    """Turtle, TriG, JSON-LD or RDF/XML. A fault ends the file with one last reject.

    Raises:
        MissingExtra: pyoxigraph is not installed.
    """
    try:
        import pyoxigraph as ox
    except ImportError:
        raise MissingExtra(f"{format} needs pyoxigraph: pip install 'graphmem[rdf]'") from None
    digest = _digest(file, context)
    numbers: dict[str, str] = {}

    def resource(term: Any) -> Term:
        if isinstance(term, ox.NamedNode):
            return Term(term.value)
        if isinstance(term, ox.BlankNode):  # those without a label get another random one at each reading
            random = re.fullmatch("[0-9a-f]{20,32}", term.value)
            label = numbers.setdefault(term.value, f"anonymous{len(numbers) + 1}") if random else term.value
            return Term(_blank(digest, label))
        if isinstance(term, ox.Literal):
            return Term(None, term.value, term.language, None if term.language else term.datatype.value)
        raise InvalidValue("a statement about a statement, which is not supported")

    def statements() -> Iterator[Statement]:
        last = 0
        try:
            _guard(format, file)
            wanted = getattr(ox.RdfFormat, FORMATS[format])
            for last, quad in enumerate(ox.parse(rewound(file), wanted, base_iri=f"file:///{digest}"), 1):
                graph = None if isinstance(quad.graph_name, ox.DefaultGraph) else resource(quad.graph_name).iri
                try:
                    yield last, Triple(resource(quad.subject), quad.predicate.value, resource(quad.object), graph)
                except InvalidValue as error:
                    yield last, Reject(str(error))
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            yield getattr(error, "lineno", None) or last + 1, Reject(f"cannot be read any further: {error}"[:500])

    yield from named(statements(), context)


def _guard(format: str, file: BinaryIO) -> None:
    """Refuse what pyoxigraph reads without bounds: XML entities, and depth."""
    if format == "rdfxml":
        stream = XmlStream(entities=True)
        rewound(file)
        try:
            while stream.feed(file):
                pass
        except BrokenXml as error:
            if "broken XML" not in str(error):
                raise
    elif format == "jsonld":
        depth, inside, escaped = 0, False, False
        rewound(file)
        while block := file.read(1 << 16):
            for found in re.finditer(rb'[\\"\[\]{}]|[^\\"\[\]{}]+', block):
                mark = found[0]
                if escaped:
                    escaped = False
                elif inside:
                    inside, escaped = mark != b'"', mark == b"\\"
                elif mark == b'"':
                    inside = True
                else:
                    depth += (mark in b"[{") - (mark in b"]}") if len(mark) == 1 else 0
                    if depth > MAX_JSON_DEPTH:
                        raise InvalidValue(f"more than {MAX_JSON_DEPTH} lists and objects inside each other")
