"""Reading of files: each is converted, cut into parts of whole paragraphs, and read part by part.

A part that was read before from a source trusted as much is passed over without a model, so a run that was stopped is
resumed by repeating it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from graphmem.adapters.documents import CONVERTERS, ConvertedText, convert
from graphmem.core.errors import GraphMemError
from graphmem.core.times import Time
from graphmem.ingestion.documents import read_documents
from graphmem.writing.deduplication import ReadHistory
from graphmem.writing.gate_rules import DEFAULT_TRUST
from graphmem.writing.pipeline import read_text
from graphmem.writing.plan import WritePlan

MAX_PART = 100_000
"""Characters of a part; a longer paragraph is cut."""


@dataclass(frozen=True, slots=True)
class FileRead:
    """One part of a file.

    Attributes:
        path: of the file.
        title: of the document; the file's name where it has none.
        part, parts: number of the part, from 1, and of all parts of the document.
        plan: None where the part was read before, or could not be read.
        error: why the file could not be read.
    """

    path: Path
    title: str = ""
    part: int = 1
    parts: int = 1
    plan: WritePlan | None = None
    error: GraphMemError | None = None


def read_files(
    model: Any, paths: Sequence[Path], *, source: str | None = None, at: Time | None = None,
    trust: float = DEFAULT_TRUST, reread: bool = False, progress: bool = False, **options: Any,
) -> Iterator[FileRead]:  # fmt: skip
    """Read files one after another, lazily; a file that cannot be read is reported and stops no other.

    Args:
        model, options: those of ``read_text``; with ``apply`` each part is one transaction.
        paths: text, Markdown, JSON lines of documents, PDF, Word and HTML files.
        source: of all files; the path of each when None.
        at: time of the texts that have no date of their own.
        trust: in the files, 0..1.
        reread: also read what was read before.
        progress: show a progress bar on stderr.
    """
    for path in tqdm(paths, desc="files", unit="", disable=not progress):
        origin = source or str(path)
        try:
            for title, text, date in _documents(path):
                when = at if date is None else date
                parts = split(text)
                for number, part in enumerate(parts, 1):
                    known = not reread and _was_read(model, part, trust, when)
                    made = None if known else read_text(
                        model, part, source=origin, at=when, title=title, trust=trust, reread=reread, **options
                    )  # fmt: skip
                    yield FileRead(path, title, number, len(parts), made)
        except GraphMemError as error:
            yield FileRead(path, path.name, error=error)


def split(text: str) -> list[str]:
    """Parts of a text of at most ``MAX_PART`` characters each, cut between paragraphs, else lines, else words."""
    parts, start = [], 0
    while len(text) - start > MAX_PART:
        window = text[start : start + MAX_PART]
        cut = next((at + 1 for mark in ("\n\n", "\n", " ") if (at := window.rfind(mark)) > MAX_PART // 2), MAX_PART)
        parts.append(window[:cut])
        start += cut
    return [part for part in (*parts, text[start:]) if part.strip()]


def _documents(path: Path) -> Iterator[tuple[str, str, Time | None]]:
    """Title, text and date of each document of a file.

    Raises:
        InvalidValue, MissingExtra: see ``read_documents`` and ``adapters.documents.convert``.
    """
    if path.suffix.lower() in CONVERTERS:
        found: ConvertedText = convert(path)
        yield found.title or path.stem, found.text, None
    else:
        yield from read_documents(path)


def _was_read(model: Any, text: str, trust: float, at: Time | None) -> bool:
    return ReadHistory(model.memory.store, text, trust=trust, at=at).is_known
