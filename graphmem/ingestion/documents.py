"""Documents as passage nodes, linked to the entities that their titles and texts name.

A passage is a node of kind ``passage``. ``has passage`` leads to it from the entity its title names, and
``passage mentions`` from it to every entity in its text, found by a name tagger and by matching known titles.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from tqdm import tqdm

from graphmem.core.edits import AddEdge, AddNode, Edit, JournalEntry
from graphmem.core.errors import InvalidName, InvalidTime, InvalidValue, NotFound
from graphmem.core.names import MAX_NAME, check_name, normalise, unstorable
from graphmem.core.protocols import GraphStore, TextEncoder
from graphmem.core.times import Time, read_time
from graphmem.core.types import MENTIONS, PASSAGE, TITLED, Node
from graphmem.encoding.node_embeddings import encode_passages
from graphmem.text.name_tagging import Tagger, capitalised, short_title, title_spans
from graphmem.text.sentences import Stretch, sentences

BATCH = 256
"""Passages in one transaction."""

MAX_CHARACTERS = 4000
"""Longest passage; a longer text is split."""

SPLIT_CHARACTERS = 2000
"""Characters of a passage of a split text, at most."""

MAX_BACKLINKS = 50
"""Earlier passages that are searched for one new title."""

MAX_LINE = 16 << 20
"""Longest line of a file of documents, in characters."""

MAX_FILE = 64 << 20
"""Longest file that is one document, in characters."""

Item = tuple[str, str] | tuple[str, str, Time | None]
"""What a caller may pass as a document: title and text, and perhaps its date."""

_BREAK = re.compile(r"\n\s*\n|(?<=[.!?。！？])\s+|\n|(?<=[。！？])")


@dataclass(frozen=True, slots=True)
class PassagesAdded:
    """Result of adding documents.

    Attributes:
        documents: documents given.
        passages: new passages; known ones are left alone.
        words: words in the new passages.
        entries: oldest first.
    """

    documents: int = 0
    passages: int = 0
    words: int = 0
    entries: tuple[JournalEntry, ...] = field(default=(), repr=False)

    def undo(self, store: GraphStore) -> JournalEntry:
        """Revert every entry, the last one first; return the last entry written. Writes one entry for each.

        Raises:
            NotFound: nothing was added. Conflict: later entries build on it.
        """
        if not self.entries:
            raise NotFound("no passages were added, so there is nothing to undo")
        return [store.undo(entry.id) for entry in reversed(self.entries)][-1]


@dataclass(frozen=True, slots=True)
class Document:
    """Title, text and date of a document, checked."""

    title: str
    text: str
    date: Time | None = None

    @property
    def name(self) -> str:
        """Name of the passage's node: the heading and a hash of title and text."""
        digest = blake2b(f"{self.title}\0{self.text}".encode(), digest_size=8).hexdigest()
        return f"{self.heading[: MAX_NAME - 32]} ¶ {digest}"

    @property
    def heading(self) -> str:
        """The title, or the first words of the text without one."""
        return self.title or " ".join(self.text.split()[:8])[:80]

    @property
    def subjects(self) -> list[str]:
        """Names of the entity that the title names, with and without its parenthesis."""
        return list(dict.fromkeys((self.heading, short_title(self.heading))))


def add_passages(
    store: GraphStore, documents: Iterable[Item], *, encoder: TextEncoder | None, source: str | None = None,
    date: Time | None = None, tagger: Tagger = capitalised, progress: bool = False, batch: int = BATCH,
) -> PassagesAdded:  # fmt: skip
    """Write documents as passages, one transaction and one journal entry a ``batch`` of documents.

    Known passages are left as they are, their dates too, so a stopped run resumes when it is repeated.

    Args:
        documents: (title, text) or (title, text, date) each; a title may be empty. A list is checked whole before
            anything is written.
        encoder: encoder of the passages; None leaves that to the first search.
        date: date of the documents that have none of their own.

    Raises:
        InvalidValue: an item that is no such tuple, an empty text, or characters that cannot be stored. Batches before
            it stay written where ``documents`` is a stream. InvalidTime: a date that cannot be read.
    """
    if isinstance(documents, (str, bytes)) or not isinstance(documents, Iterable):
        raise InvalidValue(f"documents must be (title, text) or (title, text, date) tuples, not {documents!r:.80}")
    if source is not None:
        check_name(source, "source")
    date = _checked_date(date, "date=")
    stream: Iterator[Document] = (check_document(at, item, date) for at, item in enumerate(documents))
    if isinstance(documents, Sequence):
        stream = iter(list(stream))
    writer = _Writer(store, encoder, source, tagger)
    total = len(documents) if isinstance(documents, Sequence) else None
    with tqdm(total=total, desc="passages", unit="", disable=not progress) as bar:
        while part := list(islice(stream, batch)):
            writer.write(part)
            bar.update(len(part))
    return PassagesAdded(writer.documents, writer.passages, writer.words, tuple(writer.entries))


