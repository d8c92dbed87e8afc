"""Plain documents as part of the graph: passages, and arcs to what they are about and what they name.

A passage is a node of kind ``passage``. ``has passage`` leads to it from the thing its title names, and
``passage mentions`` from it to everything that its text names, found by a tagger and by comparing it with titles.
No language model reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np

from graphmem.core.edits import AddEdge, AddNode, Edit, JournalEntry
from graphmem.core.errors import GraphMemError, InvalidValue, NotFound
from graphmem.core.names import MAX_NAME, check_name, normalise
from graphmem.core.protocols import TextEncoder
from graphmem.core.types import MENTIONS, PASSAGE, TITLED, Node
from graphmem.encoding.node_embeddings import encode_passages
from graphmem.text.name_tagging import Tagger, default_tagger, short_title, title_spans

BATCH = 256
"""Passages in one transaction: what a kill can cost."""

LONGEST = 4000
"""A text of more characters is cut into passages."""

PIECE = 2000
"""About so many characters each."""

EARLIER = 50
"""Passages that are looked through for a title that comes after them."""

Progress = Callable[[int], None]
"""Called with the number of documents that are done."""

_BREAK = re.compile(r"\n\s*\n|(?<=[.!?。！？])\s+|\n|(?<=[。！？])")


@dataclass(frozen=True, slots=True)
class PassagesAdded:
    """What taking in documents did.

    Attributes:
        documents: how many were given.
        passages: new ones that were written; those known already are left alone.
        words: in the new passages.
        entries: the transactions, oldest first.
    """

    documents: int = 0
    passages: int = 0
    words: int = 0
    entries: tuple[JournalEntry, ...] = field(default=(), repr=False)

    def undone_in(self, store: Any) -> JournalEntry:
        """Take all of it back, the last entry first; returns the last entry written. Writes one entry for each.

        Raises:
            NotFound: nothing was added. Conflict: later entries build on it.
        """
        if not self.entries:
            raise NotFound("no passages were added, so there is nothing to undo")
        return [store.undo(entry.id) for entry in reversed(self.entries)][-1]


@dataclass(frozen=True, slots=True)
class Document:
    """A title and a text, checked. ``name`` is that of its node: the title and a hash of both."""

    title: str
    text: str

    @property
    def name(self) -> str:
        """Name of the passage's node; the same document always gets the same one."""
        digest = blake2b(f"{self.title}\0{self.text}".encode(), digest_size=8).hexdigest()
        return f"{self.heading[: MAX_NAME - 32]} ¶ {digest}"

    @property
    def heading(self) -> str:
        """The title, or the text's first words where there is none."""
        return self.title or " ".join(self.text.split()[:8])[:80]

    @property
    def subjects(self) -> list[str]:
        """Names of what the document is about."""
        return list(dict.fromkeys((self.heading, short_title(self.heading))))


def add_passages(
    store: Any, documents: Iterable[tuple[str, str]], *, encoder: TextEncoder | None, source: str | None = None,
    tagger: Tagger | None = None, progress: Progress | None = None, batch: int = BATCH,
) -> PassagesAdded:  # fmt: skip
    """Write documents as passages, one transaction and one journal entry a batch.

    Known passages are left as they are, so a run that was stopped goes on when it is given the same documents again.

    Args:
        store: the memory.
        documents: (title, text) each; a title may be empty. A list is checked whole before anything is written.
        encoder: makes the passages' vectors; None leaves that to the first search.
        source: where they come from.
        tagger: finds names in texts; None takes spaCy where it is installed, else capitals.
        progress: told after every batch how many documents are done.
        batch: documents in one transaction.

    Raises:
        InvalidValue: an item that is no (title, text), an empty text, or characters that cannot be stored; the
            message says which. Batches before it stay written where ``documents`` is a stream.
    """
    if isinstance(documents, (str, bytes)) or not isinstance(documents, Iterable):
        raise InvalidValue(f"documents must be (title, text) pairs, not {documents!r:.80}")
    if batch < 1:
        raise InvalidValue(f"batch must be at least 1, not {batch!r}")
    if source is not None:
        check_name(source, "source")
    stream: Iterator[tuple[int, Any]] = enumerate(documents)
    if isinstance(documents, Sequence):
        stream = iter([(at, checked(at, item)) for at, item in stream])
    writer = _Writer(store, encoder, source, tagger)
    done = 0
    while part := [checked(at, item) for at, item in islice(stream, batch)]:
        writer.write(part)
        done += len(part)
        if progress:
            progress(done)
    return PassagesAdded(done, writer.passages, writer.words, tuple(writer.entries))


@contextmanager
def shown(documents: Any, progress: bool) -> Iterator[Progress]:
    """A progress bar over documents, on standard error where it is wanted."""
    from tqdm import tqdm

    total = len(documents) if hasattr(documents, "__len__") else None
    with tqdm(total=total, desc="passages", unit="", disable=not progress) as bar:
        yield lambda done: bar.update(done - bar.n) and None


