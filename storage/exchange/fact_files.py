"""Records of files of facts, read one at a time in bounded memory; JSON lines. Other formats have their own modules.

A reader takes a file and a ``Context`` and yields ``(line, item)``: the line number, counted from 1, and an edit, or a
``Reject`` with the reason.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, BinaryIO, cast

from graphmem.core.edits import AddEdge, AddNode, UpdateNode
from graphmem.core.errors import GraphMemError, InvalidValue
from graphmem.core.names import check_name
from graphmem.core.paths import DATA
from graphmem.core.types import Node
from graphmem.storage.tables.validation import check_depth, check_number, check_text, epistemic, interval, to_json

MAX_LINE = 8 << 20  # longest line, in bytes

BLOCK = 1 << 20  # bytes read at once

_ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not be read."""

    reason: str


Item = AddEdge | AddNode | UpdateNode | Reject


@dataclass(slots=True)
class Context:
    """Facts about the file and the memory for a reader, and its notes.

    Attributes:
        find: node of a name or alias, or None where there is none.
        name: name of the file, shown in the names of nodes that have none of their own.
        place: tells this file from others of the same name.
        columns: fields of a table's columns, as the user gave them.
        spreadsheet_safe: cells were written with ``spreadsheet_safe``, so an apostrophe before a formula is dropped.
        notes: how the file was understood.
    """

    find: Callable[[str], Node | None] = lambda _: None
    name: str = "file"
    place: str = ""
    columns: Sequence[str] = ()
    spreadsheet_safe: bool = False
    notes: list[str] = field(default_factory=list)


Reader = Callable[[BinaryIO, Context], Iterator[tuple[int, Item]]]


def checked(make: Callable[..., Item], *values: Any) -> Item:
    """The edit that ``make`` gives, whose values can all be stored, or a reject."""
    try:
        edit = make(*values)
        if isinstance(edit, AddEdge):
            names: tuple[Any, ...] = (edit.subject, edit.relation, edit.object)
            interval(edit)
            check_number(edit.confidence, "confidence", 0.0, 1.0)
            epistemic(edit)
            if edit.source is not None:
                check_name(edit.source, "source")
        elif isinstance(edit, AddNode):
            names = (edit.name, edit.kind, *edit.aliases)
        else:
            return edit
        for name in names:
            check_name(name)
        check_text(edit.text)
        to_json(edit.attributes)
    except (GraphMemError, ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError) as error:
        return Reject(str(error) or type(error).__name__)
    return edit


def raw_lines(file: BinaryIO) -> Iterator[tuple[int, str | Reject]]:
    """Numbered lines as text with their ends (LF, CRLF or CR), in UTF-8, or UTF-16 or UTF-32."""
    number, skipping, size = 0, False, 0
    rest: list[bytes] = []  # of a line whose end is still to come
    for block in _blocks(file):
        if block and not (b"\n" in block or b"\r" in block or (rest and rest[-1].endswith(b"\r"))):
            rest, size = (rest, size + len(block)) if not skipping else ([], 0)
            rest.append(block)
            if size > MAX_LINE:
                rest, skipping, size = [], True, 0
            continue
        parts = b"".join([*rest, block]).splitlines(keepends=True)
        rest = [parts.pop()] if block and parts and not parts[-1].endswith(b"\n") else []
        size = sum(map(len, rest))
        for part in parts:
            number += 1
            if skipping or len(part) > MAX_LINE:
                skipping = False
                yield number, Reject(f"the line is longer than {MAX_LINE} bytes")
                continue
            try:
                yield number, part.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                yield number, Reject(f"not valid UTF-8 at byte {error.start}")
    if skipping:
        yield number + 1, Reject(f"the line is longer than {MAX_LINE} bytes")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file in UTF-8, block by block; an empty block at the end."""
    read = getattr(file, "read1", file.read)
    block = read(BLOCK)
    encoding = next((name for mark, name in _ENCODINGS.items() if block.startswith(mark)), None)
    if encoding is None and b"\0" in block[:4]:  # UTF-16 without its mark: every other byte of Latin letters is NUL
        encoding = "utf-16-le" if block[1:4:2] == b"\0\0" else "utf-16-be" if block[0:4:2] == b"\0\0" else None
    if encoding is not None:
        decoder = codecs.getincrementaldecoder(encoding)()
        while block:
            yield decoder.decode(block).encode() or b" "
            block = read(BLOCK)
        yield decoder.decode(b"", final=True).encode()
    while block:
        yield block
        block = read(BLOCK)
    yield b""


def lines(file: BinaryIO) -> Iterator[tuple[int, str | Reject]]:
    """Numbered lines as text without their ends; empty ones are left out, bad ones are rejects."""
    for number, line in raw_lines(file):
        if isinstance(line, Reject):
            yield number, line
        elif line.strip():
            yield number, line.rstrip("\r\n")


DETAILS = ("text", "source", "valid_from", "valid_to", "confidence", "factuality", "status")
NAMES = ("subject", "relation", "object")


@cache
def vocabulary() -> dict[str, Any]:
    """Names of columns and keys, from ``data/column_names.json``."""
    return cast("dict[str, Any]", json.loads((DATA / "column_names.json").read_text(encoding="utf-8")))


def plain(name: str) -> str:
    """A column's name as compared: letters and digits alone, case folded."""
    return "".join(filter(str.isalnum, name.casefold()))