def passage_edits(
    store: GraphStore, documents: Sequence[Document], *, source: str | None = None, tagger: Tagger = capitalised
) -> list[Edit]:
    """Edits that add the passages of documents, without those that the store holds; reads the store, writes nothing.

    A document without a title is found by what it names; where it names nothing, by its first words as by a title.
    ``split_sentences`` finds the sentences of the passages once the edits are applied.
    """
    writer = _Writer(store, None, source, tagger)
    new = writer.unknown(documents)
    return writer.edits_of(new, headings=False) if new else []


def check_document(position: int, item: Any, date: Time | None = None) -> Document:
    """Return (title, text) or (title, text, date) as a document; ``date`` is that of one without its own.

    Raises:
        InvalidValue: not two texts, an empty text, NUL or lone surrogates, or a title that is too long for a name.
        InvalidTime: a date that cannot be read.
    """
    fits = isinstance(item, (tuple, list)) and len(item) in (2, 3)
    if not fits or not all(isinstance(part, str) for part in item[:2]):
        raise InvalidValue(f"document {position} is no (title, text) or (title, text, date): {item!r:.80}")
    title, text = item[0].strip(), item[1].strip()
    if not text:
        raise InvalidValue(f"document {position} ({title!r:.60}) has an empty text")
    try:
        if title:
            check_name(title, "title")
    except InvalidName as error:
        raise InvalidValue(f"document {position}: {error}") from None
    if reason := unstorable(text):
        raise InvalidValue(f"document {position}: text {reason}")
    own = _checked_date(item[2], f"document {position} ({title!r:.60})") if len(item) == 3 else None
    return Document(title, text, date if own is None else own)


def _checked_date(date: Any, where: str) -> Time | None:
    """A date that can be read; None for None and an empty text. Raises ``InvalidTime``, which says where."""
    try:
        date = None if date == "" else date
        read_time(date)
    except InvalidTime as error:
        raise InvalidTime(f"{where}: {error}") from None
    return date


def split_document(document: Document) -> list[Document]:
    """Split a long document into passages at paragraphs and sentences; a short one stays whole."""
    text, starts = document.text, [0]
    breaks = [match.end() for match in _BREAK.finditer(text)] if len(text) > MAX_CHARACTERS else []
    while len(text) - (start := starts[-1]) > MAX_CHARACTERS:
        last = bisect_right(breaks, start + SPLIT_CHARACTERS) - 1
        fits = last >= 0 and breaks[last] >= start + SPLIT_CHARACTERS // 2
        starts.append(breaks[last] if fits else start + SPLIT_CHARACTERS)
    parts = (text[a:b].strip() for a, b in pairwise([*starts, len(text)]))
    return [Document(document.title, part, document.date) for part in parts if part]


class _Writer:
    """Writer of batches of documents to one store, with counts."""

    def __init__(self, store: GraphStore, encoder: TextEncoder | None, source: str | None, tagger: Tagger) -> None:
        self.store, self.encoder, self.source, self.tagger = store, encoder, source, tagger
        self.documents, self.passages, self.words = 0, 0, 0
        self.entries: list[JournalEntry] = []

    def write(self, documents: Sequence[Document]) -> None:
        """Write one batch, in one transaction, and the vectors of its passages after it."""
        self.documents += len(documents)
        if not (new := self.unknown(documents)):
            return
        note = f"{len(new)} passage{'s' if len(new) > 1 else ''}"
        self.entries.append(self.store.apply(self.edits_of(new), action="add passages", note=note))
        self.passages += len(new)
        self.words += sum(len(part.text.split()) for part in new.values())
        split_sentences(self.store)
        if self.encoder is not None:
            found = self.store.resolve_many([normalise(name) for name in new], records=True)
            encode_passages(self.store, self.encoder, np.asarray([found[normalise(name)][0] for name in new], np.int64))

    def unknown(self, documents: Sequence[Document]) -> dict[str, Document]:
        """Parts of documents that the store does not hold, by the name of their passage."""
        named: dict[str, Document] = {}
        for part in (part for document in documents for part in split_document(document)):
            named.setdefault(part.name, part)
        known = self.store.resolve_many([normalise(name) for name in named], records=True)
        return {name: part for name, part in named.items() if not known[normalise(name)]}

    def edits_of(self, new: dict[str, Document], *, headings: bool = True) -> list[Edit]:
        """Edits that add passages with their arcs; ``headings``: the first words of a text are its title."""
        mentions = list(self._mentions(new))
        naming = {edit.subject for edit in mentions}
        edits: list[Edit] = []
        for name, part in new.items():
            edits.append(AddNode(name, PASSAGE, part.text, (), {"title": part.title}, part.date))
            about = part.subjects if headings or part.title or name not in naming else ()
            edits += [AddEdge(subject, TITLED, name, source=self.source) for subject in about]
        titled = {name: part for name, part in new.items() if headings or part.title}
        return [*edits, *mentions, *self._backlinks(titled)]

    def _mentions(self, new: dict[str, Document]) -> Iterator[AddEdge]:
        parts, texts = list(new.items()), [part.text for part in new.values()]
        own = {normalise(subject) for part in new.values() for subject in part.subjects}
        titles = title_spans(texts, lambda names: own.intersection(names) | self.store.titled(names).keys())
        for (name, part), *found in zip(parts, self._tagged(texts), titles, strict=True):
            about = {normalise(subject) for subject in part.subjects}
            for thing in names_in(part.text, [span for spans in found for span in spans]):
                if normalise(thing) not in about:
                    yield AddEdge(name, MENTIONS, thing, source=self.source)

    def _tagged(self, texts: list[str]) -> list[list[tuple[int, int]]]:
        """The tagger's spans; InvalidValue where it returns anything else."""
        try:
            spans = [[(int(start), int(end)) for start, end in found] for found in self.tagger(texts)]
        except (TypeError, ValueError) as error:
            raise InvalidValue(f"tagger must return the (start, end) spans of names in each text: {error}") from None
        if len(spans) != len(texts):
            raise InvalidValue(f"tagger must return one list of spans a text, {len(texts)}, not {len(spans)}")
        return spans

    def _backlinks(self, new: dict[str, Document]) -> Iterator[Edit]:
        """Arcs from earlier passages to the new titles."""
        subjects = dict.fromkeys(subject for part in new.values() for subject in part.subjects)
        found = {subject: self.store.passages_with(subject, limit=MAX_BACKLINKS) for subject in subjects}
        ids = list({node for nodes in found.values() for node in nodes})
        passages = self.store.passages_by_id(ids)
        arcs = self.store.mentioned(ids)
        ends = list({thing for _, thing in arcs})
        things = dict(zip(ends, self.store.names(ends), strict=True))
        have = {(passage, normalise(things[thing])) for passage, thing in arcs}
        for subject, nodes in found.items():
            for passage in (passages[node] for node in nodes if node in passages):
                if (passage.id, normalise(subject)) not in have and self._names(passage, subject):
                    yield AddEdge(passage.name, MENTIONS, subject, source=self.source)

    def _names(self, passage: Node, subject: str) -> bool:
        title = Document(str(passage.attributes.get("title", "")), passage.text)
        if normalise(subject) in {normalise(own) for own in title.subjects}:
            return False
        return bool(title_spans([passage.text], lambda names: {normalise(subject)} & set(names))[0])