def checked(position: int, item: Any) -> Document:
    """A document, or what is wrong with it.

    Raises:
        InvalidValue: not two texts, an empty text, NUL or lone surrogates, or a title that is too long for a name.
    """
    if isinstance(item, Document):
        return item
    if not (isinstance(item, (tuple, list)) and len(item) == 2 and all(isinstance(part, str) for part in item)):
        raise InvalidValue(f"document {position} is no (title, text) pair of texts: {item!r:.80}")
    title, text = item[0].strip(), item[1].strip()
    if not text:
        raise InvalidValue(f"document {position} ({title!r:.60}) has an empty text")
    try:
        if title:
            check_name(title, "title")
        if "\x00" in text:
            raise InvalidValue(f"text holds a NUL character at {text.index(chr(0))}")
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidValue(
            f"document {position}: text is not valid Unicode (lone surrogate at {error.start})"
        ) from None
    except GraphMemError as error:
        raise InvalidValue(f"document {position}: {error}") from None
    return Document(title, text)


def pieces(document: Document) -> list[Document]:
    """The document, or passages of about ``PIECE`` characters of a long one, cut at paragraphs and sentences."""
    text = document.text
    if len(text) <= LONGEST:
        return [document]
    ends, start = [], 0
    breaks = [match.end() for match in _BREAK.finditer(text)]
    while len(text) - start > LONGEST:
        fitting = [at for at in breaks if start + PIECE // 2 <= at <= start + PIECE]
        start = fitting[-1] if fitting else start + PIECE
        ends.append(start)
    parts = (text[a:b].strip() for a, b in zip([0, *ends], [*ends, len(text)], strict=True))
    return [Document(document.title, part) for part in parts if part]


class _Writer:
    """Writes batches of documents to one store and counts."""

    def __init__(self, store: Any, encoder: TextEncoder | None, source: str | None, tagger: Tagger | None) -> None:
        self.store, self.encoder, self.source, self.tagger = store, encoder, source, tagger
        self.passages, self.words = 0, 0
        self.entries: list[JournalEntry] = []

    def write(self, documents: Sequence[Document]) -> None:
        """Write one batch, in one transaction, and the vectors of its passages after it."""
        named = {part.name: part for document in documents for part in pieces(document)}
        known = self.store.resolve_many([normalise(name) for name in named])
        new = {name: part for name, part in named.items() if not known[normalise(name)]}
        if not new:
            return
        edits = [*self._passages(new), *self._mentions(new), *self._earlier(new)]
        self.entries.append(self.store.apply(edits, action="add passages", note=f"{len(new)} passages"))
        self.passages += len(new)
        self.words += sum(len(part.text.split()) for part in new.values())
        if self.encoder is not None:
            found = self.store.resolve_many([normalise(name) for name in new])
            encode_passages(self.store, self.encoder, np.asarray([found[normalise(name)][0] for name in new], np.int64))

    def _passages(self, new: dict[str, Document]) -> Iterator[Edit]:
        for name, part in new.items():
            yield AddNode(name, PASSAGE, part.text, (), {"title": part.title})
            for subject in part.subjects:
                yield AddEdge(subject, TITLED, name, source=self.source)

    def _mentions(self, new: dict[str, Document]) -> Iterator[Edit]:
        if self.tagger is None:
            self.tagger = default_tagger()
        parts, texts = list(new.items()), [part.text for part in new.values()]
        own = {normalise(subject) for part in new.values() for subject in part.subjects}
        titles = title_spans(texts, lambda names: own.intersection(names) | self.store.titled(names).keys())
        for (name, part), *found in zip(parts, self.tagger(texts), titles, strict=True):
            about = {normalise(subject) for subject in part.subjects}
            for thing in names_in(part.text, [span for spans in found for span in spans]):
                if normalise(thing) not in about:
                    yield AddEdge(name, MENTIONS, thing, source=self.source)

    def _earlier(self, new: dict[str, Document]) -> Iterator[Edit]:
        """Arcs from passages that were here first to the titles that came now."""
        subjects = dict.fromkeys(subject for part in new.values() for subject in part.subjects)
        found = {subject: self.store.passages_with(subject, limit=EARLIER) for subject in subjects}
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


def names_in(text: str, spans: Iterable[tuple[int, int]]) -> list[str]:
    """The distinct names at some spans of a text, as they are first written; what cannot be a name is left out."""
    names: dict[str, str] = {}
    for start, end in spans:
        name = " ".join(text[start:end].split())
        if name and len(name) <= MAX_NAME and any(character.isalnum() for character in name):
            names.setdefault(normalise(name), name)
    return [name for norm, name in names.items() if norm]