def columns_of(names: Sequence[str]) -> dict[str, int] | None:
    """Position of each known field among the names of columns or keys; None where subject and object are not named.

    A pair of ends is taken together, so that ``source`` is a subject beside ``target`` and an origin elsewhere.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(plain(name), place)
    pair = next((pair for pair in vocabulary()["ends"] if set(pair) <= set(places)), None)
    if pair is None:
        return None
    found = {"subject": places.pop(pair[0]), "object": places.pop(pair[1])}
    for target, known in vocabulary()["fields"].items():
        spelt = next((spelling for spelling in known if spelling in places), None)
        if spelt is not None:
            found[target] = places.pop(spelt)
    return found


def fact(fields: Mapping[str, Any]) -> AddEdge:
    """A fact from named fields; the three names are required, the rest has its defaults."""
    missing = [name for name in NAMES if fields.get(name) is None]
    if missing:
        known = vocabulary()["fields"]["relation"]
        hint = f" (known names of it: {', '.join(known)})" if missing == ["relation"] else ""
        raise InvalidValue(f"no {', no '.join(f'`{name}`' for name in missing)} in it{hint}")
    objects: dict[str, Any] = {name: fields.get(name) or {} for name in ("attributes", "qualifiers")}
    for name, value in objects.items():
        if not isinstance(value, Mapping):
            raise InvalidValue(f"{name} must be an object, not {value!r:.80}")
    details: dict[str, Any] = {name: fields[name] for name in DETAILS if fields.get(name) is not None}
    details["confidence"] = check_number(details.get("confidence", 1.0), "confidence", 0.0, 1.0)
    return AddEdge(**{name: fields[name] for name in NAMES} | details | objects)


def parse_json(text: str) -> Any:
    """A JSON value without NaN and infinity, not too deep. Raises ``InvalidValue``: it is none."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "too deep" if isinstance(error, RecursionError) else str(error)
        raise InvalidValue(f"no JSON: {reason}") from None
    check_depth(value)
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def read_jsonl(file: BinaryIO, context: Context) -> Iterator[tuple[int, Item]]:
    """One object or list a line.

    A list is ``[subject, relation, object]``. An object with a subject is a fact, with the fields of ``AddEdge``, or
    with other known names of them; one with ``name`` is a node, with the fields of ``AddNode``.
    """
    for number, line in lines(file):
        yield number, line if isinstance(line, Reject) else checked(_record, line)


def _record(line: str) -> AddEdge | AddNode:
    record = parse_json(line)
    if isinstance(record, list) and len(record) == 3:
        return AddEdge(*record)
    if not isinstance(record, dict):
        raise InvalidValue("neither an object nor a list of three names")
    if "graphmem" in record or "table" in record:
        raise InvalidValue("part of a graphmem dump; make a new memory from it with load_jsonl, or `graphmem import`")
    keys = list(record)
    found = columns_of(keys)
    if found is not None:
        more = [key for at, key in enumerate(keys) if at not in found.values() and key not in _NOT_KEPT]
        attributes = record.get("attributes") or {}
        if more and isinstance(attributes, dict):
            attributes = {key: record[key] for key in more} | attributes
        more_fields = {"attributes": attributes, "qualifiers": record.get("qualifiers")}
        return fact(more_fields | {name: record[keys[at]] for name, at in found.items()})
    if {"subject", "relation", "object", "predicate"} & set(keys):
        raise InvalidValue(f"no {', no '.join(f'`{name}`' for name in NAMES if record.get(name) is None)} in it")
    if "name" in record:
        return _node(record)
    raise InvalidValue(f"neither `subject` nor `name` in it, but {', '.join(map(repr, keys[:8]))[:200] or 'nothing'}")


def _node(record: Mapping[str, Any]) -> AddNode:
    aliases, attributes = record.get("aliases") or (), record.get("attributes") or {}
    if isinstance(aliases, str) or not isinstance(aliases, Sequence) or not isinstance(attributes, Mapping):
        raise InvalidValue("aliases must be a list and attributes an object")
    return AddNode(record["name"], record.get("kind") or "entity", record.get("text") or "", tuple(aliases), attributes)


_NOT_KEPT = ("attributes", "qualifiers", "id", "recorded_at", "place", "pinned")
"""Keys of the facts that graphmem prints which are no attributes."""


def rewound(file: BinaryIO) -> BinaryIO:
    """The file at its start again, for readers that read it twice."""
    file.seek(0, io.SEEK_SET)
    return file
