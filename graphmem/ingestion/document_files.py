"""Documents in files: JSON lines with a title and a text, or plain text with the file name as the title."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from graphmem.core.errors import InvalidValue


def read_documents(path: Path) -> Iterator[tuple[str, str]]:
    """(title, text) of each document of a file; files that end in ``.gz`` are unpacked.

    ``.jsonl`` and ``.ndjson`` hold one object a line with ``text`` and perhaps ``title``; any
    other file is one document.

    Raises:
        InvalidValue: the file cannot be read, or a line is no such object; the message says which line.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            plain = path.with_suffix("") if path.suffix == ".gz" else path
            if plain.suffix.lower() not in (".jsonl", ".ndjson"):
                yield plain.stem, file.read()
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _document(path, number, line)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InvalidValue(f"cannot read {path} as text: {error}") from None


def _document(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"{path}, line {number} is not JSON: {error}") from None
    title = row.get("title", "") if isinstance(row, dict) else None
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(title, str) or not isinstance(text, str) or not text.strip():
        raise InvalidValue(f"{path}, line {number} needs a `text`, and perhaps a `title`: {line.strip():.60}")
    return title, text