def split_sentences(store: GraphStore) -> int:
    """Store the sentences of every passage that has none; return the number of passages. Writes; not journalled."""
    after = count = 0
    while page := store.passages_without_sentences(after=after):
        store.put_sentences({passage: _trimmed_sentences(text) for passage, text in page})
        after, count = page[-1][0], count + len(page)
    return count


def _trimmed_sentences(text: str) -> list[Stretch]:
    """Sentences of a text without white space around them."""
    found = ((start, start + len(text[start:end].rstrip())) for start, end in sentences(text))
    return [(end - len(text[start:end].lstrip()), end) for start, end in found]


def names_in(text: str, spans: Iterable[tuple[int, int]]) -> list[str]:
    """Distinct names at some spans of a text, as first written, without unusable names."""
    names: dict[str, str] = {}
    for start, end in spans:
        name = " ".join(text[start:end].split())
        if name and len(name) <= MAX_NAME and any(character.isalnum() for character in name):
            names.setdefault(normalise(name), name)
    return [name for norm, name in names.items() if norm]


def read_documents(path: Path) -> Iterator[tuple[str, str, Time | None]]:
    """(title, text, date) of each document of a file; files that end in ``.gz`` are unpacked.

    ``.jsonl`` and ``.ndjson`` hold one object a line with ``text`` and perhaps ``title`` and ``date``; any other file
    is one document, with the file name as the title. Text is UTF-8, or UTF-16 with its byte order mark.

    Raises:
        InvalidValue: the file cannot be read, is too long, or a line is no such object; the message names the line.
            InvalidTime: so for a date.
    """
    try:
        opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
        with opened as raw:
            mark = raw.read(2)
            raw.seek(0)
            encoding = "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
            file = io.TextIOWrapper(cast("BinaryIO", raw), encoding=encoding)
            plain = path.with_suffix("") if path.suffix == ".gz" else path
            if plain.suffix.lower() not in (".jsonl", ".ndjson"):
                text = file.read(MAX_FILE + 1)
                if len(text) > MAX_FILE:
                    raise InvalidValue(f"{path} has more than {MAX_FILE:,} characters; split it into JSON lines")
                yield plain.stem, text, None
                return
            for number in count(1):
                line = file.readline(MAX_LINE)
                if len(line) == MAX_LINE:
                    raise InvalidValue(f"{path}, line {number} is longer than {MAX_LINE:,} characters")
                if line.strip():
                    yield _document(path, number, line)
                if not line:
                    return
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise InvalidValue(f"cannot read {path} as text: {error}") from None


def _document(path: Path, number: int, line: str) -> tuple[str, str, Time | None]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"{path}, line {number} is not JSON: {error}") from None
    title, text = (row.get("title", ""), row.get("text")) if isinstance(row, dict) else (None, None)
    if not isinstance(title, str) or not isinstance(text, str) or not text.strip():
        raise InvalidValue(f"{path}, line {number} needs a `text`, perhaps a `title` and `date`: {line.strip():.60}")
    return title, text, _checked_date(row.get("date"), f"{path}, line {number}")
